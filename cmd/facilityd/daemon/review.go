package daemon

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/facilityd/facilityd/configs"
	"github.com/facilityd/facilityd/configs/templates"
	"github.com/facilityd/facilityd/rules"
	"github.com/facilityd/facilityd/ticketing"
	"github.com/facilityd/facilityd/ticketing/calendar"
	"github.com/facilityd/facilityd/ticketing/store"
)

const (
	// warranty is how long after its end an order is opened again when the same
	// fault comes back to the same asset, signOff how long the work on a confirmed
	// order may be refused (both own judgement).
	warranty = 7 * 24 * time.Hour
	signOff  = 24 * time.Hour
	// reviewEvery is how soon a confirmed repair is seen.
	reviewEvery = 5 * time.Second
	// freshFor is how old the newest message of a device may be at least before
	// nothing is known of it; three of its own intervals when those are longer.
	freshFor = 5 * time.Minute
)

func (d *Daemon) loadTemplates() error {
	set, list := templates.Shipped()
	d.templates = set
	return list.Err()
}

func (d *Daemon) template(faultClass string) *ticketing.Template { return d.templates[faultClass] }

// policy is how long the orders of a site may take, by the configuration in force.
func (d *Daemon) policy(site string) *ticketing.Policy {
	if b := d.configs.current(site); b != nil {
		return b.SLA
	}
	p := ticketing.DefaultPolicy() // of a site that is configured no more
	return &p
}

// calendar is when the people of a site work, by the configuration in force.
func (d *Daemon) calendar(site string) *calendar.Calendar {
	if b := d.configs.current(site); b != nil {
		return b.Calendar
	}
	return calendar.Always()
}

// reviewOrders lets time pass over the orders of a site that are done: telemetry
// confirms the repair, or it does not.
func (d *Daemon) reviewOrders(ctx context.Context, c *chain) error {
	var counted *configs.Bundle // by which the deadlines were counted last
	for {
		counted = d.warnOfDeadlines(ctx, c, counted)
		_, err := d.orders.Review(ctx, c.site, c.keeper.epoch, d.Now(), store.Reviewer{
			Template: d.template, SignOff: signOff, Observe: d.observe,
		})
		switch {
		case errors.Is(err, store.ErrFenced), ctx.Err() != nil:
			return nil // the chain says so
		case err != nil:
			d.log.Warn("repairs wait to be confirmed", "site", c.site, "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(reviewEvery):
		}
	}
}

// warnOfDeadlines writes the warnings that are due, by the deadlines and the
// calendar in force; when these are others than before, every order is looked at.
func (d *Daemon) warnOfDeadlines(ctx context.Context, c *chain, counted *configs.Bundle) *configs.Bundle {
	now := d.configs.current(c.site)
	var err error
	if now != counted {
		err = d.orders.DeadlinesChanged(ctx, c.site)
	}
	if err == nil {
		_, err = d.orders.Warn(ctx, c.site, c.keeper.epoch, d.Now(), now.SLA, now.Calendar)
	}
	if err != nil && ctx.Err() == nil && !errors.Is(err, store.ErrFenced) { // the chain says that it is fenced
		d.log.Warn("deadlines are not watched at the moment", "site", c.site, "error", err)
		return counted
	}
	return now
}

// observe says what telemetry tells of an order's fault.
func (d *Daemon) observe(o *ticketing.Order, role string) (obs ticketing.Observation) {
	if o.State == ticketing.Done {
		now := d.Now()
		d.look(o.Site, func(c *chain) { obs = c.observe(o, role, now) })
	}
	return obs
}

// observe looks at what the order's rule looks at: another device of the asset that
// is silent says nothing about this fault, and one that still talks does not make
// up for it. It is known how the fault stands when the rule knows it and its
// devices are heard.
func (c *chain) observe(o *ticketing.Order, role string, now time.Time) (obs ticketing.Observation) {
	looked, used := c.lookAt(o)
	obs.Known, obs.Idle = len(used) > 0, len(looked) > 0
	for i := range looked {
		st := looked[i].State
		obs.Known = obs.Known && st != rules.Blind && st != rules.OpenBlind
		obs.Idle = obs.Idle && (st == rules.Closed || st == rules.Starting)
	}
	for _, id := range used {
		last, every := c.engine.Heard(id)
		obs.Known = obs.Known && now.Sub(time.Unix(0, last)) <= max(freshFor, 3*every)
	}
	if role == "" {
		return obs
	}
	for _, p := range c.engine.Points(o.Asset) {
		if p.Role == role && p.Usable {
			obs.Count, obs.Counted = p.Value, true
			break
		}
	}
	return obs
}

// lookAt gives the instances of the order's rule that tell how its fault stands,
// and the devices that they look at: those of the order, where the rule still looks
// at them. When the rule is gone, the devices of the asset that were ever heard
// stand for it.
func (c *chain) lookAt(o *ticketing.Order) (looked []rules.Explanation, used []string) {
	all, err := c.engine.Explain(rules.Question{Asset: o.Asset, Rule: o.Rule})
	if err != nil { // no such rule any more
		all = nil
	}
	all = slices.DeleteFunc(all, func(x rules.Explanation) bool { return x.State == rules.Off || len(x.Inputs) == 0 })
	looked = slices.DeleteFunc(slices.Clone(all), func(x rules.Explanation) bool { return !looksAt(&x, o.Devices) })
	if len(looked) == 0 { // its devices were replaced
		looked = all
	}
	for i := range looked {
		for _, in := range looked[i].Inputs {
			if !slices.Contains(used, in.Device) {
				used = append(used, in.Device)
			}
		}
	}
	if len(looked) > 0 {
		return looked, used
	}
	for _, p := range c.engine.Points(o.Asset) {
		if last, _ := c.engine.Heard(p.Device); last != 0 && !slices.Contains(used, p.Device) {
			used = append(used, p.Device)
		}
	}
	return nil, used
}

func looksAt(x *rules.Explanation, devices []string) bool {
	return slices.ContainsFunc(x.Inputs, func(in rules.InputView) bool { return slices.Contains(devices, in.Device) })
}
