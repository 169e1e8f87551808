package board

import (
	"time"

	"github.com/facilityd/facilityd/devices"
	"github.com/facilityd/facilityd/rules"
)

// A Moment is what the rules of an asset knew at a time.
type Moment struct {
	At    time.Time // journal time of the last record that they had seen
	Rules []rules.Explanation
	// From is where the journal that was replayed begins, zero for a moment that
	// was not. Unless it is Whole, what rules had learnt before is not in it.
	From  time.Time
	Whole bool
}

// Explained is why rules fired on an asset, or why not yet.
type Explained struct {
	Site      string        `json:"site"`
	Asset     string        `json:"asset"`
	AssetName devices.Label `json:"asset_name"`
	Device    string        `json:"device,omitempty" doc:"When a device was asked for: the rules that look at it"`
	WorkOrder string        `json:"work_order,omitempty" doc:"When an order was asked for: the rules of its fault class"`
	TimeZone  string        `json:"time_zone" doc:"Of the site: the sentences tell times in it"`
	At        time.Time     `json:"at" doc:"Journal time of the last record that the rules had seen"`
	Past      bool          `json:"past" doc:"Replayed from the journal"`
	// Begins is set when the journal no longer holds the beginning.
	Begins time.Time     `json:"begins,omitzero" doc:"Set when retention dropped the beginning of the journal: rules that learn over long times know less here than they did then"`
	Rules  []Explanation `json:"rules"`
}

// Explanation is how one rule stands on an asset, as seen from one device.
type Explanation struct {
	Rule       string        `json:"rule"`
	Title      devices.Label `json:"title"`
	FaultClass string        `json:"fault_class"`
	Shadow     bool          `json:"shadow,omitempty" doc:"It runs and is shown, and has no effect outside"`
	Device     string        `json:"device,omitempty"`
	Lane       int           `json:"lane,omitempty" doc:"Of several points of one role on the device"`
	State      rules.State   `json:"state" enum:"off,closed,starting,blind,quiet,pending,muted,spent,active,no_data,clearing,by_hand,attributed"`
	Text       devices.Label `json:"text" doc:"One sentence: why it fired, or why not yet"`

	Off          rules.OffReason      `json:"off,omitempty" doc:"disabled, class, roles, facts or no_interval"`
	MissingRoles []string             `json:"missing_roles,omitempty"`
	MissingFacts []string             `json:"missing_facts,omitempty" doc:"Facts of the asset that somebody has to give"`
	OnlyWhile    *OnlyWhile           `json:"only_while,omitempty"`
	Thresholds   []Threshold          `json:"thresholds,omitempty" doc:"The worst severity first"`
	Inputs       []ExplainedInput     `json:"inputs,omitempty"`
	Limits       []rules.LimitInForce `json:"limits,omitempty"`
	Facts        []ExplainedFact      `json:"facts,omitempty" doc:"Facts of the asset that it is measured with"`
	Mute         *Mute                `json:"mute,omitempty" doc:"What keeps it from opening anything"`
	Episode      *OpenEpisode         `json:"episode,omitempty" doc:"The open episode of the fault class on the asset"`
	Source       string               `json:"source,omitempty"`
	Version      string               `json:"version"`
}

// OnlyWhile is when the rule looks at all.
type OnlyWhile struct {
	Condition string  `json:"condition"`
	Value     string  `json:"value" enum:"true,false,unknown"`
	Parts     []Part  `json:"parts"`
	After     float64 `json:"after_seconds" doc:"How long it must have been true"`
	Remaining float64 `json:"remaining_seconds" doc:"What is left of that"`
}

// Threshold is where one severity of a rule stands.
type Threshold struct {
	Severity   string    `json:"severity" enum:"critical,high,medium,low"`
	Phase      string    `json:"phase,omitempty" doc:"pending, active or active_without_data; absent when nothing is going on"`
	Condition  string    `json:"condition"`
	Value      string    `json:"value" enum:"true,false,unknown"`
	Parts      []Part    `json:"parts"`
	Onset      time.Time `json:"onset,omitzero"`
	For        float64   `json:"for_seconds"`
	Clear      string    `json:"clear,omitempty" doc:"What ends it; absent when the condition being false does"`
	ClearValue string    `json:"clear_value" enum:"true,false,unknown"`
	ClearParts []Part    `json:"clear_parts,omitempty"`
	ClearFor   float64   `json:"clear_for_seconds"`
	Clearing   bool      `json:"clearing"`
	Muted      bool      `json:"muted"`
	Remaining  float64   `json:"remaining_seconds" doc:"Until it opens, while pending; until it closes, while clearing"`
}

// Part is a piece of a condition.
type Part struct {
	Text  string `json:"text"`
	Value string `json:"value" enum:"true,false,unknown"`
	Or    bool   `json:"or,omitempty" doc:"Joined by or to the one before; by and without it"`
	Depth int    `json:"depth,omitempty" doc:"Brackets around it"`
	Sides []Side `json:"sides,omitempty" doc:"The values that it compares"`
}

// Side is one value that a comparison looks at.
type Side struct {
	Text  string   `json:"text"`
	Value *float64 `json:"value,omitempty" doc:"Absent when it is not known, or a word"`
	Unit  string   `json:"unit,omitempty"`
	Word  string   `json:"word,omitempty"`
}

