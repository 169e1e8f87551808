package rules

import (
	"strings"
	"testing"
	"time"

	"github.com/facilityd/facilityd/configs/diag"
)

// A rule in a file of its own begins in line 2, its body in line 7.
func TestCheckFindsWhatCannotBeMeant(t *testing.T) {
	for _, c := range []struct{ name, rule, want string }{
		{"clear overlaps", rule("a", "pump", "pump.bearing", "severity: low\nwhen: bearing_temp > 70\nclear: bearing_temp < 75"),
			"9:10: low would end while it starts: bearing_temp > 70 and bearing_temp < 75 hold together (leave a gap between the two)"},
		{"never clear", rule("a", "pump", "pump.bearing", "severity: low\nwhen: bearing_temp > 70\nclear: bearing_temp < 60 and bearing_temp > 65"),
			"9:10: low can never end: bearing_temp < 60 and bearing_temp > 65 is never true"},
		{"never clear over time", rule("a", "pump", "pump.bearing", "severity: low\nwhen: avg(bearing_temp, 10m) > 70\nclear: count(bearing_temp > 60, 2h) < 0"),
			"9:10: low can never end: count(bearing_temp > 60, 2h) < 0 is never true"},
		{"never true", rule("a", "pump", "pump.bearing", "severity: low\nwhen: bearing_temp > 70 and bearing_temp < 60"),
			"8:9: low can never start: bearing_temp > 70 and bearing_temp < 60 is never true"},
		{"never true over time", rule("a", "elevator", "lift.door", "severity: low\nwhen: count(fault_code == \"door_close_fault\", 30m) >= 3 and count(fault_code == \"door_close_fault\", 30m) < 2"),
			`8:9: low can never start: count(fault_code == "door_close_fault", 30m) >= 3 and count(fault_code == "door_close_fault", 30m) < 2 is never true`},
		{"never by the clock", rule("a", "pump", "pump.bearing", "severity: low\nwhen: bearing_temp > 70 and hour() > 23"),
			"8:9: low can never start: bearing_temp > 70 and hour() > 23 is never true"},
		{"gate excludes", rule("a", "pump", "pump.bearing", "only_while: not running\nseverity: low\nwhen: running and bearing_temp > 60"),
			"9:9: low can never start: running and bearing_temp > 60 is never true"},
		{"gate never opens", rule("a", "pump", "pump.bearing", "only_while: running and not running\nseverity: low\nwhen: bearing_temp > 60"),
			"7:15: it never looks: only_while running and not running is never true"},
		{"inverted", rule("a", "pump", "pump.bearing", "thresholds: [{severity: high, when: bearing_temp > 70}, {severity: low, when: bearing_temp > 80}]"),
			"7:81: the severities are the wrong way round: whenever low holds, high does (exchange their values)"},
		{"inverted over time", rule("a", "pump", "pump.bearing", "thresholds:\n  - {severity: high, when: \"max(bearing_temp, 10m) > 70\"}\n  - {severity: low, when: \"max(bearing_temp, 10m) > 80\"}"),
			"9:30: the severities are the wrong way round: whenever low holds, high does (exchange their values)"},
		{"sound", rule("a", "pump", "pump.bearing", bearing), ""},
		{"sound over time", rule("a", "elevator", "lift.door", "severity: low\nwhen: count(fault_code == \"door_close_fault\", 30m) >= 1\nclear: count(fault_code == \"door_close_fault\", 2h) == 0"), ""},
		{"by facts", rule("a", "pump", "motor.overload", "severity: low\nwhen: current > 1.15 * fact.rated_current\nclear: current < 1.2 * fact.rated_current"),
			"9:10: low would end while it starts: current > 1.15 * fact.rated_current and current < 1.2 * fact.rated_current hold together (leave a gap between the two)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			for _, d := range mustLoad(t, "rules:\n"+c.rule).Check(CheckOptions{}) {
				got = append(got, finding(d))
			}
			if text := strings.Join(got, "\n"); text != c.want {
				t.Errorf("got:  %s\nwant: %s", text, c.want)
			}
		})
	}
}

