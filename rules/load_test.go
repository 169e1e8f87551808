package rules

import (
	"strings"
	"testing"
	"time"

	"github.com/facilityd/facilityd/devices"
)

// mistakes are rule files as people get them wrong, and what they are told.
var mistakes = []struct{ name, yaml, want string }{
	{"unknown key", rule("a", "pump", "pump.bearing", "severity: low\nwen: running\nwhen: running"),
		`r.yaml:8:3: error: unknown key "wen" in a rule (did you mean "when"?)`},
	{"unknown role", rule("a", "pump", "pump.bearing", "severity: low\nwhen: bearing_tmp > 70"),
		`r.yaml:8:9: error: unknown role "bearing_tmp" (did you mean "bearing_temp"?)`},
	{"position inside an expression", rule("a", "pump", "pump.bearing", "severity: low\nwhen: 'running and bearing_tmp > 70'"),
		`r.yaml:8:22: error: unknown role "bearing_tmp" (did you mean "bearing_temp"?)`},
	{"position in a folded text", rule("a", "pump", "pump.bearing", "severity: low\nwhen: >-\n  running\n  and bearing_tmp > 70"),
		`r.yaml:10:9: error: unknown role "bearing_tmp" (did you mean "bearing_temp"?)`},
	{"unit mismatch", rule("a", "pump", "pump.bearing", "severity: low\nwhen: bearing_temp > 5 bar"),
		`r.yaml:8:24: error: unit mismatch: 5 bar against bearing_temp (bearing_temp is in °C)`},
	{"unit of two roles", rule("a", "pump", "pump.bearing", "severity: low\nwhen: bearing_temp > current"),
		`r.yaml:8:22: error: unit mismatch: bearing_temp is in °C, current is in A`},
	{"number as condition", rule("a", "pump", "pump.bearing", "severity: low\nwhen: running and current"),
		`r.yaml:8:21: error: current is a number, not a condition (compare it with something)`},
	{"event as condition", rule("a", "gate", "barrier.mechanism", "severity: low\nwhen: obstruction"),
		`r.yaml:8:9: error: obstruction is an event: it happens, it does not hold (count(obstruction, 10m) >= 1)`},
	{"word that a role never says", rule("a", "elevator", "lift.door", "severity: low\nwhen: service_mode == \"normall\""),
		`r.yaml:8:25: error: service_mode never says "normall" (did you mean "normal"?)`},
	{"truth value compared with a word", rule("a", "pump", "pump.bearing", "severity: low\nwhen: running == \"on\""),
		`r.yaml:8:20: error: running is a truth value, it has no words (write running, or not running)`},
	{"always true", rule("a", "pump", "pump.bearing", "severity: low\nwhen: running and 5 > 3"),
		`r.yaml:8:23: error: this comparison is always true`},
	{"unknown function", rule("a", "pump", "pump.bearing", "severity: low\nwhen: avrg(current, 5m) > 3"),
		`r.yaml:8:9: error: unknown function "avrg" (did you mean "avg"?)`},
	{"duration", rule("a", "pump", "pump.bearing", "severity: low\nwhen: avg(current, 5 bar) > 3"),
		`r.yaml:8:22: error: avg: 5 bar is not a duration (written avg(x, 10m) or avg(x, 7d, running))`},
	{"bad for", rule("a", "pump", "pump.bearing", "severity: low\nwhen: running\nfor: 5 minuets"),
		`r.yaml:9:8: error: "5 minuets" is not a duration (write 30s, 5m, 2h or 7d)`},
	{"unknown fact", rule("a", "pump", "pump.bearing", "severity: low\nwhen: current > fact.rated_curent"),
		`r.yaml:8:24: error: unknown fact "rated_curent" (did you mean "rated_current"?)`},
	{"unknown fault class", rule("a", "pump", "pump.bering", "severity: low\nwhen: running"),
		`r.yaml:5:16: error: unknown fault class "pump.bering" (did you mean "pump.bearing"?)`},
	{"syntax", rule("a", "pump", "pump.bearing", "severity: low\nwhen: running and"),
		`r.yaml:8:19: error: the condition ends too early`},
	{"not part of the language", rule("a", "pump", "pump.bearing", "severity: low\nwhen: len([1,2]) > 1"),
		`r.yaml:8:9: error: unknown function "len"`},
	{"severity", rule("a", "pump", "pump.bearing", "severity: hgih\nwhen: running"),
		`r.yaml:7:13: error: unknown severity "hgih" (did you mean "high"?)`},
	{"test of another role", rule("a", "pump", "pump.bearing", "severity: low\nwhen: running\ntests: [{name: x, every: 1m, inputs: {runing: 1}, expect: {1m: none}}]"),
		`r.yaml:9:41: error: unknown role "runing" (did you mean "running"?)`},
	{"twice", rule("a", "pump", "pump.bearing", "severity: low\nwhen: running") + rule("a", "pump", "pump.bearing", "severity: low\nwhen: running"),
		`r.yaml:9:1: error: rule "a" comes twice, first in r.yaml:2`},
	{"silence and readings", rule("a", "pump", "comms.quality", "severity: low\nwhen: silent(3) and running"),
		`r.yaml:2:3: error: rule "a" mixes silence, which follows the clock, with readings (make two rules of it)`},
}

