package daemon

import (
	"context"
	"fmt"
	"time"

	"github.com/facilityd/facilityd/configs"
	"github.com/facilityd/facilityd/configs/diag"
	"github.com/facilityd/facilityd/devices"
	"github.com/facilityd/facilityd/rules"
	"github.com/facilityd/facilityd/ticketing"
	"github.com/facilityd/facilityd/ticketing/board"
)

// Explain tells how the rules of an asset stand now, or at a time in the past, as
// the journal tells it.
func (d *Daemon) Explain(ctx context.Context, site string, q rules.Question, at time.Time) (m board.Moment, err error) {
	if !at.IsZero() {
		return d.explainPast(ctx, site, q, at)
	}
	d.look(site, func(c *chain) {
		m.At = time.Unix(0, c.engine.Now()).UTC()
		m.Rules, err = c.engine.Explain(q)
	})
	if m.At.IsZero() {
		return m, fmt.Errorf("explain %s: the rules of site %s do not answer", q.Asset, site)
	}
	return m, err
}

// explainPast replays the journal up to a time. One replay runs at once: it takes a
// core, which the live chains need.
func (d *Daemon) explainPast(ctx context.Context, site string, q rules.Question, at time.Time) (m board.Moment, err error) {
	if at.After(d.Now()) {
		return m, &ticketing.InvalidError{Field: "at", Code: "at_ahead", Message: "the time lies ahead"}
	}
	select {
	case d.replaying <- struct{}{}:
		defer func() { <-d.replaying }()
	case <-ctx.Done():
		return m, ctx.Err()
	}
	extent, err := d.Past().Extent(ctx, site)
	if err != nil {
		return m, err
	}
	if at.Before(extent.From) {
		return m, &ticketing.InvalidError{Field: "at", Code: "at_before_journal",
			Message: fmt.Sprintf("the journal begins at %s; raise journal.max_age to keep more", extent.From.Format(time.RFC3339))}
	}
	var engine *rules.Engine
	err = d.Past().Replay(ctx, Stretch{Site: site, Until: at}, func(j *Judged) error {
		engine = j.Engine
		return ctx.Err()
	})
	if err != nil {
		return m, err
	}
	m.At, m.From, m.Whole = time.Unix(0, engine.Now()).UTC(), extent.From, extent.Whole()
	m.Rules, err = engine.Explain(q)
	return m, err
}

// CheckRules looks for rules of a configuration that cannot mean what they say, or
// that its profiles and its journal do not give enough to. They load all the same.
func CheckRules(s *configs.Settings, b *configs.Bundle) diag.List {
	return b.Rules.Check(rules.CheckOptions{Roles: b.Profiles.Roles(), Kept: time.Duration(s.Journal.MaxAge)})
}

// Windows are the maintenance windows and visits of a site.
func (d *Daemon) Windows(site string) (out []rules.WindowView) {
	d.look(site, func(c *chain) { out = c.engine.Windows() })
	return out
}

// Suppressed is what would have been opened on a site and was not.
func (d *Daemon) Suppressed(site string) (list []rules.SuppressedView, counts []rules.SuppressedCount) {
	d.look(site, func(c *chain) { list, counts = c.engine.Suppressed() })
	return list, counts
}

// Tell writes a fact from a person to the journal of a site, and returns once the
// rules have heard it.
func (d *Daemon) Tell(ctx context.Context, site string, f devices.Fact) error {
	w := d.writers[site]
	if w == nil {
		return fmt.Errorf("tell the rules: there is no site %q", site)
	}
	seq, err := w.Fact(ctx, f)
	if err != nil {
		return fmt.Errorf("tell the rules of %s: %w", site, err)
	}
	// Whoever told it looks at once whether it was taken in. When the rules are
	// behind, they hear it later all the same.
	patience := time.NewTimer(2 * time.Second)
	defer patience.Stop()
	every := time.NewTicker(10 * time.Millisecond)
	defer every.Stop()
	for d.chains[site].progress().judged < seq {
		select {
		case <-every.C:
		case <-patience.C:
			return nil
		case <-ctx.Done():
			return nil
		}
	}
	return nil
}
