package daemon

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/facilityd/facilityd/configs"
	"github.com/facilityd/facilityd/configs/templates"
	"github.com/facilityd/facilityd/ticketing"
	"github.com/facilityd/facilityd/ticketing/board"
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
		estate := d.Devices(c.site)
		_, err := d.orders.Review(ctx, c.site, c.keeper.epoch, d.Now(), store.Reviewer{
			Template: d.template, SignOff: signOff,
			Observe: func(o *ticketing.Order, role string) ticketing.Observation {
				return d.observe(estate, o, role)
			},
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

// observe says what telemetry tells of an order's asset: known when every device
// of the asset that was ever heard is heard now.
func (d *Daemon) observe(estate []board.Device, o *ticketing.Order, role string) (obs ticketing.Observation) {
	now := d.Now()
	for _, dev := range estate {
		if dev.Asset != o.Asset || dev.LastMessage.IsZero() {
			continue
		}
		obs.Known = dev.Availability != "offline" && now.Sub(dev.LastMessage) <= max(freshFor, 3*d.interval(dev))
		if !obs.Known {
			return obs
		}
		if role == "" || obs.Counted {
			continue
		}
		full, _ := d.Device(dev.Site, dev.ID)
		i := slices.IndexFunc(full.Points, func(p board.Point) bool { return p.Role == role && p.Value != nil && p.Quality == "good" })
		if i >= 0 {
			obs.Count, obs.Counted = *full.Points[i].Value, true
		}
	}
	return obs
}

// interval is the declared time between messages of a device, 0 when nobody
// declared one.
func (d *Daemon) interval(dev board.Device) (out time.Duration) {
	d.look(dev.Site, func(c *chain) {
		if known := c.registry.Lookup([]byte(dev.ID)); known != nil {
			out = time.Duration(known.Interval)
		}
	})
	return out
}
