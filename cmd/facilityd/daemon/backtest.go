package daemon

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/facilityd/facilityd/configs"
	"github.com/facilityd/facilityd/devices"
	"github.com/facilityd/facilityd/rules"
	"github.com/facilityd/facilityd/rules/backtest"
)

// Warranty is how long after its end an order takes back the fault that comes
// back to the same asset.
const Warranty = warranty

// backlog is how long before its record a reading may have been taken and still be
// counted to the stretch that the journal covers: devices hand in what they
// gathered.
const backlog = time.Hour

func laterOf(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

// A BacktestRequest says what to judge of a site's journal.
type BacktestRequest struct {
	Site string `json:"site"`
	// Rules are files of rules on trial; they stand beside the current ones and in
	// the place of those with the same id. Enable switches rules on. Without both,
	// what is judged are the rules that were in force: what the daemon did.
	Rules  []rules.File `json:"rules,omitempty"`
	Enable []string     `json:"enable,omitempty"`
	// From and To bound what is reported; zero is the journal's own end.
	From time.Time `json:"from,omitzero"`
	To   time.Time `json:"to,omitzero"`
}

// Backtest says what rules would have opened on a site whose configuration now
// is current. progress is told how many records of how many were read; it may be nil.
func (p *Past) Backtest(ctx context.Context, current *configs.Bundle, q BacktestRequest, progress func(done, of uint64)) (*backtest.Report, *backtest.Outcome, error) {
	trial, list := backtest.OnTrial(current.Rules, q.Rules, q.Enable)
	if err := list.Err(); err != nil {
		return nil, nil, err
	}
	extent, err := p.Extent(ctx, q.Site)
	if err != nil {
		return nil, nil, err
	}
	if extent.Last < extent.First {
		return nil, nil, fmt.Errorf("the journal of %s is empty", q.Site)
	}
	q.From = laterOf(q.From, extent.From.Add(-backlog))
	if q.To.IsZero() || q.To.After(extent.To) {
		q.To = extent.To
	}
	if !q.From.Before(q.To) {
		return nil, nil, fmt.Errorf("the journal of %s holds %s to %s", q.Site, extent.From.Format(time.RFC3339), extent.To.Format(time.RFC3339))
	}
	var bt *backtest.Backtest
	site := current.Site
	err = p.Read(ctx, Stretch{Site: q.Site, Until: q.To}, func(at *Passage) error {
		if bt == nil {
			cfg := backtest.Config{Site: at.Bundle.Site, Rules: trial, Registry: at.Registry, Live: true}
			if trial == nil {
				cfg.Rules = at.Bundle.Rules
				bt = backtest.New(cfg, nil, true)
			} else {
				bt = backtest.New(cfg, current.Rules, false)
			}
		}
		if at.Record.Kind == devices.ConfigVersion {
			site = at.Bundle.Site
			bt.Swap(at.Record, at.Bundle.Rules, site)
		} else {
			bt.Apply(at.Record, at.Readings)
		}
		if progress != nil && at.Record.Seq%1024 == 0 {
			progress(at.Record.Seq-extent.First+1, extent.Last-extent.First+1)
		}
		return nil
	})
	if bt == nil {
		return nil, nil, errors.Join(err, fmt.Errorf("the journal of %s holds nothing before %s", q.Site, q.To.Format(time.RFC3339)))
	}
	report, out := bt.Finish(backtest.Options{Site: site, Source: backtest.FromJournal, From: q.From, To: q.To, Warranty: warranty})
	return report, out, err
}

// serveBacktest answers a command that runs beside the daemon. The journal is
// read while it is written; the daemon's own work goes on.
func (d *Daemon) serveBacktest(w http.ResponseWriter, r *http.Request) {
	var q BacktestRequest
	serveLong(w, r, &q, func(progress func(done, of uint64)) (*backtest.Report, error) {
		current := d.configs.current(q.Site)
		if current == nil {
			return nil, fmt.Errorf("there is no site %q", q.Site)
		}
		report, _, err := d.Past().Backtest(r.Context(), current, q, progress)
		return report, err
	})
}

// AskBacktest has the daemon that runs in a data directory do a backtest.
func AskBacktest(ctx context.Context, data string, q BacktestRequest, progress func(done, of uint64)) (*backtest.Report, error) {
	return askLong[backtest.Report](ctx, data, "backtest", q, progress)
}
