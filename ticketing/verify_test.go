package ticketing

import (
	"testing"
	"time"

	"github.com/facilityd/facilityd/rules"
)

// repaired is an order whose fault went away at minute 10 and that was reported
// done at minute 20.
func repaired(t *testing.T) *Order {
	t.Helper()
	o := &Order{}
	first, cleared := step(1, rules.Active, rules.Medium), step(10, rules.Cleared, rules.Medium)
	cleared.Episode.Seq = 1
	apply(t, o, Receive(nil, nil, &first, "", 1, start)...)
	apply(t, o, Receive(o, &EpisodeState{Phase: rules.Active, Seq: 1}, &cleared, "", 1, minute(10))...)
	apply(t, o, Entry{Version: 3, Kind: Finish, At: minute(20), Arrived: minute(20), By: "li.na"})
	return o
}

func apply(t *testing.T, o *Order, entries ...Entry) {
	t.Helper()
	for i := range entries {
		if err := o.Apply(&entries[i]); err != nil {
			t.Fatal(err)
		}
	}
}

// watch lets time pass minute by minute and returns when the order left the
// state done, 0 when it never did.
func watch(t *testing.T, o *Order, v Verification, obs func(m int) Observation, until int) int {
	t.Helper()
	for m := 21; m < until; m++ {
		if e := Review(o, v, time.Hour, obs(m), minute(m)); e != nil {
			apply(t, o, *e)
		}
		if o.State != Done {
			return m
		}
	}
	return 0
}

func always(int) Observation { return Observation{Known: true} }

func TestRepairThatHoldsIsVerifiedAndThenClosed(t *testing.T) {
	o := repaired(t)
	if m := watch(t, o, Verification{For: 100 * time.Minute}, always, 1000); m != 120 || o.State != Verified {
		t.Fatalf("%s at minute %d", o.State, m)
	}
	if e := Review(o, Verification{}, time.Hour, Observation{}, minute(179)); e != nil {
		t.Errorf("%+v before the time to refuse is over", e)
	}
	if e := Review(o, Verification{}, time.Hour, Observation{}, minute(180)); e == nil || e.Kind != Close {
		t.Errorf("%+v", e)
	}
}

func TestRepairThatFailsAt80PercentOfTheWindowIsARevisit(t *testing.T) {
	o := repaired(t)
	if m := watch(t, o, Verification{For: 100 * time.Minute}, always, 100); m != 0 {
		t.Fatalf("%s at minute %d", o.State, m)
	}
	again := step(100, rules.Active, rules.Medium)
	apply(t, o, Receive(o, nil, &again, "", 1, minute(100))...)
	if o.State != Open || o.Revisits != 1 || o.Episodes != 2 || o.Assignee != "" {
		t.Errorf("%+v", o)
	}
}

// Silence is not recovery, and unknown is not verified: the watch waits for as
// long as the device is silent.
func TestDeviceThatGoesSilentHoldsUpTheVerification(t *testing.T) {
	o := repaired(t)
	obs := func(m int) Observation { return Observation{Known: m < 50 || m >= 5000} }
	if m := watch(t, o, Verification{For: 100 * time.Minute}, obs, 5000); m != 0 {
		t.Fatalf("%s at minute %d of the silence", o.State, m)
	}
	if o.BlindSince != minute(50) {
		t.Errorf("blind since %s", o.BlindSince)
	}
	obs = func(int) Observation { return Observation{Known: true} }
	for m := 5000; o.State == Done && m < 6000; m++ {
		if e := Review(o, Verification{For: 100 * time.Minute}, time.Hour, obs(m), minute(m)); e != nil {
			apply(t, o, *e)
			if o.State == Verified && m != 5070 {
				t.Errorf("verified at minute %d; 30 of 100 minutes had been seen before the silence", m)
			}
		}
	}
	if o.State != Verified {
		t.Error(o.State)
	}
}

func TestFaultThatDoesNotGoAwayAfterDoneIsARevisit(t *testing.T) {
	o := &Order{}
	first := step(1, rules.Active, rules.Medium)
	apply(t, o, Receive(nil, nil, &first, "", 1, start)...)
	apply(t, o, Entry{Version: 2, Kind: Finish, At: minute(20), Arrived: minute(20), Detail: Detail{Reason: "sensor is slow"}})
	if m := watch(t, o, Verification{For: 100 * time.Minute}, always, 1000); m != 120 || o.State != Open || o.Revisits != 1 {
		t.Errorf("%s at minute %d", o.State, m)
	}
}

func TestCyclesHaveToPassAsWell(t *testing.T) {
	o := repaired(t)
	v := Verification{For: 10 * time.Minute, Cycles: 50, Role: "door_cycles"}
	// One cycle in two minutes; the counter starts anew at minute 60.
	obs := func(m int) Observation {
		count := float64(1000 + m/2)
		if m >= 60 {
			count = float64(m-60) / 2
		}
		return Observation{Known: true, Count: count, Counted: true}
	}
	if m := watch(t, o, v, obs, 1000); m != 160 {
		t.Errorf("%s at minute %d", o.State, m)
	}
	o = repaired(t)
	if m := watch(t, o, v, always, 1000); m != 30 {
		t.Errorf("without a counter time alone decides, not minute %d", m)
	}
}

// A machine that never ran after the repair proves nothing; one that has run may
// rest.
func TestMachineHasToRunBeforeRestCounts(t *testing.T) {
	o := repaired(t)
	obs := func(m int) Observation { return Observation{Known: true, Idle: m < 500 || m > 510} }
	if m := watch(t, o, Verification{For: 100 * time.Minute}, obs, 500); m != 0 {
		t.Fatalf("%s at minute %d, and it never ran", o.State, m)
	}
	for m := 500; o.State == Done && m < 1000; m++ {
		if e := Review(o, Verification{For: 100 * time.Minute}, time.Hour, obs(m), minute(m)); e != nil {
			apply(t, o, *e)
		}
		if o.State == Verified && m != 599 { // one minute had counted before it was known to rest
			t.Errorf("verified at minute %d", m)
		}
	}
	if o.State != Verified {
		t.Error(o.State)
	}
}