func TestMistakesAreExplained(t *testing.T) {
	for _, m := range mistakes {
		t.Run(m.name, func(t *testing.T) {
			set, list := Load([]File{{Name: "r.yaml", Data: []byte("rules:\n" + m.yaml)}}, LoadOptions{})
			if set != nil {
				t.Fatal("the file was accepted")
			}
			var got []string
			for _, d := range list {
				got = append(got, d.String())
			}
			if text := strings.Join(got, "\n"); text != m.want {
				t.Errorf("got:\n%s\nwant:\n%s", text, m.want)
			}
		})
	}
}

func TestAllFindingsAtOnce(t *testing.T) {
	text := "rules:\n" + rule("a", "pump", "pump.bering", "severity: low\nwhen: bearing_tmp > 70 and 3 > 5\nfor: soon") +
		rule("b", "pmp", "pump.bearing", "severity: low\nwhen: running or current > 5 bar")
	_, list := Load([]File{{Name: "r.yaml", Data: []byte(text)}}, LoadOptions{})
	if len(list) != 7 {
		t.Errorf("%d findings, want 7:\n%v", len(list), list.Err())
	}
}

func FuzzLoad(f *testing.F) {
	for _, m := range mistakes {
		f.Add("rules:\n" + m.yaml)
	}
	for _, r := range propertyRules {
		f.Add("rules:\n" + r)
	}
	f.Add("")
	f.Add("rules: [{id: a, when: &x running}, *x]")
	f.Fuzz(func(t *testing.T, text string) {
		set, list := Load([]File{{Name: "r.yaml", Data: []byte(text)}}, LoadOptions{})
		if set == nil != list.HasErrors() {
			t.Fatal("a set with errors, or none without")
		}
		list.Err()
	})
}

// FuzzRestore feeds damaged checkpoints: they are refused or accepted, and
// never more memory is asked for than they are long.
func FuzzRestore(f *testing.F) {
	set := mustLoad(f, "rules:\n"+strings.Join(propertyRules, ""))
	w := newWorld(set, propertySite())
	for k, d := range propertyDevices {
		var list []said
		for _, p := range d.points {
			list = append(list, said{dev: d.id, point: p, t: at(0), value: 80, text: "x"})
		}
		e := entry{said: list}
		e.rec.Seq, e.rec.Time, e.rec.Connection = uint64(k+1), at(0), "c"
		w.eng.Apply(&e.rec, w.readings(e.said))
	}
	for k, fact := range []devices.Fact{
		{ID: "w", Kind: devices.FactWindow, Asset: "p1", From: epoch, Until: epoch.Add(time.Hour), By: "li", Note: "seal"},
		{ID: "r", Kind: devices.FactReplaced, Asset: "s1", Device: "young", Replaces: "s1", By: "li"},
	} {
		seq := uint64(len(propertyDevices) + k + 1)
		w.eng.Apply(&devices.Record{Seq: seq, Kind: devices.FactRecord, Time: at(0), Fact: &fact}, nil)
	}
	for m := 1; m < 10; m++ {
		var list []said
		for _, p := range propertyDevices[0].points {
			list = append(list, said{dev: propertyDevices[0].id, point: p, t: at(time.Duration(m) * time.Minute), value: 80})
		}
		e := entry{said: list}
		e.rec.Seq, e.rec.Time, e.rec.Connection = w.eng.Position()+1, at(time.Duration(m)*time.Minute), "c"
		w.eng.Apply(&e.rec, w.readings(e.said))
	}
	if held, _ := w.eng.Suppressed(); len(held) == 0 || len(w.eng.takeovers) == 0 {
		f.Fatal("the checkpoint to damage holds nothing that was suppressed, or no device that is expected")
	}
	chunks := make(map[int][]byte)
	for _, c := range w.eng.DirtyChunks(nil) {
		chunks[c] = w.eng.AppendChunk(c, nil)
	}
	f.Add(chunks[0], chunks[chunkOf("p1")], uint16(chunkOf("p1")))
	// One in which a reading waits for stragglers.
	waiting := newWorld(set, propertySite()).late(time.Minute)
	one := entry{said: []said{{dev: "p1", point: "running", t: at(0), value: 1}}}
	one.rec.Seq, one.rec.Time, one.rec.Connection = 1, at(0), "c"
	waiting.eng.Apply(&one.rec, waiting.readings(one.said))
	if len(waiting.eng.assets["p1"].held) == 0 {
		f.Fatal("no reading waits in the checkpoint to damage")
	}
	chunk := waiting.eng.AppendChunk(chunkOf("p1"), nil)
	f.Add(waiting.eng.AppendChunk(0, nil), chunk, uint16(chunkOf("p1")))
	f.Add(chunks[0], chunks[chunkOf("g1")], uint16(chunkOf("g1")))
	f.Add([]byte{1, 2, 3}, []byte{}, uint16(1))
	f.Fuzz(func(t *testing.T, head, chunk []byte, n uint16) {
		all := make([][]byte, Chunks)
		for c, b := range chunks {
			all[c] = b
		}
		all[0], all[int(n)%Chunks] = head, chunk
		r := newWorld(set, propertySite())
		if r.eng.Restore(all) == nil {
			e := entry{said: []said{{dev: "p1", point: "running", t: at(0), value: 1}}}
			e.rec.Seq, e.rec.Time, e.rec.Connection = r.eng.Position()+1, at(1), "c"
			r.eng.Apply(&e.rec, r.readings(e.said))
		}
	})
}
