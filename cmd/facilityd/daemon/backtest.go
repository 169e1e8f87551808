package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
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
	if q.From.IsZero() || q.From.Before(extent.From) {
		q.From = extent.From
	}
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

// Sites names the sites whose journal there is.
func (p *Past) Sites(ctx context.Context) ([]string, error) { return p.journal.Sites(ctx) }

// backtestLine is one line of the answer of a running daemon: how far it is, and
// last the report or what went wrong.
type backtestLine struct {
	Done   uint64           `json:"done,omitempty"`
	Of     uint64           `json:"of,omitempty"`
	Report *backtest.Report `json:"report,omitempty"`
	Error  string           `json:"error,omitempty"`
}

// serveBacktest answers a command that runs beside the daemon. The journal is
// read while it is written; the daemon's own work goes on.
func (d *Daemon) serveBacktest(w http.ResponseWriter, r *http.Request) {
	var q BacktestRequest
	if err := json.NewDecoder(io.LimitReader(r.Body, 64<<20)).Decode(&q); err != nil {
		http.Error(w, "read the request: "+err.Error(), http.StatusBadRequest)
		return
	}
	current := d.configs.current(q.Site)
	if current == nil {
		http.Error(w, fmt.Sprintf("there is no site %q", q.Site), http.StatusNotFound)
		return
	}
	lines := json.NewEncoder(w)
	flush := http.NewResponseController(w)
	said := time.Now()
	report, _, err := d.Past().Backtest(r.Context(), current, q, func(done, of uint64) {
		if time.Since(said) > 200*time.Millisecond {
			said = time.Now()
			_ = lines.Encode(backtestLine{Done: done, Of: of}) // the reader is gone when this fails
			_ = flush.Flush()
		}
	})
	if err != nil {
		_ = lines.Encode(backtestLine{Error: err.Error()})
		return
	}
	_ = lines.Encode(backtestLine{Report: report})
}

// AskBacktest has the daemon that runs in a data directory do a backtest.
func AskBacktest(ctx context.Context, data string, q BacktestRequest, progress func(done, of uint64)) (*backtest.Report, error) {
	body, err := json.Marshal(q)
	if err != nil {
		return nil, err
	}
	in, out := io.Pipe()
	defer in.Close()
	go func() { out.CloseWithError(ask(ctx, data, "backtest", body, out)) }()
	for lines := json.NewDecoder(in); ; {
		var line backtestLine
		if err := lines.Decode(&line); errors.Is(err, io.EOF) {
			return nil, errors.New("the daemon stopped before the backtest was done")
		} else if err != nil {
			return nil, err
		}
		switch {
		case line.Error != "":
			return nil, errors.New(line.Error)
		case line.Report != nil:
			return line.Report, nil
		case progress != nil:
			progress(line.Done, line.Of)
		}
	}
}
