package dispatch_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/facilityd/facilityd/ticketing"
	"github.com/facilityd/facilityd/ticketing/dispatch"
	"github.com/facilityd/facilityd/ticketing/notify"
	"github.com/facilityd/facilityd/ticketing/roster"
)

// A postbox plays the messages of one person.
type postbox struct {
	p       roster.Person
	box     dispatch.Box
	waiting []dispatch.Waiting
	told    map[string]bool
	n       int
}

func person(budget int, quiet ...roster.Quiet) *postbox {
	return &postbox{p: roster.Person{ID: "li.na", Budget: roster.Budget{Messages: budget, Per: time.Hour}, Quiet: quiet}, told: map[string]bool{}}
}

// order queues a notice about an order of a site.
func (b *postbox) order(kind notify.Kind, tier ticketing.Tier, site, id string, state ticketing.State, at time.Time) {
	b.n++
	b.waiting = append(b.waiting, dispatch.Waiting{
		Notice: dispatch.Notice{Person: b.p.ID, Order: id, Version: b.n, Kind: kind, Tier: tier, Urgency: roster.Page, At: at},
		Now:    &ticketing.Order{ID: id, Site: site, State: state, Tier: tier, Onset: at},
	})
	for i := range b.waiting { // the order is the same for all its notices
		if b.waiting[i].Order == id {
			b.waiting[i].Now = b.waiting[len(b.waiting)-1].Now
		}
	}
}

// mail asks the desk at a time, and returns the orders of each message.
func (b *postbox) mail(at time.Time) (out []string, due time.Time) {
	for i := range b.waiting {
		b.waiting[i].Told = b.told[b.waiting[i].Order]
	}
	post := desk().Mail(&b.p, &b.box, b.waiting, at)
	for _, m := range post.Messages {
		var ids []string
		for _, n := range m.Notices {
			ids = append(ids, n.Order)
			if !m.Digest() {
				b.told[n.Order] = true
			}
		}
		out = append(out, strings.Join(ids, " "))
	}
	for _, s := range post.Settled {
		b.waiting = slices.DeleteFunc(b.waiting, func(w dispatch.Waiting) bool { return w.Order == s.Order && w.Version == s.Version })
	}
	return out, post.Due
}

func (b *postbox) expect(t *testing.T, at time.Time, want ...string) time.Time {
	t.Helper()
	got, due := b.mail(at)
	if !slices.Equal(got, want) {
		t.Errorf("at %v the messages are %q, want %q", at.Sub(t0), got, want)
	}
	return due
}

// PAINS 6: each fault is an order of its own; only the message is one for several.
func TestPain06OrdersThatComeTogetherAreOneMessageAndP1IsItsOwn(t *testing.T) {
	b := person(10)
	for i := range 4 {
		b.order(notify.New, ticketing.P2, "demo", fmt.Sprint("a", i), ticketing.Open, t0)
	}
	b.order(notify.New, ticketing.P3, "tower", "b", ticketing.Open, t0)
	b.order(notify.New, ticketing.P1, "demo", "p1", ticketing.Open, t0)
	if due := b.expect(t, t0, "p1"); !due.Equal(t0.Add(dispatch.Settle)) {
		t.Errorf("the rest is due at %v", due)
	}
	b.expect(t, t0.Add(dispatch.Settle), "a0 a1 a2 a3", "b")
	b.expect(t, t0.Add(time.Hour))
}

