package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/facilityd/facilityd/devices"
	"github.com/facilityd/facilityd/devices/history"
	"github.com/facilityd/facilityd/devices/journal"
	"github.com/facilityd/facilityd/devices/profile"
)

// historian feeds InfluxDB with one site's readings. It decodes on its own, with
// its own decoder state and the configuration of each record's time, so that it
// may be days behind the rules.
type historian struct {
	site    string
	log     *slog.Logger
	journal *journal.Journal
	configs *catalogue
	writer  *history.Writer
	epoch   uint32
	now     func() time.Time

	bucket   *journal.Bucket
	registry *devices.Registry
	decoder  *profile.Decoder
	batch    profile.Batch
	reader   *journal.Reader
	pump     atomic.Pointer[history.Pump]
	at       historyState
	saved    time.Time
}

// historyState is where the history goes on after a restart. Readings after it
// are written again, which changes nothing in InfluxDB.
type historyState struct {
	Seq     uint64 `json:"seq"`
	Config  string `json:"config"`
	Decoder []byte `json:"decoder"`
}

const historyKey = "history"

// run feeds until the context ends.
func (h *historian) run(ctx context.Context) error {
	if err := h.restore(ctx); err != nil {
		return err
	}
	defer h.reader.Close()
	pump := history.NewPump(history.PumpConfig{
		Source: h, Decode: h.decode(ctx), Writer: h.writer,
		Now: func() int64 { return h.now().UnixNano() },
	})
	h.pump.Store(pump)
	err := pump.Run(ctx)
	if ctx.Err() != nil {
		return nil
	}
	return fmt.Errorf("history of %s: %w", h.site, err)
}

func (h *historian) restore(ctx context.Context) (err error) {
	if h.bucket, err = h.journal.Bucket(ctx, h.site); err != nil {
		return err
	}
	bundle := h.configs.current(h.site)
	data, err := h.bucket.Get(ctx, historyKey)
	switch {
	case errors.Is(err, journal.ErrNotFound):
	case err != nil:
		return fmt.Errorf("read position of history: %w", err)
	default:
		if err := json.Unmarshal(data, &h.at); err != nil {
			return fmt.Errorf("read position of history: %w", err)
		}
		if bundle, err = h.configs.byHash(ctx, h.site, h.at.Config); err != nil {
			return err
		}
	}
	h.at.Config = bundle.Hash
	h.registry = devices.NewRegistry()
	h.decoder = profile.NewDecoder(bundle.Profiles, bundle.Site, h.registry)
	if h.at.Decoder != nil {
		if err := h.decoder.Restore(h.at.Decoder); err != nil {
			return fmt.Errorf("restore decoder of history: %w", err)
		}
	}
	if err := h.journal.Hold(ctx, h.site, historyKey, h.at.Seq+1); err != nil {
		return err
	}
	h.reader, err = h.journal.Read(ctx, h.site, h.at.Seq+1)
	return err
}

// Next hands the pump the next record.
func (h *historian) Next(ctx context.Context) (*devices.Record, error) { return h.reader.Next(ctx) }

func (h *historian) decode(ctx context.Context) func([]devices.Reading, *devices.Record) []devices.Reading {
	return func(dst []devices.Reading, rec *devices.Record) []devices.Reading {
		if rec.Kind == devices.ConfigVersion {
			bundle, err := h.configs.byHash(ctx, h.site, rec.Config)
			if err != nil {
				h.log.Error("history goes on with the configuration before", "error", err)
				return dst
			}
			h.at.Config = bundle.Hash
			next, err := successor(h.decoder, bundle, h.registry)
			if err != nil {
				h.log.Error("history goes on with the configuration before", "error", err)
				return dst
			}
			h.decoder = next
			return dst
		}
		h.batch.Reset()
		h.decoder.Decode(rec, &h.batch)
		h.reader.Reuse(rec)
		return append(dst, h.batch.Readings...)
	}
}

// Ack notes that everything up to seq is stored. The decoder is then exactly
// after seq, so its state can be kept with the position.
func (h *historian) Ack(seq uint64) error {
	if time.Since(h.saved) < checkpointEvery {
		return nil
	}
	h.saved = time.Now()
	h.at.Seq, h.at.Decoder = seq, h.decoder.AppendState(nil)
	data, err := json.Marshal(&h.at)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := h.bucket.Put(ctx, historyKey, data, h.epoch); err != nil {
		if errors.Is(err, journal.ErrFenced) {
			return err
		}
		h.log.Warn("position of history cannot be kept; after a restart more is written again", "error", err)
		return nil
	}
	return h.journal.Hold(ctx, h.site, historyKey, seq+1)
}

func (h *historian) status() history.Status {
	if p := h.pump.Load(); p != nil {
		return p.Status()
	}
	return history.Status{}
}
