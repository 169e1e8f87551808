package configs

import (
	"strings"
	"testing"
)

func TestSiteFileIsReadWhole(t *testing.T) {
	site, list := ParseSite("s.yaml", []byte(`
site: demo
name: {en: Harbour Court, zh: 港湾苑}
time_zone: Asia/Shanghai
assets:
  - {id: room, class: pump, name: Pump room}
  - {id: pump-1, class: pump, parent: room, fed_by: [room], criticality: vital, facts: {rated_current: 32 A, group: "2", mounting: rigid}}
devices:
  - {id: p1, asset: pump-1, interval: 30s}
`))
	if len(list) > 0 {
		t.Fatal(list)
	}
	a := site.Assets[1]
	if site.ID != "demo" || site.Name.In("zh") != "港湾苑" || site.Assets[0].Name.In("zh") != "Pump room" ||
		a.Facts["rated_current"].Value != 32 || a.Facts["rated_current"].Unit != "A" || a.Facts["mounting"].Word != "rigid" ||
		site.Devices[0].Interval.Seconds() != 30 || site.Location.String() != "Asia/Shanghai" {
		t.Errorf("%+v", site)
	}
}

func TestSiteFileErrorsNameThePlace(t *testing.T) {
	for text, want := range map[string]string{
		"site: a b\n":                                                                                                          `s.yaml:1:7: error: site is "a b"`,
		"site: x\ntime_zone: Mars/Base\n":                                                                                      `time zone is "Mars/Base"`,
		"site: x\nassets: [{id: a, class: lift}]":                                                                              `s.yaml:2:25: error: class of asset a is "lift"`,
		"site: x\nassets: [{id: a, class: pump}, {id: a, class: pump}]":                                                        `given twice`,
		"site: x\nassets: [{id: pump-1, class: pump}]\ndevices: [{id: d, asset: pump1}]":                                       `(did you mean "pump-1"?)`,
		"site: x\nassets: [{id: a, class: pump, parent: b}, {id: b, class: pump, parent: a}]":                                  `a → b → a`,
		"site: x\nassets: [{id: a, class: pump, parnet: b}]":                                                                   `unknown key "parnet" in assets[0] (did you mean "parent"?)`,
		"site: x\nassets: [{id: a, class: pump, criticality: high}]":                                                           `one of: minor, normal, vital`,
		"site: x\ndevices: [{id: d, interval: often}]":                                                                         `is not a length of time`,
		"site: x\nassets: [{id: a, class: pump, parent: a}]":                                                                   `a → a`,
		"site: x\nassets: [{id: a, class: pump, parent: b}, {id: b, class: pump, parent: c}, {id: c, class: pump, parent: b}]": `b → c → b`,
	} {
		_, list := ParseSite("s.yaml", []byte(text))
		if err := list.Err(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q:\n got %v\nwant %s", text, err, want)
		}
	}
}

func FuzzParseSite(f *testing.F) {
	f.Add([]byte("site: x\nassets: [{id: a, class: pump, facts: {k: 1 A}}]\n"))
	f.Add([]byte("site: x\ncalendar:\n  use: [cn-2026, own.yaml]\n  shifts: {mon-fri: '08:00-12:00, 22:00-06:00', sat: none}\n  holidays: {2026-01-01..2026-01-03: x}\n  workdays: {2026-01-04: fri}\n"))
	f.Add([]byte("site: x\nsla:\n  use: [own.yaml]\n  P2: {accept: 4h, arrive: 1h, done: 1d, working: true, pauses: false, silence: 1w}\n  max_pause: {parts: 7d}\n"))
	f.Fuzz(func(_ *testing.T, data []byte) { ParseSite("s.yaml", data, File{"own.yaml", data}) })
}

func TestLatenessIsReadAndBounded(t *testing.T) {
	site, list := ParseSite("s.yaml", []byte("site: x\ndevices: [{id: d, lateness: 90s}]"))
	if len(list) > 0 || site.Devices[0].Lateness.Seconds() != 90 {
		t.Errorf("%v %+v", list, site.Devices)
	}
	_, list = ParseSite("s.yaml", []byte("site: x\ndevices: [{id: d, lateness: 2h}]"))
	if err := list.Err(); err == nil || !strings.Contains(err.Error(), "s.yaml:2:29: error: lateness of device d is 2h0m0s (at most 1h") {
		t.Error(err)
	}
}
