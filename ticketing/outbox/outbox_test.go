package outbox_test

import (
	"errors"
	"testing"
	"time"

	"github.com/facilityd/facilityd/ticketing"
	"github.com/facilityd/facilityd/ticketing/outbox"
)

var t0 = time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)

func TestWhatBecomesOfAFailedAttempt(t *testing.T) {
	said := errors.New("no")
	for name, c := range map[string]struct {
		e    outbox.Effect
		f    outbox.Failure
		at   time.Duration // after it was made
		want outbox.Verdict
	}{
		"it is tried again after a while": {
			outbox.Effect{Kind: outbox.Message, Tier: ticketing.P2, Attempts: 1}, outbox.Failure{Contacts: 2}, 0,
			outbox.Verdict{Due: t0.Add(2 * time.Second)},
		},
		"the wait doubles, up to a quarter of an hour": {
			outbox.Effect{Kind: outbox.Event, Attempts: 20}, outbox.Failure{Contacts: 1}, 0,
			outbox.Verdict{Due: t0.Add(15 * time.Minute)},
		},
		"a receiver that asks to be left alone is": {
			outbox.Effect{Kind: outbox.Event, Attempts: 1}, outbox.Failure{Contacts: 1, After: time.Minute}, 0,
			outbox.Verdict{Due: t0.Add(time.Minute)},
		},
		"after three attempts the next contact is tried at once": {
			outbox.Effect{Kind: outbox.Message, Tier: ticketing.P2, Attempts: 3}, outbox.Failure{Contacts: 2}, 0,
			outbox.Verdict{Due: t0, Contact: 1},
		},
		"for a P1 after one": {
			outbox.Effect{Kind: outbox.Message, Tier: ticketing.P1, Attempts: 1}, outbox.Failure{Contacts: 2}, 0,
			outbox.Verdict{Due: t0, Contact: 1},
		},
		"when all contacts were tried somebody else is told, and it goes round again": {
			outbox.Effect{Kind: outbox.Message, Tier: ticketing.P1, Attempts: 2, Contact: 1}, outbox.Failure{Contacts: 2}, 0,
			outbox.Verdict{Due: t0.Add(4 * time.Second), Contact: 2, Unreached: true},
		},
		"a network that is away for a moment tells nobody else": {
			outbox.Effect{Kind: outbox.Message, Tier: ticketing.P2, Attempts: 3}, outbox.Failure{Contacts: 1}, 6 * time.Second,
			outbox.Verdict{Due: t0.Add(14 * time.Second), Contact: 1},
		},
		"one that is away for a minute does": {
			outbox.Effect{Kind: outbox.Message, Tier: ticketing.P2, Attempts: 6, Contact: 1}, outbox.Failure{Contacts: 1}, 62 * time.Second,
			outbox.Verdict{Due: t0.Add(126 * time.Second), Contact: 2, Unreached: true},
		},
		"a contact that refuses for good is left": {
			outbox.Effect{Kind: outbox.Message, Tier: ticketing.P3, Attempts: 1}, outbox.Failure{Contacts: 2, Refused: true}, 0,
			outbox.Verdict{Due: t0, Contact: 1, Refused: 1},
		},
		"when all have refused it is dead": {
			outbox.Effect{Kind: outbox.Message, Tier: ticketing.P3, Attempts: 2, Contact: 1, Refused: 1}, outbox.Failure{Contacts: 2, Refused: true}, 0,
			outbox.Verdict{Contact: 1, Refused: 2, Dead: true, Unreached: true},
		},
		"a page that is a day old is dead": {
			outbox.Effect{Kind: outbox.Message, Tier: ticketing.P2, Attempts: 9}, outbox.Failure{Contacts: 2}, 25 * time.Hour,
			outbox.Verdict{Dead: true, Unreached: true},
		},
		"another system is waited for over a long weekend": {
			outbox.Effect{Kind: outbox.Event, Attempts: 200}, outbox.Failure{Contacts: 1}, 4 * 24 * time.Hour,
			outbox.Verdict{Due: t0.Add(4*24*time.Hour + 15*time.Minute)},
		},
	} {
		t.Run(name, func(t *testing.T) {
			c.e.Created, c.f.Err = t0, said
			if got := outbox.Judge(&c.e, &c.f, 0.5, t0.Add(c.at)); got != c.want {
				t.Errorf("got  %+v\nwant %+v", got, c.want)
			}
		})
	}
}

func TestWaitsAreSpread(t *testing.T) {
	e := &outbox.Effect{Kind: outbox.Event, Attempts: 1, Created: t0}
	f := &outbox.Failure{Contacts: 1, Err: errors.New("no")}
	early, late := outbox.Judge(e, f, 0, t0), outbox.Judge(e, f, 0.999, t0)
	if early.Due.Sub(t0) < 1500*time.Millisecond || late.Due.Sub(t0) > 2500*time.Millisecond || late.Due.Sub(early.Due) < 500*time.Millisecond {
		t.Errorf("2 s become %v and %v", early.Due.Sub(t0), late.Due.Sub(t0))
	}
}
