package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/facilityd/facilityd/configs"
	"github.com/facilityd/facilityd/devices"
	"github.com/facilityd/facilityd/devices/history"
	"github.com/facilityd/facilityd/devices/journal"
	"github.com/facilityd/facilityd/devices/profile"
	"github.com/facilityd/facilityd/rules/backtest"
)

// A RedecodeRequest says what to decode anew.
type RedecodeRequest struct {
	Site string `json:"site"`
	// From is the journal time of the first record whose readings are mended.
	From time.Time `json:"from"`
	// Dry changes nothing in InfluxDB.
	Dry bool `json:"dry,omitempty"`
}

// A Redecoded says what came of it. Nothing is opened by it, and nothing closed.
type Redecoded struct {
	Site   string           `json:"site"`
	From   time.Time        `json:"from"` // not before the oldest record that is kept
	To     time.Time        `json:"to"`   // of the last record that was mended
	Dry    bool             `json:"dry,omitempty"`
	Mended history.Mended   `json:"mended"`
	Report *backtest.Report `json:"report"` // what the rules in force would have opened
}

// Redecode decodes the records of a site again by the profiles of the current
// configuration, mends the history with what comes out, and says what would have
// been opened. The records before From are decoded too, because decoders remember;
// their readings are left alone. Only what the history has written already is
// mended: it would otherwise be written over again.
func (p *Past) Redecode(ctx context.Context, current *configs.Bundle, q RedecodeRequest, writer *history.Writer, progress func(done, of uint64)) (*Redecoded, error) {
	extent, err := p.Extent(ctx, q.Site)
	if err != nil {
		return nil, err
	}
	if extent.Last < extent.First || q.From.After(extent.To) {
		return nil, fmt.Errorf("the journal of %s holds nothing after %s", q.Site, q.From.Format(time.RFC3339))
	}
	last := extent.Last
	if !q.Dry {
		if last, err = p.written(ctx, q.Site); err != nil {
			return nil, err
		}
		if last < extent.First {
			return nil, fmt.Errorf("the history of %s has written nothing yet: there is nothing to mend", q.Site)
		}
	} else {
		writer = nil
	}
	judged := laterOf(q.From, extent.From.Add(-backlog))
	if q.From.Before(extent.From) {
		q.From = extent.From // there are no older records to decode anew
	}
	r := &redecoding{p: p, ctx: ctx, from: q.From.UnixNano(), last: last, current: current, mender: history.NewMender(writer)}
	err = p.Read(ctx, Stretch{Site: q.Site}, func(at *Passage) error {
		if progress != nil && at.Record.Seq%1024 == 0 {
			progress(at.Record.Seq-extent.First+1, extent.Last-extent.First+1)
		}
		return r.take(at)
	})
	report := r.report(judged, extent.To)
	mended, failed := r.mender.Finish(ctx)
	return &Redecoded{Site: q.Site, From: q.From, To: time.Unix(0, r.to).UTC(), Dry: q.Dry, Mended: mended, Report: report}, errors.Join(err, failed)
}

// written is the position up to which the history is written and will not be
// written again after a restart.
func (p *Past) written(ctx context.Context, site string) (uint64, error) {
	bucket, err := p.journal.Bucket(ctx, site)
	if err != nil {
		return 0, err
	}
	data, err := bucket.Get(ctx, historyKey)
	if errors.Is(err, journal.ErrNotFound) {
		return 0, nil
	}
	var state historyState
	if err == nil {
		err = json.Unmarshal(data, &state)
	}
	if err != nil {
		return 0, fmt.Errorf("read position of history: %w", err)
	}
	return state.Seq, nil
}

// redecoding decodes every record a second time, by other profiles.
type redecoding struct {
	p       *Past
	ctx     context.Context
	from    int64  // journal time
	last    uint64 // position of the last record to mend
	to      int64
	current *configs.Bundle
	mender  *history.Mender

	registry *devices.Registry
	decoder  *profile.Decoder
	batch    profile.Batch
	bundle   *configs.Bundle // of the record at hand
	then     *backtest.Run   // what was decoded at the time
	now      *backtest.Run
	covered  backtest.Coverage
}

