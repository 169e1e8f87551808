package configs

import (
	"strings"
	"testing"

	"github.com/facilityd/facilityd/devices"
)

const limitRules = `rules:
  - id: bearing-hot
    title: {en: Bearing hot, zh: 轴承温度高}
    class: pump
    fault_class: pump.bearing
    source: {text: test, mark: j}
    limits: {hot: 80 °C, cool: 75 °C, long: 5 min}
    severity: high
    when: bearing_temp > limit.hot
    for: limit.long
    clear: bearing_temp < limit.cool
`

func compileSite(t *testing.T, site string) (*Bundle, string) {
	t.Helper()
	b, list := Compile(&Content{Site: File{"s.yaml", []byte(site)}, Rules: []File{{"r.yaml", []byte(limitRules)}}})
	if err := list.Err(); err != nil {
		return b, err.Error()
	}
	return b, ""
}

func TestLimitsAreReadShortAndLong(t *testing.T) {
	b, problem := compileSite(t, `
site: demo
limits:
  bearing-hot: {hot: 85 °C}
assets:
  - id: p1
    class: pump
    limits:
      bearing-hot:
        hot: {value: 194 °F, source: commissioning report, mark: c, by: li.na, at: 2026-03-01}
        long: 90 s
`)
	if problem != "" {
		t.Fatal(problem)
	}
	if l := b.Site.Limits["bearing-hot"]["hot"]; l.Value != 85 || l.Unit != "°C" {
		t.Errorf("the site's limit is %+v", l)
	}
	want := devices.Limit{Value: 194, Unit: "°F", Source: "commissioning report", Mark: "c", By: "li.na", At: devices.Date{Year: 2026, Month: 3, Day: 1}}
	if l := b.Site.Assets[0].Limits["bearing-hot"]["hot"]; l != want {
		t.Errorf("the asset's limit is %+v, want %+v", l, want)
	}
}

func TestLimitsThatCannotBeAreExplained(t *testing.T) {
	for text, want := range map[string]string{
		"site: x\nlimits:\n  bearing-hat: {hot: 75 °C}":                                 `s.yaml:3:3: error: limits are set for the unknown rule "bearing-hat" (did you mean "bearing-hot"?)`,
		"site: x\nlimits:\n  bearing-hot: {hott: 75 °C}":                                `s.yaml:3:17: error: rule bearing-hot has no limit "hott" (did you mean "hot"?)`,
		"site: x\nlimits:\n  bearing-hot: {hot: 75 bar}":                                `s.yaml:3:22: error: limit hot of bearing-hot is 75 bar (the rule has hot = 80 °C)`,
		"site: x\nlimits:\n  bearing-hot: {hot: 75}":                                    `s.yaml:3:22: error: limit hot of bearing-hot is 75 (the rule has hot = 80 °C)`,
		"site: x\nlimits:\n  bearing-hot: {long: 5m}":                                   `s.yaml:3:23: error: limit long of bearing-hot is 5 m (the rule has long = 5 min)`,
		"site: x\nlimits:\n  bearing-hot: {hot: hot}":                                   `s.yaml:3:22: error: limit hot of bearing-hot is "hot" (write hot: 75 °C`,
		"site: x\nlimits:\n  bearing-hot: {hot: 75 °Q}":                                 `s.yaml:3:22: error: limit hot of bearing-hot has the unknown unit "°Q"`,
		"site: x\nlimits:\n  bearing-hot: {hot: {value: 82 °C, mark: z}}":               `s.yaml:3:43: error: mark is "z"`,
		"site: x\nlimits:\n  bearing-hot: {hot: {value: 82 °C, at: May}}":               `s.yaml:3:41: error: at is "May" (a day such as 2026-03-01)`,
		"site: x\nlimits:\n  bearing-hot: {hot: {valeu: 82 °C}}":                        `unknown key "valeu" in limits.bearing-hot.hot (did you mean "value"?)`,
		"site: x\nlimits:\n  bearing-hot: {hot: 70 °C}":                                 `s.yaml:3:3: error: rule bearing-hot with hot = 70 °C, cool = 75 °C, long = 5 min: high would end while it starts`,
		"site: x\nassets: [{id: a, class: pump, limits: {bearing-hot: {cool: 90 °C}}}]": `s.yaml:2:40: error: rule bearing-hot with hot = 80 °C, cool = 90 °C, long = 5 min: high would end while it starts`,
	} {
		if _, got := compileSite(t, text); !strings.Contains(got, want) {
			t.Errorf("%q:\n got %s\nwant %s", text, got, want)
		}
	}
}
