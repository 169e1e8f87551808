package daemon

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/facilityd/facilityd/configs/diag"
	"github.com/facilityd/facilityd/devices"
	"github.com/facilityd/facilityd/devices/profile"
	"github.com/facilityd/facilityd/ticketing/board"
)

// The daemon is what the board shows of itself.
var _ board.Live = (*Daemon)(nil)

// newest keeps the newest reading of every point for people to look at. It
// decides nothing and is not kept over a restart.
type newest struct {
	readings []devices.Reading // by Point.Index
	message  []int64           // by Device.Index: when the last live message came
}

func (n *newest) take(rec *devices.Record, readings []devices.Reading) {
	for i := range readings {
		r := &readings[i]
		p, d := int(r.Point.Index), int(r.Point.Device.Index)
		if p >= len(n.readings) {
			n.readings = append(n.readings, make([]devices.Reading, p+1-len(n.readings)+64)...)
		}
		if d >= len(n.message) {
			n.message = append(n.message, make([]int64, d+1-len(n.message)+16)...)
		}
		if r.Flags&devices.RetainedMessage == 0 {
			n.message[d] = rec.Time
		}
		if r.Historical() || r.Time < n.readings[p].Time && n.readings[p].Point != nil {
			continue
		}
		n.readings[p] = *r
	}
}

// Now is journal time: the machine's clock, or the estate clock.
func (d *Daemon) Now() time.Time {
	for _, b := range d.bundles {
		if w := d.writers[b.Site.ID]; w != nil {
			return w.Now()
		}
	}
	return d.now()
}

// Sites are the sites of the configuration in force.
func (d *Daemon) Sites() []*devices.Site {
	out := make([]*devices.Site, len(d.bundles))
	for i, b := range d.bundles {
		out[i] = d.configs.current(b.Site.ID).Site
	}
	return out
}

// look runs a function between two records of a site.
func (d *Daemon) look(site string, f func(*chain)) {
	c := d.chains[site]
	if c == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	c.do(ctx, func() { f(c) })
}

// Devices are the known devices of a site by id.
func (d *Daemon) Devices(site string) (out []board.Device) {
	d.look(site, func(c *chain) {
		for _, dev := range c.registry.Devices() {
			out = append(out, c.device(dev))
		}
	})
	slices.SortFunc(out, func(a, b board.Device) int { return strings.Compare(a.ID, b.ID) })
	return out
}

// Device is one device with its points.
func (d *Daemon) Device(site, id string) (out board.Device, ok bool) {
	now := d.Now()
	d.look(site, func(c *chain) {
		dev := c.registry.Lookup([]byte(id))
		if dev == nil {
			return
		}
		out, ok = c.device(dev), true
		for _, p := range dev.Points {
			if p.Kind == devices.Availability || int(p.Index) >= len(c.newest.readings) {
				continue
			}
			r := &c.newest.readings[p.Index]
			if r.Point == nil {
				continue
			}
			out.Points = append(out.Points, point(r, now))
		}
	})
	slices.SortFunc(out.Points, func(a, b board.Point) int { return strings.Compare(a.Name, b.Name) })
	return out, ok
}

func point(r *devices.Reading, now time.Time) board.Point {
	p := board.Point{
		Name: r.Point.Name, Role: r.Point.Role, Unit: r.Point.Unit, Kind: r.Point.Kind.String(), Text: r.Text,
		Quality: r.Quality.String(), Time: r.At(), Age: now.Sub(r.At()).Seconds(),
	}
	if words := r.Point.Kind == devices.Text || r.Point.Kind == devices.Event; !words && !math.IsNaN(r.Value) && !math.IsInf(r.Value, 0) {
		v := r.Value
		p.Value = &v
	}
	return p
}

func (c *chain) device(dev *devices.Device) board.Device {
	out := board.Device{
		Site: c.site, ID: dev.ID, Asset: dev.Asset, Class: dev.Class, Profile: dev.Profile,
		Simulated: dev.Simulated, Availability: "unknown",
	}
	if int(dev.Index) < len(c.newest.message) && c.newest.message[dev.Index] != 0 {
		out.LastMessage = time.Unix(0, c.newest.message[dev.Index]).UTC()
	}
	if p := dev.Point(devices.AvailabilityPoint); p != nil && int(p.Index) < len(c.newest.readings) {
		if r := &c.newest.readings[p.Index]; r.Point != nil {
			out.Availability, out.Since = r.Text, r.At()
		}
	}
	return out
}

// Accounting gives both equations of promise 7.
func (d *Daemon) Accounting(site string) (out board.Accounting) {
	for _, c := range d.inbound.connections {
		if c.site == site {
			out.Sources = append(out.Sources, d.source(c.Status().Name, site))
		}
	}
	d.look(site, func(c *chain) {
		for _, dev := range c.registry.Devices() {
			out.Devices = append(out.Devices, account(dev.ID, c.decoder.Counts(dev)))
		}
	})
	slices.SortFunc(out.Devices, func(a, b board.DeviceAccount) int { return strings.Compare(a.Device, b.Device) })
	return out
}

func account(id string, n profile.DeviceCounts) board.DeviceAccount {
	return board.DeviceAccount{
		Device: id, Decoded: int64(n.Decoded), Stored: int64(n.Stored), Duplicate: int64(n.Duplicate),
		Ignored: int64(n.Ignored), Unmapped: int64(n.Unmapped), Pending: int64(n.Pending),
		Balance: int64(n.Decoded) - int64(n.Stored) - int64(n.Duplicate) - int64(n.Ignored) - int64(n.Unmapped) - int64(n.Pending),
	}
}

