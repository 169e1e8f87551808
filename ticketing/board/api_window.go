package board

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/facilityd/facilityd/devices"
	"github.com/facilityd/facilityd/rules"
	"github.com/facilityd/facilityd/ticketing"
)

// Window is a maintenance window, or the visit of a technician.
type Window struct {
	Site       string        `json:"site"`
	ID         string        `json:"id"`
	Asset      string        `json:"asset" doc:"With all that it contains"`
	AssetName  devices.Label `json:"asset_name"`
	FaultClass string        `json:"fault_class,omitempty" doc:"Absent: all but those that only a person may clear"`
	From       time.Time     `json:"from"`
	Until      time.Time     `json:"until"`
	State      string        `json:"state" enum:"planned,open,over"`
	Visit      bool          `json:"visit,omitempty" doc:"A technician checked in by an order"`
	By         string        `json:"by"`
	Reason     string        `json:"reason,omitempty"`
}

func (b *Board) windows(site string) []Window {
	out := []Window{}
	now, info := b.cfg.Now(), b.sites()
	for _, s := range info.order {
		if site != "" && site != s.ID {
			continue
		}
		for _, w := range b.cfg.Live.Windows(s.ID) {
			v := Window{
				Site: s.ID, ID: w.ID, Asset: w.Asset, AssetName: info.assetName(s.ID, w.Asset), FaultClass: w.FaultClass,
				From: timeOf(w.From), Until: timeOf(w.Until), State: "open", Visit: w.Visit, By: w.By, Reason: w.Reason,
			}
			switch {
			case !v.Until.After(now):
				v.State = "over"
			case v.From.After(now):
				v.State = "planned"
			}
			out = append(out, v)
		}
	}
	rank := []string{"open", "planned", "over"}
	slices.SortStableFunc(out, func(a, b Window) int {
		if n := slices.Index(rank, a.State) - slices.Index(rank, b.State); n != 0 {
			return n
		}
		return a.Until.Compare(b.Until)
	})
	return out
}

func (b *Board) apiWindows(_ context.Context, in *SiteInput) (*output[List[Window]], error) {
	return &output[List[Window]]{List[Window]{Items: b.windows(in.Site)}}, nil
}

type addWindowInput struct {
	Key  string `header:"Idempotency-Key" required:"true" minLength:"1" maxLength:"200" doc:"Chosen by you, one per window: a retry under the same key changes nothing"`
	Body struct {
		Site       string    `json:"site,omitempty" doc:"May be left out when the asset makes it clear"`
		Asset      string    `json:"asset" minLength:"1" doc:"With all that it contains"`
		FaultClass string    `json:"fault_class,omitempty" doc:"One fault class; absent: all but those that only a person may clear, which have to be named"`
		From       time.Time `json:"from,omitzero" required:"false" doc:"Now when absent"`
		Until      time.Time `json:"until"`
		Reason     string    `json:"reason" minLength:"1" maxLength:"4000"`
	}
}

func (b *Board) apiAddWindow(ctx context.Context, in *addWindowInput) (*output[Window], error) {
	w := ticketing.Window{Asset: in.Body.Asset, FaultClass: in.Body.FaultClass, From: in.Body.From, Until: in.Body.Until, Reason: in.Body.Reason, Key: in.Key}
	site, f, err := b.addWindow(ctx, in.Body.Site, w)
	if err != nil {
		return nil, b.apiError(err)
	}
	return &output[Window]{Window{
		Site: site, ID: f.ID, Asset: f.Asset, AssetName: b.sites().assetName(site, f.Asset), FaultClass: f.FaultClass, From: f.From, Until: f.Until,
		State: map[bool]string{true: "planned", false: "open"}[f.From.After(b.cfg.Now())], By: f.By, Reason: f.Note,
	}}, nil
}

// addWindow makes a window of the person of the request.
func (b *Board) addWindow(ctx context.Context, site string, w ticketing.Window) (string, devices.Fact, error) {
	p := personOf(ctx)
	if p == nil {
		return "", devices.Fact{}, errNoPerson
	}
	w.By = p.ID
	f, err := w.Fact(b.cfg.Now())
	if err != nil {
		return "", f, err
	}
	if site, err = b.siteOfAsset(site, w.Asset); err != nil {
		return "", f, err
	}
	open := 0
	for _, x := range b.windows(site) {
		if x.State != "over" {
			open++
		}
	}
	if open >= rules.MaxWindows {
		return "", f, &ticketing.InvalidError{Field: "asset", Code: "window_many", Message: fmt.Sprintf("the site has %d windows that are not over", open)}
	}
	return site, f, b.cfg.Live.Tell(ctx, site, f)
}

