package ticketing

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/facilityd/facilityd/devices"
	"github.com/facilityd/facilityd/rules"
)

// learned is an open order of a rule that compares with the asset's own past.
func learned(t *testing.T) *Order {
	t.Helper()
	tr := step(1, rules.Active, rules.Medium)
	tr.Evidence = &rules.Evidence{Rule: "odd", Learned: true}
	o := &Order{}
	apply(t, o, Receive(nil, nil, &tr, "", 1, start)...)
	return o
}

func TestNewNormalIsForRulesThatLearnAndNeedsAReason(t *testing.T) {
	c := Command{Verb: DoNewNormal, By: "li.na", Key: "1", Version: 1, Arrived: minute(5)}
	fixed := &Order{}
	first := step(1, rules.Active, rules.Medium)
	apply(t, fixed, Receive(nil, nil, &first, "", 1, start)...)
	var invalid *InvalidError
	if _, err := Decide(fixed, &c, nil, nil); !errors.As(err, &invalid) || invalid.Code != "not_learned" || slices.Contains(fixed.Allowed(), DoNewNormal) {
		t.Errorf("of a fixed limit: %v, allowed %v", err, fixed.Allowed())
	}
	o := learned(t)
	if _, err := Decide(o, &c, nil, nil); !errors.As(err, &invalid) || invalid.Code != "text_normal" || !slices.Contains(o.Allowed(), DoNewNormal) {
		t.Errorf("without a reason: %v, allowed %v", err, o.Allowed())
	}
	c.Text = "larger impeller since Monday"
	e, err := Decide(o, &c, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	facts := Facts(o, e)
	if len(facts) != 1 || facts[0].Kind != devices.FactAccepted || facts[0].Note != c.Text || facts[0].Episode != "demo/pump-1/motor.overload/1" {
		t.Errorf("%+v", facts)
	}
	apply(t, o, *e)
	if o.State != Cancelled || o.Reason != ReasonNewNormal {
		t.Errorf("%+v", o)
	}
}

// After a merge an order holds episodes of several assets and fault classes. Each
// is told of by its own names: what is said of another asset would end nothing.
func TestWhatEndsEpisodesIsSaidOfEach(t *testing.T) {
	o := learned(t)
	apply(t, o, Entry{Version: 2, Kind: Joined, At: minute(3), Arrived: minute(3), By: "li.na", Detail: Detail{Episode: "demo/room 2/pump/west/pump.bearing/17", Holds: true}})
	facts := Facts(o, &Entry{Version: 3, Kind: Cancel, At: minute(4), By: "li.na", Detail: Detail{Reason: "false_alarm"}})
	var got []string
	for _, f := range facts {
		got = append(got, fmt.Sprint(f.ID == facts[0].ID, " ", f.Asset, " ", f.FaultClass, " ", f.Episode))
	}
	want := []string{"true room 2/pump/west pump.bearing demo/room 2/pump/west/pump.bearing/17", "false pump-1 motor.overload demo/pump-1/motor.overload/1"}
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	if facts := Facts(o, &Entry{Version: 3, Kind: Cancel, Detail: Detail{Into: "x"}}); len(facts) != 0 {
		t.Errorf("a merge tells the rules %v", facts)
	}
}

func TestSignOffByAPersonClosesAtOnce(t *testing.T) {
	o := repaired(t)
	c := Command{Verb: DoClose, By: "chen", Key: "1", Version: 3, Arrived: minute(30)}
	var state *NotAllowedError
	if _, err := Decide(o, &c, nil, nil); !errors.As(err, &state) {
		t.Errorf("before telemetry confirmed it: %v", err)
	}
	apply(t, o, Entry{Version: 4, Kind: Verify, At: minute(40), Arrived: minute(40)})
	c.Version, c.Arrived = 4, minute(41)
	e, err := Decide(o, &c, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	apply(t, o, *e)
	if o.State != Closed || o.ClosedAt != minute(41) {
		t.Errorf("%+v", o)
	}
}