// source reads the account of a broker connection from its metrics: the numbers
// that are scraped and the numbers that are shown are the same.
func (d *Daemon) source(name, site string) board.SourceAccount {
	out := board.SourceAccount{Source: name, Rejected: map[string]int64{}}
	families, err := d.registry.Gather()
	if err != nil {
		return out
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			labels := map[string]string{}
			for _, l := range m.GetLabel() {
				labels[l.GetName()] = l.GetValue()
			}
			if labels["connection"] != name || labels["site"] != "" && labels["site"] != site {
				continue
			}
			n := int64(m.GetCounter().GetValue())
			switch f.GetName() {
			case "facilityd_mqtt_received_messages_total":
				out.Received += n
			case "facilityd_mqtt_rejected_messages_total", "facilityd_journal_rejected_messages_total":
				out.Rejected[labels["reason"]] += n
			case "facilityd_journal_journaled_messages_total":
				out.Journaled += n
			}
		}
	}
	out.Balance = out.Received - out.Journaled
	for _, n := range out.Rejected {
		out.Balance -= n
	}
	return out
}

// Status is how the daemon is.
func (d *Daemon) Status() board.Status {
	d.mu.Lock()
	clock := d.opts.Settings.Clock
	s := board.Status{
		Version: d.opts.Version, Started: d.started.UTC(), ReloadAt: d.reloadAt,
		Clock: board.DaemonClock{Kind: clock.Kind, Factor: clock.Factor, Now: d.Now()},
	}
	if d.lastReload != nil {
		s.ReloadError = d.lastReload.Error()
	}
	d.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	now := d.Now()
	for _, b := range d.bundles {
		site := b.Site.ID
		s.Configuration = d.configs.current(site).Hash
		c := d.chains[site]
		p := c.progress()
		_, last, _, err := d.journal.Bounds(ctx, site)
		if err != nil {
			continue
		}
		s.Lags = append(s.Lags, board.Lag{Site: site, Consumer: "rules", Records: last - min(last, p.judged), Seconds: lag(now, p.at)})
		for _, h := range d.outlets {
			if h.site == site {
				st := h.status()
				s.Lags = append(s.Lags, board.Lag{Site: site, Consumer: "history", Records: last - min(last, st.Position), Seconds: st.Lag.Seconds()})
			}
		}
		d.look(site, func(c *chain) {
			for _, t := range c.engine.Tasks() {
				s.Tasks = append(s.Tasks, board.Task{Site: site, Asset: t.Asset, Fact: t.Fact.Name, Label: t.Fact.Label, Unit: t.Fact.Unit, Rules: t.Rules})
			}
		})
	}
	return s
}

func lag(now, at time.Time) float64 {
	if at.IsZero() {
		return 0
	}
	return max(0, now.Sub(at).Seconds())
}

// notReady says why the daemon does not work as it should, nil when it does.
func (d *Daemon) notReady() error {
	select {
	case <-d.ready:
	default:
		return errStarting
	}
	for _, b := range d.bundles {
		if err := d.writers[b.Site.ID].Ready(); err != nil {
			return err
		}
	}
	return d.inbound.notConnected()
}

// strangersShown bounds the topics that nothing reads: a shared broker may have
// thousands.
const strangersShown = 50

// Strangers are devices that a profile reads and nobody adopted, and topics that
// no profile reads, with the one that would fit best.
func (d *Daemon) Strangers(site string) (out []board.Stranger) {
	c := d.chains[site]
	if c == nil {
		return nil
	}
	seen := c.coverage()
	for _, s := range seen.Seen {
		out = append(out, board.Stranger{
			Site: site, ID: s.ID, Profile: s.Profile, Class: s.Class, Topic: s.Topic, Messages: s.Messages, Adoptable: true,
		})
	}
	profiles, shown := d.configs.current(site).Profiles, 0
	for _, u := range seen.Unmapped {
		if u.Profile != "" || shown == strangersShown {
			continue
		}
		shown++
		s := board.Stranger{Site: site, ID: u.Name, Topic: u.Name, Messages: u.Count}
		if fits := profiles.Fits(u.Name, u.Sample); len(fits) > 0 {
			s.Profile = fits[0].Profile
		}
		out = append(out, s)
	}
	return out
}

// Adopt makes a stranger known: the journal tells decoder and rules.
func (d *Daemon) Adopt(ctx context.Context, a board.Adoption, by string, at time.Time) error {
	w := d.writers[a.Site]
	if w == nil {
		return fmt.Errorf("adopt %s: there is no site %q", a.Device, a.Site)
	}
	_, err := w.Fact(ctx, devices.Fact{
		ID: "adopt/" + a.Site + "/" + a.Device + "/" + a.Asset, Kind: devices.FactAdopted,
		Device: a.Device, Asset: a.Asset, By: by, At: at,
	})
	if err != nil {
		return fmt.Errorf("adopt %s: %w", a.Device, err)
	}
	return nil
}

// adoptNamed adopts a stranger that a command names; the site may be left out
// when it is clear.
func (d *Daemon) adoptNamed(ctx context.Context, a board.Adoption, by string) error {
	var known []string
	for _, b := range d.bundles {
		for _, s := range d.Strangers(b.Site.ID) {
			if !s.Adoptable {
				continue
			}
			if s.ID == a.Device && (a.Site == "" || a.Site == s.Site) {
				a.Site = s.Site
				return d.Adopt(ctx, a, by, d.Now())
			}
			known = append(known, s.ID)
		}
	}
	hint := diag.DidYouMean(a.Device, known)
	if hint == "" {
		hint = "facilityd profile coverage lists what is seen and not known"
	}
	return fmt.Errorf("no device %q is seen and not known (%s)", a.Device, hint)
}
