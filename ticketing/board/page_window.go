package board

import (
	"cmp"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/facilityd/facilityd/devices"
	"github.com/facilityd/facilityd/rules"
	"github.com/facilityd/facilityd/ticketing"
)

// windowData is what the page of maintenance windows shows.
type windowData struct {
	Windows []Window
	Held    []Suppressed // newest first
	Shadow  []Suppressed
	Counts  []SuppressedCount // of rules in shadow
	Assets  []Asset
	Faults  []string
	Hours   []int
	Form    ticketing.Window // what was refused
	From    string           // as it was typed
	For     int              // hours
	Refused string
}

// windowHours are the lengths that the form offers.
var windowHours = []int{1, 2, 4, 8, 12, 24, 3 * 24, 7 * 24, 14 * 24, 31 * 24}

const (
	heldOnPage   = 100
	assetsOnPage = 2000 // that the form suggests; any other may be typed
)

func (b *Board) windowPage(w http.ResponseWriter, r *http.Request) {
	b.showWindows(w, r, http.StatusOK, &windowData{For: 4})
}

func (b *Board) showWindows(w http.ResponseWriter, r *http.Request, status int, d *windowData) {
	d.Windows, d.Hours = b.windows(""), windowHours
	all := b.suppressed(&suppressedInput{})
	for _, x := range all.Items {
		switch shadow := x.Why == rules.ByShadow.String(); {
		case shadow && len(d.Shadow) < heldOnPage:
			d.Shadow = append(d.Shadow, x)
		case !shadow && len(d.Held) < heldOnPage:
			d.Held = append(d.Held, x)
		}
	}
	d.Counts = slices.DeleteFunc(all.Counts, func(c SuppressedCount) bool { return c.Why != rules.ByShadow.String() })
	d.Assets = b.knownAssets()
	for i := range rules.FaultClasses {
		d.Faults = append(d.Faults, rules.FaultClasses[i].ID)
	}
	b.pages.render(w, r, status, "window", d)
}

// knownAssets are those of the site files, and those that stand for a device.
func (b *Board) knownAssets() []Asset {
	var out []Asset
	info := b.sites()
	for _, s := range info.order {
		for i := range s.Assets {
			out = append(out, viewAsset(s.ID, &s.Assets[i]))
		}
		for _, d := range b.cfg.Live.Devices(s.ID) {
			if info.assets[s.ID+"/"+d.Asset] == nil {
				out = append(out, Asset{Site: s.ID, ID: d.Asset, Name: devices.Label{EN: d.Asset}})
			}
		}
	}
	slices.SortFunc(out, func(a, b Asset) int { return cmp.Compare(a.ID, b.ID) })
	out = slices.CompactFunc(out, func(a, b Asset) bool { return a.ID == b.ID })
	return out[:min(len(out), assetsOnPage)]
}

func (b *Board) windowForm(w http.ResponseWriter, r *http.Request) {
	d := &windowData{From: r.PostFormValue("from"), Form: ticketing.Window{
		Asset: r.PostFormValue("asset"), FaultClass: r.PostFormValue("fault_class"), Reason: r.PostFormValue("reason"), Key: r.PostFormValue("key"),
	}}
	d.For, _ = strconv.Atoi(r.PostFormValue("hours")) // 0 is refused
	site, err := b.siteOfAsset("", d.Form.Asset)
	if err == nil {
		d.Form.From, _ = b.siteTime(site, d.From)
		begin := d.Form.From
		if begin.IsZero() {
			begin = b.cfg.Now()
		}
		d.Form.Until = begin.Add(time.Duration(d.For) * time.Hour)
		_, _, err = b.addWindow(r.Context(), site, d.Form)
	}
	b.afterWindow(w, r, d, err)
}

func (b *Board) endWindowForm(w http.ResponseWriter, r *http.Request) {
	b.afterWindow(w, r, &windowData{For: 4}, b.endWindow(r.Context(), r.PathValue("id")))
}

// afterWindow shows the page again, with what was wrong.
func (b *Board) afterWindow(w http.ResponseWriter, r *http.Request, d *windowData, err error) {
	var invalid *ticketing.InvalidError
	status := http.StatusUnprocessableEntity
	switch {
	case err == nil:
		http.Redirect(w, r, "/windows", http.StatusSeeOther)
		return
	case errors.As(err, &invalid):
		d.Refused = "invalid." + invalid.Code
	case errors.Is(err, errNoPerson):
		status, d.Refused = http.StatusForbidden, "order.sign_in_to_act"
	case errors.Is(err, ticketing.ErrNotFound):
		status, d.Refused = http.StatusNotFound, "invalid.window_asset"
	default:
		b.pageError(w, r, err)
		return
	}
	b.showWindows(w, r, status, d)
}
