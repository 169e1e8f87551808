package rules

import (
	"strings"
	"testing"
)

func TestCheckFindsWhatCannotBeMeant(t *testing.T) {
	for _, c := range []struct{ name, rule, want string }{
		{"clear overlaps", rule("a", "pump", "pump.bearing", "severity: low\nwhen: bearing_temp > 70\nclear: bearing_temp < 75"),
			"low would end while it starts: bearing_temp > 70 and bearing_temp < 75 hold together"},
		{"never clear", rule("a", "pump", "pump.bearing", "severity: low\nwhen: bearing_temp > 70\nclear: bearing_temp < 60 and bearing_temp > 65"),
			"low can never end: bearing_temp < 60 and bearing_temp > 65 is never true"},
		{"never true", rule("a", "pump", "pump.bearing", "severity: low\nwhen: bearing_temp > 70 and bearing_temp < 60"),
			"low can never start: bearing_temp > 70 and bearing_temp < 60 is never true"},
		{"gate excludes", rule("a", "pump", "pump.bearing", "only_while: not running\nseverity: low\nwhen: running and bearing_temp > 60"),
			"low can never start: running and bearing_temp > 60 is never true"},
		{"inverted", rule("a", "pump", "pump.bearing", "thresholds: [{severity: high, when: bearing_temp > 70}, {severity: low, when: bearing_temp > 80}]"),
			"the severities are the wrong way round: whenever low holds, high does"},
		{"sound", rule("a", "pump", "pump.bearing", bearing), ""},
		{"by facts", rule("a", "pump", "motor.overload", "severity: low\nwhen: current > 1.15 * fact.rated_current\nclear: current < 1.2 * fact.rated_current"),
			"low would end while it starts: current > 1.15 * fact.rated_current and current < 1.2 * fact.rated_current hold together"},
	} {
		t.Run(c.name, func(t *testing.T) {
			list := mustLoad(t, "rules:\n"+c.rule).Check(CheckOptions{})
			var got []string
			for _, d := range list {
				got = append(got, strings.TrimPrefix(d.Message, "rule a: "))
			}
			if text := strings.Join(got, "\n"); text != c.want {
				t.Errorf("got:  %s\nwant: %s", text, c.want)
			}
		})
	}
	list := mustLoad(t, "rules:\n"+rule("a", "pump", "pump.bearing", bearing)).Check(CheckOptions{Roles: []string{"current", "bearing_tempo"}})
	if len(list) != 1 || !strings.Contains(list[0].String(), "no profile gives the role bearing_temp") {
		t.Errorf("%v", list)
	}
}
