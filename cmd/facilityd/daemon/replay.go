package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/facilityd/facilityd/configs"
	"github.com/facilityd/facilityd/devices"
	"github.com/facilityd/facilityd/devices/journal"
	"github.com/facilityd/facilityd/devices/profile"
	"github.com/facilityd/facilityd/rules"
)

// A Past is the journal, opened to look back. Looking back writes nothing and
// does nothing: no order, no message, no checkpoint, no request to a device.
type Past struct {
	journal *journal.Journal
	configs *catalogue
}

// Past is the running daemon's own.
func (d *Daemon) Past() *Past { return &Past{journal: d.journal, configs: d.configs} }

// OpenPast opens the journal of a data directory in which no daemon runs. A
// running one is asked instead (Ask), because it holds the directory: the error
// is then ErrRunning.
func OpenPast(s *configs.Settings, log *slog.Logger) (*Past, func() error, error) {
	cfg := journal.Config{URL: s.Journal.URL, Dir: filepath.Join(s.Data, "journal"), Log: log, Reserve: -1}
	var opened closers
	if cfg.URL == "" {
		if _, err := os.Stat(cfg.Dir); err != nil {
			return nil, nil, fmt.Errorf("there is no journal in %s: name the daemon's directory with --data or --config", s.Data)
		}
		unlock, err := lock(s.Data)
		if err != nil {
			return nil, nil, err
		}
		opened.add("data directory", unlock)
	}
	j, err := journal.Open(cfg)
	if err != nil {
		return nil, nil, errors.Join(err, opened.close())
	}
	opened.add("journal", j.Close)
	return &Past{journal: j, configs: newCatalogue(j)}, opened.close, nil
}

// Stretch is which part of a site's journal is read, and how.
type Stretch struct {
	Site string
	// Until is the journal time of the last record that is read; zero reads to
	// the newest.
	Until time.Time
	// Config, where it is not nil, says which configuration stands in for the one
	// of a record's own time.
	Config func(*configs.Bundle) (*configs.Bundle, error)
}

// Extent is what the journal holds of a site.
type Extent struct {
	First, Last uint64    // positions; Last = First - 1 when there is nothing
	From, To    time.Time // journal times of the two records
}

// Whole reports whether the journal still begins where the site began. When it
// does not, retention has dropped its oldest records: what rules had learnt from
// them is not known, and they learn it again from what is left.
func (e Extent) Whole() bool { return e.First == 1 }

// Extent says how far back the journal of a site reaches.
func (p *Past) Extent(ctx context.Context, site string) (e Extent, err error) {
	sites, err := p.journal.Sites(ctx)
	if err != nil {
		return e, err
	}
	if !slices.Contains(sites, site) {
		return e, fmt.Errorf("the journal holds nothing of a site %q; it holds %q", site, sites)
	}
	if e.First, e.Last, _, err = p.journal.Bounds(ctx, site); err != nil || e.Last < e.First {
		return e, err
	}
	for _, end := range []struct {
		at  uint64
		set *time.Time
	}{{e.First, &e.From}, {e.Last, &e.To}} {
		rec, err := p.record(ctx, site, end.at)
		if err != nil {
			return e, err
		}
		*end.set = time.Unix(0, rec.Time).UTC()
	}
	return e, nil
}

func (p *Past) record(ctx context.Context, site string, at uint64) (*devices.Record, error) {
	reader, err := p.journal.Read(ctx, site, at)
	if err != nil {
		return nil, err
	}
	defer reader.Close()
	return reader.Next(ctx)
}

// A Passage is one record and what was decoded from it. It may be used until the
// function that it is shown to returns. At a ConfigVersion record the bundle is
// the new one, and there are no readings.
type Passage struct {
	Record   *devices.Record
	Readings []devices.Reading
	Registry *devices.Registry
	Bundle   *configs.Bundle
}

// ErrOvertaken says that retention dropped records before they could be read.
var ErrOvertaken = errors.New("the journal dropped its oldest records while they were read: begin again, or raise journal.max_age")

// Read shows every record of a stretch in order, decoded anew as the chain
// decodes it, from the oldest that is kept.
func (p *Past) Read(ctx context.Context, s Stretch, visit func(*Passage) error) error {
	extent, err := p.Extent(ctx, s.Site)
	if err != nil || extent.Last < extent.First {
		return err
	}
	until := int64(1<<63 - 1)
	if !s.Until.IsZero() {
		until = s.Until.UnixNano()
	}
	hash, err := p.configs.inForce(ctx, s.Site, extent)
	if err != nil {
		return err
	}
	at := &Passage{Registry: devices.NewRegistry()}
	if at.Bundle, err = p.bundle(ctx, s, hash); err != nil {
		return err
	}
	decoder := profile.NewDecoder(at.Bundle.Profiles, at.Bundle.Site, at.Registry)
	reader, err := p.journal.Read(ctx, s.Site, extent.First)
	if err != nil {
		return err
	}
	defer reader.Close()
	var batch profile.Batch
	for next := extent.First; next <= extent.Last; next++ {
		rec, err := reader.Next(ctx)
		if err != nil {
			return fmt.Errorf("read record %d: %w", next, err)
		}
		if rec.Seq != next {
			return fmt.Errorf("record %d follows %d: %w", rec.Seq, next-1, ErrOvertaken)
		}
		if rec.Time > until {
			return nil
		}
		batch.Reset()
		if rec.Kind == devices.ConfigVersion {
			if at.Bundle, err = p.bundle(ctx, s, rec.Config); err != nil {
				return err
			}
			if decoder, err = successor(decoder, at.Bundle, at.Registry); err != nil {
				return err
			}
		} else {
			decoder.Decode(rec, &batch)
		}
		at.Record, at.Readings = rec, batch.Readings
		if err := visit(at); err != nil {
			return err
		}
		reader.Reuse(rec)
	}
	return nil
}

func (p *Past) bundle(ctx context.Context, s Stretch, hash string) (*configs.Bundle, error) {
	b, err := p.configs.byHash(ctx, s.Site, hash)
	if err != nil || s.Config == nil {
		return b, err
	}
	return s.Config(b)
}

// A Judged is a passage with what the rules made of it. Engine is as it was
// right after the record.
type Judged struct {
	Passage
	Steps  []rules.Transition
	Engine *rules.Engine
}

// Replay is Read with an engine behind it that begins empty: what it shows is
// what the daemon did, or with another configuration would have done.
func (p *Past) Replay(ctx context.Context, s Stretch, visit func(*Judged) error) error {
	var at Judged
	return p.Read(ctx, s, func(now *Passage) error {
		at.Passage = *now
		if at.Engine == nil {
			at.Engine = rules.NewEngine(now.Bundle.Rules, now.Bundle.Site, now.Registry)
		}
		if now.Record.Kind == devices.ConfigVersion {
			at.Steps = at.Engine.Swap(now.Record, now.Bundle.Rules, now.Bundle.Site)
		} else {
			at.Steps = at.Engine.Apply(now.Record, now.Readings)
		}
		return visit(&at)
	})
}