func finding(d diag.Diagnostic) string {
	text := strings.TrimPrefix(d.String(), "test.yaml:")
	for _, drop := range []string{"error: ", "warning: ", "rule a: "} {
		text = strings.Replace(text, drop, "", 1)
	}
	return text
}

// one is what a check finds in a file, which must be one thing.
func one(t *testing.T, text string, opts CheckOptions) string {
	t.Helper()
	list := mustLoad(t, text).Check(opts)
	if len(list) != 1 {
		t.Fatalf("found %v", list)
	}
	return finding(list[0])
}

func TestCheckFindsARoleThatNoProfileGives(t *testing.T) {
	text := "rules:\n" + rule("a", "pump", "pump.bearing", "severity: low\nwhen: running and bearing_temp > 80")
	want := `8:21: no profile gives the role bearing_temp, the rule can never start (did you mean "bearing_temps"?)`
	if got := one(t, text, CheckOptions{Roles: []string{"running", "bearing_temps"}}); got != want {
		t.Errorf("got:  %s\nwant: %s", got, want)
	}
}

func TestCheckFindsAWindowLongerThanWhatIsKept(t *testing.T) {
	text := "rules:\n" + rule("a", "pump", "pump.bearing", "severity: low\nwhen: delta(bearing_temp, 30d) > 5 K")
	want := "8:9: it rests on the last 30 days, the journal keeps 7 days: after a rebuild from the journal it does not know enough for the time between (raise journal.max_age, or take a shorter window)"
	if got := one(t, text, CheckOptions{Kept: 7 * 24 * time.Hour}); got != want {
		t.Errorf("got:  %s\nwant: %s", got, want)
	}
	if list := mustLoad(t, text).Check(CheckOptions{}); len(list) != 0 {
		t.Errorf("the journal keeps everything: %v", list)
	}
	// What no engine keeps is refused at once.
	_, list := Load([]File{{Name: "test.yaml", Data: []byte(strings.Replace(text, "30d", "900d", 1))}}, LoadOptions{})
	if err := list.Err(); err == nil || !strings.Contains(err.Error(), "test.yaml:8:29: error: delta: 900d is longer than the two years that are kept") {
		t.Errorf("900 days: %v", err)
	}
	_, list = Load([]File{{Name: "test.yaml", Data: []byte(strings.Replace(text, "delta(bearing_temp, 30d) > 5 K", "count(running, 30d) > 500", 1))}}, LoadOptions{})
	if err := list.Err(); err == nil || !strings.Contains(err.Error(), "test.yaml:8:") || !strings.Contains(err.Error(), "a number below 64") {
		t.Errorf("a count of 500: %v", err)
	}
}

func TestCheckFindsAUnitMismatch(t *testing.T) {
	text := "rules:\n" + rule("a", "pump", "pump.bearing", "severity: low\nwhen: bearing_temp > 5 bar")
	_, list := Load([]File{{Name: "test.yaml", Data: []byte(text)}}, LoadOptions{})
	want := "test.yaml:8:24: error: unit mismatch: 5 bar against bearing_temp (bearing_temp is in °C)"
	if len(list) != 1 || list[0].String() != want {
		t.Errorf("got:  %v\nwant: %s", list, want)
	}
}

func TestCheckFindsAMuteThatNeverMutes(t *testing.T) {
	never := strings.Replace(inspection, `and not held`, `and service_mode == "normal" and not held`, 1)
	text := "rules:\n" + rule("a", "elevator", "lift.door", "severity: low\nwhen: door_open_time > 60 s")
	if got, want := one(t, never+text, CheckOptions{}), "6:10: mute in-inspection: it can never mute anything: service_mode == "; !strings.HasPrefix(got, want) {
		t.Errorf("got:  %s\nwant: %s…", got, want)
	}
	want := "6:10: mute in-inspection: no profile gives the role service_mode, it can never mute anything (one of: door_open_time)"
	if got := one(t, inspection+text, CheckOptions{Roles: []string{"door_open_time"}}); got != want {
		t.Errorf("got:  %s\nwant: %s", got, want)
	}
}
