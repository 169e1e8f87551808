package people

import (
	"fmt"
	"slices"

	"github.com/facilityd/facilityd/configs/diag"
	"github.com/facilityd/facilityd/configs/diag/document"
	"github.com/facilityd/facilityd/ticketing"
	"github.com/facilityd/facilityd/ticketing/notify"
	"github.com/facilityd/facilityd/ticketing/outbox"
)

// subscriptionEntry is another system that hears of orders.
type subscriptionEntry struct {
	Pos     document.Pos
	Name    string   `yaml:"name"`
	Channel string   `yaml:"channel"`
	Sites   []string `yaml:"sites"`
	Tiers   []string `yaml:"tiers"`
	On      []string `yaml:"on"`
}

func (r *reader) subscription(e *subscriptionEntry, i int) {
	at := func(path string, index ...any) document.Pos {
		return r.at(e.Pos, "subscriptions[%d]."+path, append([]any{i}, index...)...)
	}
	r.named(at("name"), "subscription", e.Name, func(name string) bool {
		return slices.ContainsFunc(r.people.Subscriptions, func(s outbox.Subscription) bool { return s.Name == name })
	})
	s := outbox.Subscription{Name: e.Name, Channel: e.Channel, Sites: e.Sites}
	var webhooks []string
	for _, c := range r.people.Channels {
		if c.Type == "webhook" {
			webhooks = append(webhooks, c.Name)
		}
	}
	if !slices.Contains(webhooks, e.Channel) {
		hint := diag.DidYouMean(e.Channel, webhooks)
		if slices.ContainsFunc(r.people.Channels, func(c notify.Config) bool { return c.Name == e.Channel }) {
			hint = "orders as data go to a channel of type webhook"
		}
		r.bad(at("channel"), fmt.Sprintf("subscription %s uses channel %q, which is no webhook here", e.Name, e.Channel), hint)
	}
	for j, id := range e.Sites {
		r.site(id, at("sites[%d]", j))
	}
	for j, name := range e.Tiers {
		tier, err := ticketing.ParseTier(name)
		if err != nil {
			r.bad(at("tiers[%d]", j), err.Error(), "")
		}
		s.Tiers = append(s.Tiers, tier)
	}
	for j, name := range e.On {
		c := outbox.Change(name)
		if !slices.Contains(outbox.Changes, c) {
			words := make([]string, len(outbox.Changes))
			for k, c := range outbox.Changes {
				words[k] = string(c)
			}
			r.bad(at("on[%d]", j), fmt.Sprintf("%q is no change of an order", name), diag.DidYouMean(name, words))
		}
		s.On = append(s.On, c)
	}
	r.people.Subscriptions = append(r.people.Subscriptions, s)
}
