package devices

import (
	"math"
	"testing"
)

func TestUnitsConvertWithinADimension(t *testing.T) {
	for _, c := range []struct {
		from, to string
		in, want float64
	}{
		{"W", "kW", 2635, 2.635},
		{"kPa", "bar", 10, 0.1},
		{"°F", "°C", 212, 100},
		{"K", "°C", 331.65, 58.5},
		{"°C", "K", 0, 273.15},
		{"m^3", "L", 2, 2000},
		{"Gcal/h", "kW", 1, 1162.2222222222222},
		{"ft/s", "m/s", 10, 3.048},
		{"lb", "kg", 1, 0.45359237},
		{"m³/h", "m3/h", 8.7, 8.7},
		{"rpm", "1/s", 60, 1},
		{"%", "", 99, 0.99},
		{"psi", "bar", 14.5, 0.9997398},
		{"Cel", "°C", 20, 20},
	} {
		from, to := UnitByCode(c.from), UnitByCode(c.to)
		if from == nil || to == nil {
			t.Errorf("%s or %s is not in the table", c.from, c.to)
			continue
		}
		conv, err := Convert(from, to, false)
		if err != nil {
			t.Error(err)
			continue
		}
		if got := conv.Apply(c.in); math.Abs(got-c.want) > 1e-6*math.Abs(c.want) {
			t.Errorf("%v %s = %v %s, want %v", c.in, c.from, got, c.to, c.want)
		}
	}
}

func TestUnitsOfOtherDimensionsAreRefused(t *testing.T) {
	for _, c := range [][2]string{{"bar", "°C"}, {"VA", "kW"}, {"Hz", "1/min"}, {"kW", "kWh"}, {"%", "%LEL"}} {
		if _, err := Convert(UnitByCode(c[0]), UnitByCode(c[1]), false); err == nil {
			t.Errorf("%s converts into %s", c[0], c[1])
		}
	}
}

func TestTemperatureDifferenceHasNoZeroPoint(t *testing.T) {
	c, err := Convert(UnitByCode("°F"), UnitByCode("K"), true)
	if err != nil {
		t.Fatal(err)
	}
	if got := c.Apply(9); got != 5 {
		t.Errorf("a difference of 9 °F = %v K, want 5", got)
	}
}

func TestSpellingsThatDifferInCaseStayApart(t *testing.T) {
	for word, want := range map[string]string{"mW": "mW", "MW": "MW", "mw": "", "KWH": "kWh", "ma": "mA", "Deg C": "°C", "M³": "m3", "μg/m³": "ug/m3"} {
		u := UnitByCode(word)
		switch {
		case u == nil && want != "":
			t.Errorf("%q is unknown, want %s", word, want)
		case u != nil && (u.Code != want || want == ""):
			t.Errorf("%q is %s, want %q", word, u.Code, want)
		}
	}
}

func TestRolesUseUnitsOfTheTable(t *testing.T) {
	for _, r := range Roles {
		if u := UnitByCode(r.Unit); u == nil || u.Code != r.Unit {
			t.Errorf("role %s has unit %q, which is no code of the table", r.Name, r.Unit)
		}
	}
}