// ExplainedInput is a point that a rule looks at.
type ExplainedInput struct {
	Device  string    `json:"device"`
	Point   string    `json:"point"`
	Role    string    `json:"role"`
	Kind    string    `json:"kind" enum:"gauge,counter,state,event,text,availability"`
	Unit    string    `json:"unit,omitempty"`
	Value   *float64  `json:"value,omitempty"`
	Text    string    `json:"text,omitempty"`
	Quality string    `json:"quality" enum:"good,uncertain,bad"`
	Time    time.Time `json:"time,omitzero" doc:"Of its newest reading; absent when there is none"`
	Age     float64   `json:"age_seconds"`
	Usable  bool      `json:"usable" doc:"Rules may use it"`
	Stale   bool      `json:"stale,omitempty" doc:"Nothing has come for longer than a value of the device holds"`
	Lost    bool      `json:"lost,omitempty" doc:"The device went offline since"`
}

// ExplainedFact is a fact of the asset.
type ExplainedFact struct {
	Name  string  `json:"name"`
	Value float64 `json:"value,omitempty"`
	Unit  string  `json:"unit,omitempty"`
	Word  string  `json:"word,omitempty"`
}

// Mute is what keeps a rule from opening an episode.
type Mute struct {
	Why   string        `json:"why" enum:"window,visit,shelved,signal"`
	ID    string        `json:"id,omitempty" doc:"Of the window, or of the mute in the rule files"`
	Title devices.Label `json:"title,omitzero"`
	By    string        `json:"by,omitempty"`
	Until time.Time     `json:"until,omitzero" doc:"Absent: as long as the asset says so itself"`
}

// OpenEpisode is an episode that is open.
type OpenEpisode struct {
	ID       string    `json:"id"`
	Phase    string    `json:"phase"`
	Severity string    `json:"severity"`
	Onset    time.Time `json:"onset"`
	Under    string    `json:"under,omitempty" doc:"The episode that explains it"`
}

func (b *Board) viewExplanation(site string, at time.Time, x *rules.Explanation) Explanation {
	out := Explanation{
		Rule: x.Rule, Title: x.Title, FaultClass: x.FaultClass, Shadow: x.Shadow, Device: x.Device, Lane: x.Lane, State: x.State,
		Text: b.explainText(site, at, x), Off: x.Off, MissingRoles: x.Missing, MissingFacts: x.ToGive, Limits: x.Limits, Source: x.Source, Version: x.Version,
	}
	if x.OnlyWhile != "" {
		out.OnlyWhile = &OnlyWhile{x.OnlyWhile, x.Open.String(), viewParts(x.OnlyWhileParts), x.After.Seconds(), x.Startup.Seconds()}
	}
	for _, t := range x.Thresholds {
		v := Threshold{
			Severity: t.Severity.String(), Condition: t.Condition, Value: t.Value.String(), Parts: viewParts(t.Parts), Onset: timeOf(t.Onset), For: t.For.Seconds(),
			Clear: t.Clear, ClearValue: t.ClearValue.String(), ClearParts: viewParts(t.ClearParts), ClearFor: t.ClearFor.Seconds(), Clearing: t.Clearing,
			Muted: t.Muted, Remaining: t.Remaining.Seconds(),
		}
		if t.Phase != 0 {
			v.Phase = t.Phase.String()
		}
		out.Thresholds = append(out.Thresholds, v)
	}
	for _, in := range x.Inputs {
		v := ExplainedInput{
			Device: in.Device, Point: in.Point, Role: in.Role, Kind: in.Kind.String(), Unit: in.Unit, Text: in.Text, Quality: in.Quality.String(), Time: timeOf(in.Time),
			Age: in.Age.Seconds(), Usable: in.Usable, Stale: in.Stale, Lost: in.Lost,
		}
		if words := in.Kind == devices.Text || in.Kind == devices.Event || in.Kind == devices.Availability; !words && in.Time != 0 && in.Quality != devices.Bad {
			v.Value = &in.Value
		}
		out.Inputs = append(out.Inputs, v)
	}
	for _, f := range x.Facts {
		out.Facts = append(out.Facts, ExplainedFact(f))
	}
	if m := x.Mute; m != nil {
		out.Mute = &Mute{m.Why.String(), m.ID, m.Title, m.By, timeOf(m.Until)}
	}
	if e := x.Episode; e != nil {
		out.Episode = &OpenEpisode{ID: e.ID.String(), Phase: e.Phase.String(), Severity: e.Severity.String(), Onset: timeOf(e.Onset)}
		if e.Under != (rules.EpisodeID{}) {
			out.Episode.Under = e.Under.String()
		}
	}
	return out
}

func viewParts(list []rules.PartView) []Part {
	out := make([]Part, len(list))
	for i, p := range list {
		out[i] = Part{Text: p.Text, Value: p.Value.String(), Or: p.Or, Depth: p.Depth}
		for _, s := range p.Sides {
			x := Side{Text: s.Text, Unit: s.Unit, Word: s.Word}
			if s.Known && s.Word == "" {
				x.Value = &s.Value
			}
			out[i].Sides = append(out[i].Sides, x)
		}
	}
	return out
}

// timeOf is a time of the rules, zero for none.
func timeOf(nanos int64) time.Time {
	if nanos == 0 {
		return time.Time{}
	}
	return time.Unix(0, nanos).UTC()
}
