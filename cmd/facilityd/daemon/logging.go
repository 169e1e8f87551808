package daemon

import (
	"context"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/facilityd/facilityd/configs"
)

// repeatEvery is how often a fault that keeps repeating is said again.
const repeatEvery = 30 * time.Second

// NewLogger returns the daemon's logger. Warnings and errors that repeat are
// said once in repeatEvery, with the number that was left out.
func NewLogger(w io.Writer, c configs.Log) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(c.Level)) // the settings were checked
	opts := &slog.HandlerOptions{Level: level}
	var h slog.Handler = slog.NewTextHandler(w, opts)
	if c.Format == "json" {
		h = slog.NewJSONHandler(w, opts)
	}
	return slog.New(&calm{next: h, said: &said{last: make(map[string]*repeats)}})
}

// calm is a handler that leaves out what it said a moment ago. (The sampling
// handlers at hand drop without telling how many, or are not available.)
type calm struct {
	next  slog.Handler
	scope string // groups and attributes, so that two brokers do not hide each other
	said  *said
}

type said struct {
	mu   sync.Mutex
	last map[string]*repeats
}

type repeats struct {
	at      time.Time
	leftOut int
}

func (c *calm) Enabled(ctx context.Context, l slog.Level) bool { return c.next.Enabled(ctx, l) }

func (c *calm) Handle(ctx context.Context, r slog.Record) error {
	if r.Level < slog.LevelWarn {
		return c.next.Handle(ctx, r)
	}
	n, say := c.said.count(c.scope+r.Message, r.Time)
	if !say {
		return nil
	}
	if n > 0 {
		r = r.Clone()
		r.AddAttrs(slog.Int("left_out", n))
	}
	return c.next.Handle(ctx, r)
}

func (s *said) count(key string, at time.Time) (leftOut int, say bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.last[key]
	if e == nil {
		if len(s.last) >= 1000 { // messages are constants; this bounds a mistake
			clear(s.last)
		}
		s.last[key] = &repeats{at: at}
		return 0, true
	}
	if at.Sub(e.at) < repeatEvery {
		e.leftOut++
		return 0, false
	}
	leftOut = e.leftOut
	e.at, e.leftOut = at, 0
	return leftOut, true
}

func (c *calm) WithAttrs(attrs []slog.Attr) slog.Handler {
	scope := c.scope
	for _, a := range attrs {
		scope += a.String() + " "
	}
	return &calm{c.next.WithAttrs(attrs), scope, c.said}
}

func (c *calm) WithGroup(name string) slog.Handler {
	return &calm{c.next.WithGroup(name), c.scope + name + " ", c.said}
}
