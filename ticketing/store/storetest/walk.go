package storetest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/facilityd/facilityd/rules"
	"github.com/facilityd/facilityd/ticketing"
	"github.com/facilityd/facilityd/ticketing/store"
)

// A Walk lets many users at once do whatever they like with a few orders, while
// rules and clock go on, on what they saw a moment ago and often twice. Everything
// that is asked and answered is told, so that [Judge] can compare it with what the
// logs say, also when the walk was killed.
type Walk struct {
	Seed  uint64
	Users int
	Steps int // of each user in this run; 0 is without an end
	// Tell takes every question before it is asked and every answer after it is
	// given. It is called by one goroutine at a time.
	Tell func(Told)
	// Done are the questions of runs before this one: those without an answer are
	// asked again, under their keys.
	Done []Told
}

// Told is a command, and its answer when there is one.
type Told struct {
	User    int
	N       int
	Command ticketing.Command
	Answer  string `json:",omitempty"` // of outcomeOf; "" while there is none
	Version int    `json:",omitempty"` // of the order, after it was done
	Changed int    `json:",omitempty"` // the newest version that a conflict told of
}

// WalkConfig is the configuration of stores for walks.
func WalkConfig(url string) store.Config {
	return store.Config{URL: url, Warranty: 1000 * time.Hour, Template: func(fault string) *ticketing.Template {
		return &ticketing.Template{FaultClass: fault, Signature: needsSignature(fault), Verify: ticketing.Verification{For: time.Minute}}
	}}
}

func needsSignature(fault string) bool { return fault == "pump.bearing" }

var walkers = []string{"li.na", "wang", "chen", "zhao", "sun", "wu"}