func (r *redecoding) take(at *Passage) error {
	r.bundle = at.Bundle
	if r.decoder == nil {
		r.registry = devices.NewRegistry()
		r.decoder = profile.NewDecoder(r.current.Profiles, at.Bundle.Site, r.registry)
		cfg := backtest.Config{Site: at.Bundle.Site, Rules: at.Bundle.Rules, Registry: at.Registry, Live: true, Brief: true}
		r.then = backtest.NewRun(cfg)
		cfg.Registry = r.registry
		r.now = backtest.NewRun(cfg)
	}
	rec := at.Record
	if rec.Kind == devices.ConfigVersion {
		corrected := *at.Bundle
		corrected.Profiles = r.current.Profiles
		next, err := successor(r.decoder, &corrected, r.registry)
		if err != nil {
			return err
		}
		r.decoder = next
		r.then.Swap(rec, at.Bundle.Rules, at.Bundle.Site)
		r.now.Swap(rec, at.Bundle.Rules, at.Bundle.Site)
		return nil
	}
	r.batch.Reset()
	r.decoder.Decode(rec, &r.batch)
	r.then.Apply(rec, at.Readings)
	r.now.Apply(rec, r.batch.Readings)
	r.covered.Take(r.batch.Readings)
	if rec.Time < r.from || rec.Seq > r.last {
		return nil
	}
	r.to = rec.Time
	return r.mender.Take(r.ctx, at.Readings, r.batch.Readings)
}

// report compares what the rules make of the corrected readings with what they
// made of those that were decoded then.
func (r *redecoding) report(from, to time.Time) *backtest.Report {
	if r.then == nil {
		return nil
	}
	now, then := r.now.Finish(to), r.then.Finish(to)
	set := r.bundle.Rules
	return backtest.NewReport(backtest.Trial{Rules: set, Outcome: now}, &backtest.Trial{Rules: set, Outcome: then}, backtest.Options{
		Site: r.bundle.Site, Source: backtest.FromJournal, From: from, To: to, Warranty: warranty, Coverage: &r.covered, Redecoded: true,
	})
}

// serveRedecode answers a command that runs beside the daemon.
func (d *Daemon) serveRedecode(w http.ResponseWriter, r *http.Request) {
	var q RedecodeRequest
	serveLong(w, r, &q, func(progress func(done, of uint64)) (*Redecoded, error) {
		current := d.configs.current(q.Site)
		if current == nil {
			return nil, fmt.Errorf("there is no site %q", q.Site)
		}
		return d.Past().RedecodeInto(r.Context(), &d.opts.Settings.Settings, current, q, progress)
	})
}

// AskRedecode has the daemon that runs in a data directory decode anew.
func AskRedecode(ctx context.Context, data string, q RedecodeRequest, progress func(done, of uint64)) (*Redecoded, error) {
	return askLong[Redecoded](ctx, data, "redecode", q, progress)
}

// RedecodeInto is Redecode into the InfluxDB of the settings.
func (p *Past) RedecodeInto(ctx context.Context, s *configs.Settings, current *configs.Bundle, q RedecodeRequest, progress func(done, of uint64)) (*Redecoded, error) {
	if q.Dry {
		return p.Redecode(ctx, current, q, nil, progress)
	}
	cfg, err := HistoryConfig(s)
	if err != nil {
		return nil, err
	}
	if cfg == nil {
		return nil, errors.New("the settings name no InfluxDB, so there is no history to mend; --dry-run shows what the corrected profiles would have opened")
	}
	cfg.Site = q.Site
	writer, err := history.NewWriter(*cfg)
	if err != nil {
		return nil, err
	}
	defer writer.Close()
	return p.Redecode(ctx, current, q, writer, progress)
}
