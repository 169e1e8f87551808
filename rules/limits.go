package rules

import (
	"fmt"
	"slices"
	"strings"

	"github.com/facilityd/facilityd/configs/diag"
	"github.com/facilityd/facilityd/devices"
)

// Limits are layered: the rule's own value, then the site's, then the asset's.

// A Layer says who set a limit.
type Layer string

// The layers, weakest first.
const (
	LayerRule  Layer = "rule"
	LayerSite  Layer = "site"
	LayerAsset Layer = "asset"
)

// LimitInForce is a limit as it holds for a rule on an asset.
type LimitInForce struct {
	Name   string  `json:"name"`
	Value  float64 `json:"value"` // in Unit
	Unit   string  `json:"unit,omitempty"`
	Layer  Layer   `json:"layer"`
	Source Source  `json:"source"`
	By     string  `json:"by,omitempty"` // who set it, and on which day
	At     string  `json:"at,omitempty"`
	// Rule is the rule's own value, which it replaces; the same on LayerRule.
	Rule float64 `json:"rule"`
}

// Limit finds a limit of the rule by its name, nil when there is none.
func (r *Rule) Limit(name string) *Limit {
	if k := slices.IndexFunc(r.Limits, func(l Limit) bool { return l.Name == name }); k >= 0 {
		return &r.Limits[k]
	}
	return nil
}

// String returns name, value and unit.
func (l *Limit) String() string { return l.Name + " = " + WithUnit(l.Value, l.Unit) }

// Take brings a number that was set for the limit to its unit; ok is false when
// it measures something else, or leaves out its unit: 75 may be °C or °F.
func (l *Limit) Take(x devices.Limit) (v float64, ok bool) { return toUnit(x.Value, x.Unit, l.Unit) }

// limitsOn returns the limits of the rule as they hold under layers, the site's
// first. What does not fit was reported when the configuration was checked.
func (r *Rule) limitsOn(layers ...devices.Limits) []LimitInForce {
	if len(r.Limits) == 0 {
		return nil
	}
	out := make([]LimitInForce, len(r.Limits))
	for k := range r.Limits {
		l := &r.Limits[k]
		out[k] = LimitInForce{Name: l.Name, Value: l.Value, Unit: l.Unit, Layer: LayerRule, Source: l.Source, Rule: l.Value}
		for n, layer := range layers {
			x, set := layer[r.ID][l.Name]
			if !set {
				continue
			}
			if v, ok := l.Take(x); ok {
				out[k] = LimitInForce{Name: l.Name, Value: v, Unit: l.Unit, Layer: []Layer{LayerSite, LayerAsset}[n],
					Source: Source{Text: x.Source, Mark: x.Mark}, By: x.By, At: x.At.String(), Rule: l.Value}
			}
		}
	}
	return out
}

// String says the value, who set it and why, and what it replaces.
func (l LimitInForce) String() string {
	s := l.Name + " = " + WithUnit(l.Value, l.Unit)
	if l.Layer == LayerRule {
		return s + sourceSuffix(l.Source)
	}
	said := slices.DeleteFunc([]string{l.Source.String(), l.By, l.At}, func(part string) bool { return part == "" })
	origin := string(l.Layer)
	if len(said) > 0 {
		origin += ": " + strings.Join(said, ", ")
	}
	return s + " [" + origin + "; rule: " + WithUnit(l.Rule, l.Unit) + "]"
}

// WithUnit writes a number with its unit, three decimals at most.
func WithUnit(v float64, unit string) string { return formatNumber(v) + unitSuffix(unit) }

// TryLimits tells when the rule cannot mean what it says with the limits of the
// layers, the site's first: a threshold that can never start, or would end while
// it starts. The findings have no place; the one who set the limits knows it.
func (r *Rule) TryLimits(layers ...devices.Limits) diag.List {
	var list diag.List
	var values []float64
	var said []string
	for _, l := range r.limitsOn(layers...) {
		values, said = append(values, l.Value), append(said, l.Name+" = "+WithUnit(l.Value, l.Unit))
	}
	tryOut(r, values, func(_ *Condition, level diag.Level, hint, format string, args ...any) {
		list.Add(diag.Diagnostic{Level: level, Hint: hint,
			Message: "rule " + r.ID + " with " + strings.Join(said, ", ") + ": " + fmt.Sprintf(format, args...)})
	})
	return list
}

// IDs lists the ids of the rules in order.
func (s *Set) IDs() []string {
	ids := make([]string, len(s.Rules))
	for k, r := range s.Rules {
		ids[k] = r.ID
	}
	return ids
}