// Run walks until every user has made its steps.
func (w *Walk) Run(ctx context.Context, s *store.Store) error {
	for _, id := range walkers {
		if _, err := s.AddPerson(ctx, ticketing.Person{ID: id}, T0); err != nil {
			return err
		}
	}
	// Rules and clock go on with the users, not ahead of them.
	var telling sync.Mutex
	answers, raised, passed := 0, make(chan bool, 1), make(chan bool, 1)
	beat := func(c chan bool, every int) {
		if answers%every == 0 {
			select {
			case c <- true:
			default:
			}
		}
	}
	tell := func(t Told) {
		telling.Lock()
		defer telling.Unlock()
		w.Tell(t)
		if t.Answer != "" {
			answers++
			beat(raised, 3)
			beat(passed, 4)
		}
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var rest, users sync.WaitGroup
	errs := make(chan error, w.Users+2)
	note := func(err error) {
		if err != nil && ctx.Err() == nil {
			errs <- err
			stop()
		}
	}
	rest.Go(func() { note(w.rules(ctx, s, raised)) })
	rest.Go(func() { note(w.clock(ctx, s, passed)) })
	for u := range w.Users {
		users.Go(func() { note(w.user(ctx, s, u, tell)) })
	}
	users.Wait()
	stop()
	rest.Wait()
	close(errs)
	var all []error
	for err := range errs {
		all = append(all, err)
	}
	return errors.Join(all...)
}

// rules goes on with the journal of the walk: the same steps for the same
// positions, whatever was killed when.
func (w *Walk) rules(ctx context.Context, s *store.Store, next <-chan bool) error {
	p, err := s.Begin(ctx, "demo", 1)
	if err != nil {
		return err
	}
	for {
		if p.Seq++; p.Seq > 30 { // the first orders have to be there
			select {
			case <-next:
			case <-ctx.Done():
				return nil
			}
		}
		if err := s.ApplyTransitions(ctx, "demo", 1, p.Seq, T0.Add(time.Hour), w.journal(p.Seq)); err != nil {
			return err
		}
	}
}

// journal gives the steps of a record: episodes on two pumps that come and go, by
// the position alone, some of which a feeder explains for a while.
func (w *Walk) journal(seq uint64) []rules.Transition {
	const stretch = 12 // records from one beginning of an episode to the next
	var out []rules.Transition
	for k, place := range []struct{ asset, fault string }{{"feeder", "power.quality"}, {"pump-1", "motor.overload"}, {"pump-1", "pump.bearing"}, {"pump-2", "motor.overload"}} {
		at := seq + uint64(3*k)
		if at < stretch {
			continue
		}
		first := seq - at%stretch
		r := rand.New(rand.NewPCG(w.Seed, first*8+uint64(k)))
		lasts := 2 + r.Uint64N(stretch-2)
		fed, cause := k > 0 && r.IntN(2) == 0, rules.EpisodeID{}
		if fed { // the feeder's of that time
			cause = rules.EpisodeID{Site: "demo", Asset: "feeder", FaultClass: "power.quality", Seq: first - first%stretch}
		}
		var t rules.Transition
		switch sev := rules.Severity(1 + r.IntN(4)); seq - first {
		case 0:
			t = Step(place.asset, place.fault, first, seq, rules.Active, sev)
			t.Under = cause
		case lasts / 2:
			t = Step(place.asset, place.fault, first, seq, rules.Active, sev)
			if t.Cause, t.Evidence = rules.CauseOnItsOwn, nil; !fed {
				t.Phase, t.Cause = rules.ActiveWithoutData, rules.CauseNoData
			}
		case lasts:
			t = Step(place.asset, place.fault, first, seq, rules.Cleared, sev)
		default:
			continue
		}
		t.Ordinal = uint32(len(out))
		out = append(out, t)
	}
	return out
}

// clock lets repairs be confirmed, faster than they would be.
func (w *Walk) clock(ctx context.Context, s *store.Store, next <-chan bool) error {
	reviewer := store.Reviewer{
		Template: WalkConfig("").Template, SignOff: time.Minute,
		Observe: func(*ticketing.Order, string) ticketing.Observation { return ticketing.Observation{Known: true} },
	}
	for i := 1; ; i++ {
		select {
		case <-next:
		case <-ctx.Done():
			return nil
		}
		if _, err := s.Review(ctx, "demo", 1, T0.Add(3*time.Hour+time.Duration(i)*30*time.Second), reviewer); err != nil {
			return err
		}
	}
}

// user asks again what was not answered, then whatever comes to mind.
func (w *Walk) user(ctx context.Context, s *store.Store, u int, tell func(Told)) error {
	n := 0
	for _, t := range w.Done {
		if t.User == u && t.N >= n {
			if n = t.N + 1; t.Answer == "" {
				n = t.N
			}
		}
	}
	r := rand.New(rand.NewPCG(w.Seed, uint64(u)<<32|uint64(n)))
	for _, t := range w.Done {
		if t.User == u && t.N == n {
			if err := w.ask(ctx, s, t, tell); err != nil {
				return err
			}
			n++
		}
	}
	for last := n + w.Steps; (w.Steps == 0 || n < last) && ctx.Err() == nil; n++ {
		c, err := w.whatever(ctx, s, u, n, r)
		if err != nil {
			return err
		}
		t := Told{User: u, N: n, Command: *c}
		tell(t)
		for range 1 + r.IntN(2) {
			if err := w.ask(ctx, s, t, tell); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *Walk) ask(ctx context.Context, s *store.Store, t Told, tell func(Told)) error {
	o, replayed, err := s.Command(ctx, t.Command)
	if t.Answer = outcomeOf(err, t.Command.Order); t.Answer == "" {
		return fmt.Errorf("%s: %w", t.Command.Verb, err)
	}
	var conflict *ticketing.ConflictError
	switch {
	case errors.As(err, &conflict):
		t.Changed = conflict.Now
	case err == nil && replayed:
		t.Answer = "replayed"
	case err == nil:
		t.Version = o.Version
	}
	tell(t)
	return nil
}

// outcomeOf names the answer to a command, "" for one that is no answer.
func outcomeOf(err error, order string) string {
	var conflict *ticketing.ConflictError
	var state *ticketing.NotAllowedError
	var holds *ticketing.StillHoldsError
	var lacks *ticketing.LacksError
	var invalid *ticketing.InvalidError
	switch {
	case err == nil:
		return "done"
	case errors.As(err, &conflict):
		return "conflict"
	case errors.As(err, &state) && state.Order != order:
		return "other order"
	case errors.As(err, &state):
		return "not allowed"
	case errors.As(err, &holds):
		return "still holds"
	case errors.As(err, &lacks):
		return "lacks"
	case errors.As(err, &invalid):
		return "invalid"
	}
	return ""
}

// whatever is a command that makes sense to nobody.
func (w *Walk) whatever(ctx context.Context, s *store.Store, u, n int, r *rand.Rand) (*ticketing.Command, error) {
	page := ticketing.Page[ticketing.Order]{}
	for k := r.IntN(3); len(page.Items) == 0; k++ { // until rules have raised the first, and again when all are closed
		f := ticketing.Filter{Limit: 6}
		if k%3 > 0 {
			f.Sort = ticketing.ByUrgency
		}
		var err error
		if page, err = s.List(ctx, f); err != nil {
			return nil, err
		}
	}
	pick := func() *ticketing.Order { return &page.Items[r.IntN(len(page.Items))] }
	o, verbs := pick(), ticketing.Verbs()
	c := &ticketing.Command{
		Verb: verbs[r.IntN(len(verbs))], Order: o.ID, By: walkers[u%len(walkers)], Via: "api", Key: fmt.Sprintf("%d-%d", u, n),
		Version: max(1, o.Version-max(0, r.IntN(5)-2)), Arrived: T0.Add(2 * time.Hour), Text: "x",
		Person: walkers[r.IntN(len(walkers))], Into: pick().ID, Value: &ticketing.Measurement{Name: "current", Value: 1},
	}
	if r.IntN(2) == 0 { // half of them look at the buttons first
		allowed := o.Allowed()
		for range 3 { // and rather do something than write
			if c.Verb = allowed[r.IntN(len(allowed))]; c.Verb != ticketing.DoNote && c.Verb != ticketing.DoMeasure {
				break
			}
		}
	}
	switch c.Verb {
	case ticketing.DoWait:
		c.Reason = "parts"
	case ticketing.DoCancel:
		c.Reason = []string{"false_alarm", "duplicate"}[r.IntN(2)]
	case ticketing.DoDone:
		c.Reason = []string{"", "it will"}[r.IntN(2)]
	case ticketing.DoRefuse:
		c.Reason = "it drips"
	case ticketing.DoAttach:
		c.Content = fmt.Append(nil, r.IntN(20))
		a, err := ticketing.NewAttachment("x.png", []string{"photo", "signature"}[r.IntN(2)], "image/png", c.Content)
		if err != nil {
			return nil, err
		}
		c.Attachment = a
	}
	return c, nil
}

// Judge compares what a walk was told with the logs: each answer is one that the
// model gives at a moment that the command may have met, what was done is in the
// log once and what was refused is not, and the model allows every entry.
func Judge(t testing.TB, s *store.Store, told []Told) {
	t.Helper()
	CheckWhole(t, s)
	histories, logs, where := map[string][]moment{}, map[string][]ticketing.Entry{}, map[string]int{}
	for _, o := range allOrders(t, s) {
		log, err := s.Log(context.Background(), o.ID, 0)
		if err != nil {
			t.Fatal(err)
		}
		if logs[o.ID] = log; len(log) != o.Version {
			t.Errorf("%s is at version %d with %d entries", o.NumberText(), o.Version, len(log))
		}
		h, err := history(log)
		if err != nil {
			t.Fatalf("%s: %v", o.NumberText(), err)
		}
		histories[o.ID] = h
		if last := h[len(h)-1]; last.state != string(o.State) || len(last.holding) != len(o.Holding) || last.deciding != o.Decided {
			t.Errorf("the model has %+v, the order is %s, holds %v, decided %d", last, o.State, o.Holding, o.Decided)
		}
		for i := range log {
			where[log[i].Key] = i + 1
		}
	}
	answers := map[string]int{}
	for i := range told {
		x := &told[i]
		c := &x.Command
		if x.Answer == "" || x.Answer == "other order" {
			continue
		}
		at, written := where[c.EntryKey()]
		done, never := x.Answer == "done" || x.Answer == "replayed", x.Answer == "conflict" || x.Answer == "not allowed"
		if done && !written || never && written { // the others may be done when asked again
			t.Errorf("%s by %s on version %d was %s, in the log: %v", c.Verb, c.By, c.Version, x.Answer, written)
			continue
		}
		answers[string(c.Verb)+" "+x.Answer]++
		h := histories[c.Order]
		from, to, want := c.Version, len(h)-1, x.Answer
		switch x.Answer {
		case "done", "replayed":
			from, to, want = at-1, at-1, "done"
		case "conflict":
			from, to = x.Changed, x.Changed
		}
		var said []string
		for v := from; v <= to; v++ {
			said = append(said, h[v].expect(c, needsSignature(logs[c.Order][0].FaultClass)))
		}
		if !slices.Contains(said, want) {
			t.Errorf("%s by %s on version %d was %s; the model says %v of versions %d to %d", c.Verb, c.By, c.Version, x.Answer, said, from, to)
		}
	}
	if testing.Verbose() {
		text, _ := json.Marshal(answers)
		t.Logf("%d commands: %s", len(told), text)
	}
}
