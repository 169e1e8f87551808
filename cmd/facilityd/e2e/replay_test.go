package e2e

import (
	"context"
	"encoding/json"
	"log/slog"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/facilityd/facilityd/cmd/facilityd/daemon"
	"github.com/facilityd/facilityd/configs"
	"github.com/facilityd/facilityd/rules"
)

// arrival is one message of a numbered load, by device and number.
type arrival struct {
	device string
	seq    int
}

// replayed is what a journal holds and what an empty engine makes of it.
type replayed struct {
	journaled   []arrival // every message, in order
	decoded     []arrival // without those that the journal marks as redelivered
	readings    map[string]int
	transitions []rules.Transition
}

// bytes is everything the engine said, for comparing runs.
func (r *replayed) bytes(t *testing.T) string {
	t.Helper()
	text, err := json.Marshal(r.transitions)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

var (
	deviceOf = regexp.MustCompile(`^facility/[a-z]+/([^/]+)/`)
	seqOf    = regexp.MustCompile(`"pulse_count":(\d+)`)
)

// replay reads a journal that no daemon has open from its beginning, through a
// decoder and an engine that know nothing, with the configurations that it names.
func replay(t *testing.T, settingsFile, dataDir, site string) *replayed {
	t.Helper()
	settings, list := configs.LoadSettings(settingsFile, nil, nil)
	if list.HasErrors() {
		t.Fatal(list)
	}
	settings.Data = dataDir
	past, closePast, err := daemon.OpenPast(&settings.Settings, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := closePast(); err != nil {
			t.Error(err)
		}
	}()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if extent, err := past.Extent(ctx, site); err != nil || !extent.Whole() {
		t.Fatalf("the journal holds %+v: %v", extent, err)
	}
	out := &replayed{readings: make(map[string]int)}
	err = past.Replay(ctx, daemon.Stretch{Site: site}, func(at *daemon.Judged) error {
		rec := at.Record
		for i := range rec.Messages {
			m := &rec.Messages[i]
			device, number := deviceOf.FindStringSubmatch(m.Topic), seqOf.FindSubmatch(m.Payload)
			if device == nil || number == nil {
				t.Fatalf("record %d holds a message of nobody: %s %s", rec.Seq, m.Topic, m.Payload)
			}
			n, _ := strconv.Atoi(string(number[1]))
			a := arrival{device[1], n}
			out.journaled = append(out.journaled, a)
			if !m.Redelivered {
				out.decoded = append(out.decoded, a)
			}
		}
		for i := range at.Readings {
			p := at.Readings[i].Point
			out.readings[p.Device.Class+" "+p.Name]++
		}
		out.transitions = append(out.transitions, slices.Clone(at.Steps)...)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// perDevice gives the numbers of each device in the order of arrival.
func perDevice(all []arrival) map[string][]int {
	m := make(map[string][]int)
	for _, a := range all {
		m[a.device] = append(m[a.device], a.seq)
	}
	return m
}

// episodes folds the transitions into what the API must tell.
func (r *replayed) episodes() []episode {
	byID := make(map[string]*episode)
	for i := range r.transitions {
		tr := &r.transitions[i]
		id := tr.Episode.String()
		e := byID[id]
		if e == nil {
			e = &episode{ID: id, Asset: tr.Episode.Asset, FaultClass: tr.Episode.FaultClass, ActiveAt: time.Unix(0, tr.At).UTC()}
			byID[id] = e
		}
		e.Phase, e.Severity, e.Rule, e.Onset = tr.Phase.String(), tr.Severity.String(), tr.Rule, time.Unix(0, tr.Onset).UTC()
		if tr.Phase == rules.Cleared {
			e.ClearedAt = time.Unix(0, tr.At).UTC()
		}
	}
	var out []episode
	for _, e := range byID {
		out = append(out, *e)
	}
	slices.SortFunc(out, func(a, b episode) int { return strings.Compare(a.ID, b.ID) })
	return out
}
