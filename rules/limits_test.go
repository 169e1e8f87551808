package rules

import (
	"strings"
	"testing"
	"time"

	"github.com/facilityd/facilityd/devices"
)

const layeredRule = "limits: {hot: 80 °C, cool: 40 °C, long: 5 min}\nseverity: medium\nwhen: bearing_temp > limit.hot\nfor: limit.long\nclear: bearing_temp < limit.cool"

func layered(v float64, unit string) map[string]devices.Limit {
	return map[string]devices.Limit{"hot": {Value: v, Unit: unit, Source: "commissioning", Mark: "j", By: "li.na", At: devices.Date{Year: 2026, Month: 3, Day: 1}}}
}

func TestAssetsLimitIsStrongerThanTheSites(t *testing.T) {
	b := newBench(t, rule("hot", "pump", "pump.bearing", layeredRule))
	b.site.Limits = devices.Limits{"hot": layered(70, "°C")}
	b.site.Assets = []devices.Asset{{ID: "p2", Class: "pump", Limits: devices.Limits{"hot": layered(140, "°F")}}}
	b.eng = NewEngine(b.set, b.site, b.reg)
	p1, p2 := b.device("p1", "pump", time.Minute, "bearing_temp"), b.device("p2", "pump", time.Minute, "bearing_temp")
	for m := range 7 {
		b.say(p1, time.Duration(m)*time.Minute, 0, "bearing_temp", 65.0)
		b.say(p2, time.Duration(m)*time.Minute, 0, "bearing_temp", 65.0)
	}
	b.want("pump.bearing p2 active condition_held medium onset=0s at=5m0s hot")
	for m := 7; m < 14; m++ {
		b.say(p1, time.Duration(m)*time.Minute, 0, "bearing_temp", 75.0)
		b.say(p2, time.Duration(m)*time.Minute, 0, "bearing_temp", 65.0)
	}
	b.want("pump.bearing p1 active condition_held medium onset=7m0s at=12m0s hot")
	ev := b.all[0].Evidence
	if want := "hot = 60 °C [asset: commissioning (j), li.na, 2026-03-01; rule: 80 °C]; cool = 40 °C [test (j)]; long = 5 min [test (j)]"; ev.Threshold != want {
		t.Errorf("the evidence says %q, want %q", ev.Threshold, want)
	}
	if l := ev.Limits[0]; l.Layer != LayerAsset || l.Value != 60 || l.Rule != 80 || l.By != "li.na" || l.At != "2026-03-01" {
		t.Errorf("the evidence has %+v", l)
	}
	if l := b.explain("p1", "hot").Limits[0]; !strings.HasPrefix(l.String(), "hot = 70 °C [site: ") || l.Layer != LayerSite {
		t.Errorf("explained as %q", l)
	}
}

func TestDelayMayBeALimit(t *testing.T) {
	b := newBench(t, rule("hot", "pump", "pump.bearing", layeredRule))
	b.site.Limits = devices.Limits{"hot": {"long": {Value: 120, Unit: "s"}}}
	b.eng = NewEngine(b.set, b.site, b.reg)
	d := b.device("p1", "pump", time.Minute, "bearing_temp")
	b.say(d, 0, 0, "bearing_temp", 90.0)
	if x := b.explain("p1", "hot"); x.Thresholds[0].Remaining != 2*time.Minute {
		t.Errorf("%v remain, want 2m", x.Thresholds[0].Remaining)
	}
	b.say(d, time.Minute, 0, "bearing_temp", 90.0)
	b.say(d, 2*time.Minute, 0, "bearing_temp", 90.0)
	b.want("pump.bearing p1 active condition_held medium onset=0s at=2m0s hot")
}

// reload brings a set of rules and a site into force.
func (b *bench) reload(t time.Duration, set *Set, site *devices.Site) {
	b.seq++
	b.set, b.site = set, site
	b.note(b.eng.Swap(&devices.Record{Seq: b.seq, Kind: devices.ConfigVersion, Time: at(t)}, set, site))
}

func TestReloadDisturbsOnlyWhatChanged(t *testing.T) {
	held := rule("starts", "pump", "pump.dry_run", "limits: {least: 3 A}\nseverity: low\nwhen: held(current < limit.least, 4m)")
	b := newBench(t, rule("hot", "pump", "pump.bearing", layeredRule), held)
	p1, p2 := b.device("p1", "pump", time.Minute, "bearing_temp", "current"), b.device("p2", "pump", time.Minute, "bearing_temp", "current")
	say := func(m int) {
		for _, d := range []*devices.Device{p1, p2} {
			b.say(d, time.Duration(m)*time.Minute, 0, "bearing_temp", 90.0, "current", 1.0)
		}
	}
	for m := range 3 {
		say(m)
	}
	// The title and the meaning of a rule are edited, and p2 gets limits of its own.
	edited := strings.Replace(rule("hot", "pump", "pump.bearing", layeredRule+"\nmeaning: {en: other, zh: 其他}"), "{en: hot", "{en: Hotter", 1)
	site := *b.site
	site.Assets = []devices.Asset{{ID: "p2", Class: "pump", Limits: devices.Limits{"hot": layered(85, "°C"), "starts": {"least": {Value: 2, Unit: "A"}}}}}
	b.reload(2*time.Minute+30*time.Second, mustLoad(t, "rules:\n"+edited+held), &site)
	for m := 3; m < 9; m++ {
		say(m)
	}
	// p1 goes on counting from the beginning, p2 begins anew at its reading of 2m.
	b.want("pump.dry_run p1 active condition_held low onset=4m0s at=4m0s starts",
		"pump.bearing p1 active condition_held medium onset=0s at=5m0s hot",
		"pump.dry_run p2 active condition_held low onset=6m0s at=6m0s starts",
		"pump.bearing p2 active condition_held medium onset=2m0s at=7m0s hot")
	if got := b.all[1].Evidence.Reason.EN; !strings.HasPrefix(got, "Hotter: ") {
		t.Errorf("the order says %q, not the new title", got)
	}
}

// An open episode stays open when a limit is changed; whether it is over is
// asked with the new one.
func TestReloadKeepsWhatIsOpen(t *testing.T) {
	b := newBench(t, rule("hot", "pump", "pump.bearing", layeredRule))
	d := b.device("p1", "pump", time.Minute, "bearing_temp")
	for m := range 6 {
		b.say(d, time.Duration(m)*time.Minute, 0, "bearing_temp", 90.0)
	}
	site := *b.site
	site.Limits = devices.Limits{"hot": layered(95, "°C")}
	b.reload(6*time.Minute, b.set, &site)
	b.say(d, 7*time.Minute, 0, "bearing_temp", 90.0)
	b.want("pump.bearing p1 active condition_held medium onset=0s at=5m0s hot")
	site.Limits["hot"]["cool"] = devices.Limit{Value: 92, Unit: "°C"}
	b.reload(8*time.Minute, b.set, &site)
	b.want("pump.bearing p1 cleared clear_held medium onset=0s at=7m0s hot")
}