// PAINS 7: a storm does not become a storm of messages; what is about life comes
// through.
func TestPain07TheBudgetHoldsInAStormAndItsDigestsListAll(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	for _, budget := range []int{1, 2, 5, 12} {
		b := person(budget)
		sent, listed := []time.Time{}, map[string]bool{}
		want, urgent := 0, 0
		for sec := 0; sec < 3*3600; sec++ {
			now := t0.Add(time.Duration(sec) * time.Second)
			for range 8 {
				if sec >= 60 {
					break
				}
				tier := ticketing.Tier(1 + r.IntN(4))
				want++
				b.order(notify.New, tier, fmt.Sprint("site", r.IntN(3)), fmt.Sprint(want), ticketing.Open, now)
			}
			if sec > 60 && sec%15 != 0 {
				continue
			}
			waits := 0
			for _, w := range b.waiting {
				if w.Tier == ticketing.P1 {
					waits++
				}
			}
			got, _ := b.mail(now)
			for i, m := range got {
				ids := strings.Fields(m)
				if i < waits {
					if len(ids) != 1 {
						t.Fatalf("message %d of %d P1 is %q", i, waits, m)
					}
					urgent++
				} else {
					sent = append(sent, now)
				}
				for _, id := range ids {
					if listed[id] {
						t.Fatalf("order %s was told twice", id)
					}
					listed[id] = true
				}
			}
		}
		if len(listed) != want {
			t.Errorf("budget %d: %d of %d orders were told", budget, len(listed), want)
		}
		for i, at := range sent {
			if n := budget; i >= n && at.Sub(sent[i-n]) < time.Hour {
				t.Errorf("budget %d: %d messages within %v", budget, n+1, at.Sub(sent[i-n]))
			}
		}
		if urgent == 0 {
			t.Error("no P1 came up")
		}
	}
}

func TestQuietHoursHoldWhatIsNotP1(t *testing.T) {
	night := roster.Quiet{Tiers: []ticketing.Tier{ticketing.P3, ticketing.P4}, From: 22 * 60, To: 30 * 60}
	at := time.Date(2026, 3, 2, 23, 0, 0, 0, time.UTC)
	b := person(10, night)
	b.order(notify.New, ticketing.P3, "demo", "quiet", ticketing.Open, at)
	b.order(notify.New, ticketing.P2, "demo", "soon", ticketing.Open, at)
	b.order(notify.New, ticketing.P1, "demo", "now", ticketing.Open, at)
	b.expect(t, at, "now")
	if due := b.expect(t, at.Add(time.Minute), "soon"); !due.Equal(time.Date(2026, 3, 3, 6, 0, 0, 0, time.UTC)) {
		t.Errorf("the quiet hours end at %v", due)
	}
	b.expect(t, time.Date(2026, 3, 3, 6, 0, 0, 0, time.UTC), "quiet")
}

func TestNobodyIsCalledToWhatSomebodyHasAndNothingIsTakenBackThatWasNotSaid(t *testing.T) {
	b := person(10)
	b.order(notify.New, ticketing.P2, "demo", "taken", ticketing.Open, t0)
	b.order(notify.Update, ticketing.P2, "demo", "taken", ticketing.Accepted, t0.Add(time.Second))
	b.expect(t, t0.Add(time.Minute))
	if len(b.waiting) != 0 {
		t.Errorf("%d notices go on waiting", len(b.waiting))
	}
	b.order(notify.New, ticketing.P2, "demo", "told", ticketing.Open, t0)
	b.expect(t, t0.Add(2*time.Minute), "told")
	b.order(notify.Update, ticketing.P2, "demo", "told", ticketing.Closed, t0.Add(3*time.Minute))
	b.expect(t, t0.Add(4*time.Minute), "told")
}

func TestWhatPagesNobodyIsListedOnceADay(t *testing.T) {
	b := person(10)
	for i := range 3 {
		b.order(notify.New, ticketing.P4, "demo", fmt.Sprint(i), ticketing.Open, t0)
		b.waiting[i].Urgency = roster.Digest
	}
	due := b.expect(t, t0.Add(time.Hour))
	if want := time.Date(2026, 3, 3, 7, 0, 0, 0, time.UTC); !due.Equal(want) {
		t.Fatalf("the digest is due at %v, want %v", due, want)
	}
	b.expect(t, due, "0 1 2")
}

func TestWhoIsNoLongerInTheRosterGetsNothing(t *testing.T) {
	b := person(10)
	b.order(notify.New, ticketing.P1, "demo", "1", ticketing.Open, t0)
	post := desk().Mail(nil, &b.box, b.waiting, t0)
	if len(post.Messages) != 0 || len(post.Settled) != 1 {
		t.Errorf("%+v", post)
	}
}

func TestTheSameDecisionTwiceIsOneMessage(t *testing.T) {
	key := func() string {
		b := person(10)
		b.order(notify.New, ticketing.P1, "demo", "1", ticketing.Open, t0)
		return desk().Mail(&b.p, &b.box, b.waiting, t0).Messages[0].Key
	}
	if a, b := key(), key(); a != b {
		t.Error("the key differs")
	}
}