// siteOfAsset finds the site of an asset that is configured or has been heard of.
func (b *Board) siteOfAsset(site, asset string) (string, error) {
	info := b.sites()
	for _, s := range info.order {
		if site != "" && site != s.ID {
			continue
		}
		if info.assets[s.ID+"/"+asset] != nil || slices.ContainsFunc(b.cfg.Live.Devices(s.ID), func(d Device) bool { return d.Asset == asset }) {
			return s.ID, nil
		}
	}
	return "", fmt.Errorf("no asset %q (%s): %w", asset, b.nearest(info, site, asset), ticketing.ErrNotFound)
}

type windowInput struct {
	ID string `path:"id" doc:"Of the window"`
}

func (b *Board) apiEndWindow(ctx context.Context, in *windowInput) (*struct{}, error) {
	if err := b.endWindow(ctx, in.ID); err != nil {
		return nil, b.apiError(err)
	}
	return nil, nil
}

func (b *Board) endWindow(ctx context.Context, id string) error {
	p := personOf(ctx)
	if p == nil {
		return errNoPerson
	}
	for _, s := range b.cfg.Live.Sites() {
		for _, w := range b.cfg.Live.Windows(s.ID) {
			if w.ID == id {
				return b.cfg.Live.Tell(ctx, s.ID, ticketing.EndWindow(&w, p.ID, b.cfg.Now()))
			}
		}
	}
	return fmt.Errorf("no window %q is open or planned: %w", id, ticketing.ErrNotFound)
}

// Suppressed is what would have been opened and was not.
type Suppressed struct {
	Site       string        `json:"site"`
	Asset      string        `json:"asset"`
	AssetName  devices.Label `json:"asset_name"`
	Device     string        `json:"device"`
	Rule       string        `json:"rule"`
	FaultClass string        `json:"fault_class"`
	Title      devices.Label `json:"title" doc:"The fault in words"`
	Severity   string        `json:"severity"`
	Why        string        `json:"why" enum:"window,visit,shelved,signal,shadow"`
	Source     string        `json:"source,omitempty" doc:"Id of the window, or of the mute in the rule files"`
	By         string        `json:"by,omitempty"`
	Onset      time.Time     `json:"onset" doc:"When the condition began to hold"`
	From       time.Time     `json:"from" doc:"When it would have opened"`
	Until      time.Time     `json:"until,omitzero" doc:"When it is looked at again; absent when the asset itself decides, or the rule is in shadow"`
	End        time.Time     `json:"end,omitzero" doc:"When that was over"`
	Outcome    string        `json:"outcome" enum:"suppressed,opened,over" doc:"Still so; opened when it was looked at again; over before that"`
}

// SuppressedCount counts beyond what the list keeps.
type SuppressedCount struct {
	Site  string    `json:"site"`
	Asset string    `json:"asset"`
	Rule  string    `json:"rule"`
	Why   string    `json:"why" enum:"window,visit,shelved,signal,shadow"`
	Times uint64    `json:"times" doc:"How often it would have opened"`
	Since time.Time `json:"since" doc:"When it first would have"`
}

// SuppressedList is what was suppressed, the newest first, and how often.
type SuppressedList struct {
	Items  []Suppressed      `json:"items" doc:"The newest 32 of each asset"`
	Counts []SuppressedCount `json:"counts" doc:"All that there were"`
}

type suppressedInput struct {
	SiteInput
	Asset string `query:"asset"`
	Rule  string `query:"rule"`
	Why   string `query:"why" enum:"window,visit,shelved,signal,shadow"`
}

func (b *Board) apiSuppressed(_ context.Context, in *suppressedInput) (*output[SuppressedList], error) {
	return &output[SuppressedList]{b.suppressed(in)}, nil
}

func (b *Board) suppressed(in *suppressedInput) SuppressedList {
	out := SuppressedList{Items: []Suppressed{}, Counts: []SuppressedCount{}}
	info := b.sites()
	wanted := func(asset, rule string, why rules.Why) bool {
		return (in.Asset == "" || in.Asset == asset) && (in.Rule == "" || in.Rule == rule) && (in.Why == "" || in.Why == why.String())
	}
	for _, s := range info.order {
		if in.Site != "" && in.Site != s.ID {
			continue
		}
		list, counts := b.cfg.Live.Suppressed(s.ID)
		for _, x := range list {
			if wanted(x.Asset, x.Rule, x.Why) {
				out.Items = append(out.Items, Suppressed{
					Site: s.ID, Asset: x.Asset, AssetName: info.assetName(s.ID, x.Asset), Device: x.Device, Rule: x.Rule, FaultClass: x.FaultClass,
					Title: faultTitle(x.FaultClass), Severity: x.Severity.String(), Why: x.Why.String(), Source: x.Source, By: x.By,
					Onset: timeOf(x.Onset), From: timeOf(x.From), Until: timeOf(x.Until), End: timeOf(x.End), Outcome: x.Outcome.String(),
				})
			}
		}
		for _, c := range counts {
			if wanted(c.Asset, c.Rule, c.Why) {
				out.Counts = append(out.Counts, SuppressedCount{s.ID, c.Asset, c.Rule, c.Why.String(), c.N, timeOf(c.From)})
			}
		}
	}
	return out
}
