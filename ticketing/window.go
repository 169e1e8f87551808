package ticketing

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/facilityd/facilityd/devices"
	"github.com/facilityd/facilityd/rules"
)

// A Window is what a person asks for when work is planned on an asset: nothing new
// is opened on it, and on what it contains, from From to Until. What would have been
// is listed, and looked at again at the end.
type Window struct {
	Asset      string
	FaultClass string // "" = all but those that only a person may clear
	From       time.Time
	Until      time.Time
	Reason     string
	By         string // person id
	Key        string // idempotency key chosen by the sender
}

// windowAhead is how far ahead a window may be planned (own judgement: a yearly
// plan).
const windowAhead = 366 * 24 * time.Hour

// Fact is the window as rules take it, or an [*InvalidError]. From zero is now.
func (w *Window) Fact(now time.Time) (devices.Fact, error) {
	from := w.From
	if from.IsZero() {
		from = now
	}
	var bad *InvalidError
	switch {
	case w.Key == "":
		bad = &InvalidError{"idempotency_key", "key", "give an idempotency key, so that a retry changes nothing"}
	case w.By == "":
		bad = &InvalidError{"by", "person_needed", "a command needs a person"}
	case w.Asset == "":
		bad = &InvalidError{"asset", "window_asset", "name the asset that is worked on"}
	case w.FaultClass != "" && rules.FaultClassByID(w.FaultClass) == nil:
		bad = &InvalidError{"fault_class", "window_class", fmt.Sprintf("there is no fault class %q", w.FaultClass)}
	case strings.TrimSpace(w.Reason) == "":
		bad = &InvalidError{"reason", "window_reason", "say why: whoever looks for a missing order reads it"}
	case len(w.Reason) > maxText:
		bad = &InvalidError{"reason", "text_long", fmt.Sprintf("use at most %d characters", maxText)}
	case w.Until.IsZero(), !w.Until.After(from):
		bad = &InvalidError{"until", "window_order", "a window ends after it begins"}
	case !w.Until.After(now):
		bad = &InvalidError{"until", "until_past", "the time lies in the past"}
	case w.Until.Sub(from) > rules.MaxWindow:
		bad = &InvalidError{"until", "window_long", fmt.Sprintf("a window lasts at most %d days; make another one when the job takes longer", rules.MaxWindow/(24*time.Hour))}
	case from.After(now.Add(windowAhead)):
		bad = &InvalidError{"from", "window_ahead", "a window begins within a year"}
	}
	if bad != nil {
		return devices.Fact{}, bad
	}
	return devices.Fact{
		ID: factID("window", w.By, w.Key), Kind: devices.FactWindow, Asset: w.Asset, FaultClass: w.FaultClass,
		By: w.By, At: now, From: from.UTC(), Until: w.Until.UTC(), Note: strings.TrimSpace(w.Reason),
	}, nil
}

// EndWindow ends a window, or the visit of a technician that nobody ended, before
// its time.
func EndWindow(w *rules.WindowView, by string, now time.Time) devices.Fact {
	if w.Visit {
		return devices.Fact{ID: w.ID + "/out", Kind: devices.FactCheckedOut, Asset: w.Asset, By: w.By, At: now, Note: by}
	}
	return devices.Fact{ID: w.ID + "/end", Kind: devices.FactWindowEnded, Window: w.ID, Asset: w.Asset, By: by, At: now}
}

// Replacement is a person's word that a device took over from another on an asset.
func Replacement(asset, device, replaces, by, key string, now time.Time) devices.Fact {
	return devices.Fact{
		ID: factID("replace", by, key), Kind: devices.FactReplaced, Asset: asset, Device: device, Replaces: replaces, By: by, At: now,
	}
}

// factID makes the id of a fact from the key of a person's command; keys of two
// persons never meet. It can stand in an address.
func factID(what, by, key string) string {
	sum := sha256.Sum256([]byte(by + "\x00" + key))
	return what + "-" + hex.EncodeToString(sum[:10])
}
