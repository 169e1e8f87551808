// Package board serves the work orders to people and programs: server-rendered
// pages in English and Chinese, and the HTTP API under /api/v1 with its OpenAPI
// description at /openapi.json.
//
// Pages are html/template rather than a bundled front end or templ: they work on
// any phone at once, need no build step and escape by context. Forms carry the
// same idempotency key and version as the API's commands. What the board shows
// of the running daemon comes through [Live], what it does with orders through
// [Orders]; it imports neither the store nor the rules engine's state.
package board

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/facilityd/facilityd/configs/messages"
	"github.com/facilityd/facilityd/ticketing"
	"github.com/facilityd/facilityd/ticketing/calendar"
)

// Orders is what the board does with work orders; ticketing/store has it.
type Orders interface {
	List(ctx context.Context, f ticketing.Filter) (ticketing.Page[ticketing.Order], error)
	Order(ctx context.Context, id string) (*ticketing.Order, error)
	Log(ctx context.Context, order string, version int) ([]ticketing.Entry, error)
	Milestones(ctx context.Context, orders []string) (map[string][]ticketing.Entry, error)
	Evidence(ctx context.Context, order string, limit int) ([]ticketing.Evidence, error)
	EvidenceAt(ctx context.Context, order string, version int) (*ticketing.Evidence, error)
	Episodes(ctx context.Context, f ticketing.EpisodeFilter) (ticketing.Page[ticketing.Episode], error)
	Stats(ctx context.Context) ([]ticketing.Stat, error)
	Changes(ctx context.Context) (int64, error)
	Command(ctx context.Context, c ticketing.Command) (o *ticketing.Order, replayed bool, err error)
	Problems(ctx context.Context, site, asset, faultClass string, now time.Time) ([]ticketing.Problem, error)
	File(ctx context.Context, order, hash string) (*ticketing.Attachment, []byte, error)
	PersonByToken(ctx context.Context, token string) (ticketing.Person, error)
	Person(ctx context.Context, id string) (ticketing.Person, error)
	Persons(ctx context.Context) ([]ticketing.Person, error)
}

// Config says what the board serves and to whom.
type Config struct {
	Orders   Orders
	Live     Live
	Outbox   Outbox // nil: nothing is sent
	Messages *messages.Catalogue
	// Templates say what to do about a fault class, by its id; nil means none.
	Templates map[string]*ticketing.Template
	// Policy says how long the orders of a site may take; nil means
	// [ticketing.DefaultPolicy] everywhere.
	Policy func(site string) *ticketing.Policy
	// Calendar gives the working time of a site; nil means day and night.
	Calendar func(site string) *calendar.Calendar
	// OnCall gives the rotas with who is on call at a time; nil means that there
	// are none.
	OnCall func(now time.Time) []Rota
	// Now is the wall clock, or the estate clock where the daemon runs on one.
	Now func() time.Time
	// Loopback says that only this machine can reach the listener. Beyond that
	// nothing but health and readiness is served without a token.
	Loopback bool
	// LocalPerson is who acts on loopback without a token: the technician of the
	// demo. Without it loopback reads only.
	LocalPerson string
	// Metrics serves /metrics; nil means there is none. Beyond loopback it needs
	// a token too, unless OpenMetrics.
	Metrics     http.Handler
	OpenMetrics bool
	// Ready says why the daemon is not ready; nil when it is.
	Ready func() error
	// Estate is the factor of the estate clock; 0 or 1 is the wall clock.
	Estate float64
	Logger *slog.Logger
	// Version of the program.
	Version string
}

// A Board is an [http.Handler].
type Board struct {
	cfg     Config
	pages   *pages
	handler http.Handler
	stopped chan struct{}
	stop    sync.Once
}

// New makes a board. It starts nothing and opens nothing.
func New(cfg Config) (*Board, error) {
	if cfg.Orders == nil || cfg.Live == nil || cfg.Messages == nil || cfg.Now == nil {
		return nil, errors.New("make a board: orders, live view, messages and clock are needed")
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Ready == nil {
		cfg.Ready = func() error { return nil }
	}
	if cfg.Policy == nil {
		p := ticketing.DefaultPolicy()
		cfg.Policy = func(string) *ticketing.Policy { return &p }
	}
	if cfg.Calendar == nil {
		cfg.Calendar = func(string) *calendar.Calendar { return calendar.Always() }
	}
	b := &Board{cfg: cfg, stopped: make(chan struct{})}
	var err error
	if b.pages, err = newPages(b); err != nil {
		return nil, err
	}
	b.handler = b.routes()
	return b, nil
}

// ServeHTTP serves pages, API, health and metrics.
func (b *Board) ServeHTTP(w http.ResponseWriter, r *http.Request) { b.handler.ServeHTTP(w, r) }

// Stop ends the event streams of open pages, which would keep a server from
// shutting down: give it to [http.Server.RegisterOnShutdown].
func (b *Board) Stop() { b.stop.Do(func() { close(b.stopped) }) }
