package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"golang.org/x/sync/errgroup"

	"github.com/facilityd/facilityd/configs"
	"github.com/facilityd/facilityd/configs/calendars"
	"github.com/facilityd/facilityd/configs/diag"
	shippedprofiles "github.com/facilityd/facilityd/configs/profiles"
	shippedrules "github.com/facilityd/facilityd/configs/rules"
	"github.com/facilityd/facilityd/configs/templates"
	"github.com/facilityd/facilityd/devices"
	"github.com/facilityd/facilityd/devices/history"
	"github.com/facilityd/facilityd/devices/journal"
	"github.com/facilityd/facilityd/devices/profile"
	"github.com/facilityd/facilityd/ticketing"
	"github.com/facilityd/facilityd/ticketing/store"
)

// Options are what a daemon is made of.
type Options struct {
	Settings configs.Effective
	// Read reads the settings again for a reload; nil when they cannot change.
	Read func() (configs.Effective, diag.List)
	// Content replaces the site files that the settings name (the demo's).
	Content []*configs.Content
	// People replaces the people file that the settings name (the demo's).
	People *configs.File
	// LocalPerson acts on loopback without a token: the demo's technician.
	LocalPerson string
	Version     string
	Out         io.Writer // where the addresses are printed
	Log         *slog.Logger
}

// A Daemon is one process: its journal, its brokers and a chain per site.
type Daemon struct {
	opts     Options
	log      *slog.Logger
	now      func() time.Time
	registry *prometheus.Registry
	metrics  *metrics
	figures  *figureMetrics
	bundles  []*configs.Bundle
	brokers  []configs.Broker
	started  time.Time

	ready   chan struct{} // closed when everything listens
	journal *journal.Journal
	orders  *store.Store
	// templates say what to do about a fault class, by its id.
	templates templates.Set
	configs   *catalogue
	writers   map[string]*journal.Writer
	chains    map[string]*chain
	inbound   inbound
	influx    *history.Config // of each site's writer; nil without InfluxDB
	outlets   []*historian
	board     listener
	control   control
	replaying chan struct{} // holds one: who looks back
	crew      atomic.Pointer[Crew]
	tell      *teller

	reloading  sync.Mutex // one reload at a time: a signal may meet a command
	mu         sync.Mutex
	lastReload error
	reloadAt   time.Time
}

var errStarting = errors.New("facilityd is starting")

// Check reads and checks everything that a daemon with these settings would
// load. The bundles are complete when no finding is an error.
func Check(s *configs.Settings) ([]*configs.Bundle, diag.List) {
	contents, list := configs.ReadContents(s, Shipped())
	if list.HasErrors() {
		return nil, list
	}
	bundles, list := compile(s, contents, list)
	if list.HasErrors() {
		return bundles, list
	}
	crew, more := OpenCrew(s, bundles, clockOf(s.Clock)())
	if crew != nil {
		crew.Channels.Close()
	}
	return bundles, append(list, more...)
}

// Shipped are the embedded profiles, rules and calendars.
func Shipped() configs.Shipped {
	return configs.Shipped{Profiles: shippedprofiles.FS, Rules: shippedrules.FS, Calendars: calendars.FS}
}

func compile(s *configs.Settings, contents []*configs.Content, list diag.List) ([]*configs.Bundle, diag.List) {
	var bundles []*configs.Bundle
	var sites []string
	for _, c := range contents {
		b, more := configs.Compile(c)
		for _, d := range more {
			if !contains(list, d) { // files that several sites share are said once
				list.Add(d)
			}
		}
		bundles = append(bundles, b)
		sites = append(sites, b.Site.ID)
	}
	for i, id := range sites {
		for j := range i {
			if sites[j] == id {
				list.Add(diag.Diagnostic{File: contents[i].Site.Name, Message: fmt.Sprintf("site %q is in %s too", id, contents[j].Site.Name), Hint: "an id belongs to one site"})
			}
		}
	}
	_, more := s.BrokersOf(sites)
	return bundles, append(list, more...)
}

func contains(list diag.List, d diag.Diagnostic) bool {
	for _, have := range list {
		if have == d {
			return true
		}
	}
	return false
}

// New checks settings and configuration and prepares a daemon. It opens nothing.
func New(o Options) (*Daemon, diag.List) {
	var bundles []*configs.Bundle
	var list diag.List
	if o.Content != nil {
		bundles, list = compile(&o.Settings.Settings, o.Content, nil)
	} else {
		bundles, list = Check(&o.Settings.Settings)
	}
	if list.HasErrors() {
		return nil, list
	}
	now := clockOf(o.Settings.Clock)
	crew, more := OpenCrew(&o.Settings.Settings, bundles, now())
	if o.People != nil {
		crew, more = ParseCrew(&o.Settings.Settings, *o.People, bundles, now())
	}
	if o.Content != nil { // Check said it already otherwise
		list = append(list, more...)
	}
	if more.HasErrors() {
		return nil, list
	}
	d := &Daemon{
		opts: o, log: o.Log, bundles: bundles, now: now,
		registry: prometheus.NewRegistry(), ready: make(chan struct{}), replaying: make(chan struct{}, 1),
		writers: make(map[string]*journal.Writer), chains: make(map[string]*chain),
	}
	d.takeCrew(crew)
	d.tell = newTeller(d)
	d.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	d.metrics, d.figures = newMetrics(d.registry), newFigureMetrics(d.registry)
	var sites []string
	for _, b := range bundles {
		sites = append(sites, b.Site.ID)
	}
	d.brokers, _ = o.Settings.BrokersOf(sites)
	profile.NewMetrics(d.registry, func() (out []profile.Stats) {
		for _, c := range d.chains {
			out = append(out, c.stats())
		}
		return out
	})
	return d, list
}

// Ready is closed when everything listens.
func (d *Daemon) Ready() <-chan struct{} { return d.ready }

// EmbeddedBroker is the address of the daemon's own broker, "" when it has none.
func (d *Daemon) EmbeddedBroker() string {
	if d.inbound.embedded == nil {
		return ""
	}
	return d.inbound.embedded.URL()
}

// Run opens what the settings name and works until the context ends; then it
// stops intake first and lets what is under way finish.
func (d *Daemon) Run(ctx context.Context) (err error) {
	d.started = d.now()
	var opened closers
	defer func() { err = errors.Join(err, opened.close()) }()
	if err := d.open(ctx, &opened); err != nil {
		return err
	}
	// Three contexts end one after the other: what comes in, what works on it,
	// what everything stands on.
	feedCtx, stopFeed := context.WithCancel(context.Background())
	defer stopFeed()
	workCtx, stopWork := context.WithCancel(context.Background())
	defer stopWork()
	writeCtx, stopWrite := context.WithCancel(context.Background())
	defer stopWrite()

	var feed, work, write errgroup.Group
	failed := make(chan error, 1)
	start := func(g *errgroup.Group, f func() error) {
		g.Go(func() error {
			err := f()
			if err != nil {
				select {
				case failed <- err:
				default:
				}
			}
			return err
		})
	}
	for _, w := range d.writers {
		start(&write, func() error { return w.Run(writeCtx) })
	}
	for _, c := range d.chains {
		start(&work, func() error { return c.run(workCtx) })
		start(&work, func() error { return d.relayFacts(workCtx, c.site) })
		start(&work, func() error { return d.reviewOrders(workCtx, c) })
		start(&work, func() error { return d.tell.run(workCtx, c) })
	}
	start(&work, func() error { return d.tell.outbox.Run(workCtx) })
	start(&work, func() error { return d.tell.prune(workCtx) })
	start(&work, func() error { return d.countFigures(workCtx) })
	for _, h := range d.outlets {
		start(&work, func() error { return h.run(workCtx) })
	}
	for _, c := range d.inbound.connections {
		start(&feed, func() error { d.inbound.run(feedCtx, d, c); return nil })
		start(&feed, func() error { return d.inbound.publish(feedCtx, d, c) })
	}
	start(&work, func() error { return d.board.serve(workCtx) })
	start(&work, func() error { return d.control.serve(workCtx) })
	start(&feed, func() error { return d.watch(feedCtx) })
	d.announce()
	close(d.ready)

	var cause error
	select {
	case <-ctx.Done():
	case cause = <-failed:
		d.log.Error("stopping", "error", cause)
	}
	stopFeed()
	_ = feed.Wait()
	stopWrite()
	_ = write.Wait()
	stopWork()
	_ = work.Wait()
	return cause
}

// open opens data directory, database, journal and the configuration in force.
func (d *Daemon) open(ctx context.Context, opened *closers) error {
	s := &d.opts.Settings
	if err := os.MkdirAll(s.Data, 0o700); err != nil {
		return fmt.Errorf("make data directory: %w; choose another one with --data", err)
	}
	unlock, err := lock(s.Data)
	if err != nil {
		return err
	}
	opened.add("data directory", unlock)

	d.journal, err = journal.Open(journal.Config{
		Dir: filepath.Join(s.Data, "journal"), URL: s.Journal.URL, Sync: journal.Sync(s.Journal.Sync),
		MaxAge: time.Duration(s.Journal.MaxAge), MaxBytes: int64(s.Journal.MaxSize), Reserve: int64(s.Journal.Reserve),
		Now: d.now, Wall: d.now, Log: d.log.With("room", "journal"), Metrics: journal.NewMetrics(d.registry),
	})
	if err != nil {
		return err
	}
	opened.add("journal", d.journal.Close)

	d.configs = newCatalogue(d.journal)
	if err := d.loadTemplates(); err != nil {
		return err
	}
	d.orders, err = store.Open(ctx, store.Config{
		URL: databaseURL(&s.Settings), Criticality: d.criticality, Template: d.template, Warranty: warranty, Effects: d.tell.effects(), Registerer: d.registry,
	})
	if err != nil {
		return err
	}
	opened.add("work orders", d.orders.Close)
	if s.Database.URL == "" { // in the data directory, which is ours alone
		if err := d.orders.ReclaimEffects(ctx, time.Now()); err != nil {
			return err
		}
	}
	d.tell.outbox.Queue = d.orders
	if id := d.opts.LocalPerson; id != "" {
		if _, err := d.orders.AddPerson(ctx, ticketing.Person{ID: id, Name: "Demo technician", Lang: s.Language}, d.now()); err != nil {
			return err
		}
	}
	d.greetCrew(ctx)

	if err := d.openInflux(); err != nil {
		return err
	}
	for _, b := range d.bundles {
		if err := d.openSite(ctx, b); err != nil {
			return err
		}
	}
	if err := d.inbound.open(d, opened); err != nil {
		return err
	}
	if err := d.control.open(d, opened); err != nil {
		return err
	}
	return d.board.open(d, opened)
}

func (d *Daemon) openSite(ctx context.Context, b *configs.Bundle) error {
	site := b.Site.ID
	w, err := d.journal.Writer(ctx, site)
	if err != nil {
		return err
	}
	d.writers[site] = w
	if err := d.configs.adopt(ctx, b, w); err != nil {
		return err
	}
	d.configs.enforce(b)
	c := &chain{
		site: site, log: d.log.With("site", site), journal: d.journal, orders: d.orders, configs: d.configs,
		now: w.Now, metrics: d.metrics, calls: make(chan func()), done: make(chan struct{}),
	}
	if d.opts.Settings.Devices.Publish {
		c.act = d.inbound.publisher(site)
	}
	if err := c.restore(ctx, w.Epoch()); err != nil {
		return err
	}
	d.chains[site] = c
	if d.influx != nil {
		cfg := *d.influx
		cfg.Site = site
		writer, err := history.NewWriter(cfg)
		if err != nil {
			return err
		}
		d.outlets = append(d.outlets, &historian{
			site: site, log: d.log.With("site", site), journal: d.journal, configs: d.configs,
			writer: writer, epoch: w.Epoch(), now: w.Now,
		})
	}
	return nil
}

func (d *Daemon) openInflux() error {
	cfg, err := HistoryConfig(&d.opts.Settings.Settings)
	if cfg == nil || err != nil {
		return err
	}
	cfg.Logger, cfg.Metrics = d.log.With("room", "history"), history.NewMetrics(d.registry)
	d.influx = cfg
	return nil
}

// HistoryConfig is how the InfluxDB of the settings is reached, for every site;
// nil when there is none.
func HistoryConfig(settings *configs.Settings) (*history.Config, error) {
	s := settings.InfluxDB
	if s.URL == "" {
		return nil, nil
	}
	token := string(s.Token)
	if s.TokenFile != "" {
		data, err := os.ReadFile(s.TokenFile)
		if err != nil {
			return nil, fmt.Errorf("read influxdb.token_file: %w", err)
		}
		token = strings.TrimSpace(string(data))
	}
	return &history.Config{URL: s.URL, Org: s.Org, Bucket: s.Bucket, Token: token}, nil
}

// criticality is asked by the store for the asset of an episode.
func (d *Daemon) criticality(site, asset string) devices.Criticality {
	b := d.configs.current(site)
	if b == nil {
		return devices.NormalAsset
	}
	for i := range b.Site.Assets {
		if b.Site.Assets[i].ID == asset {
			return b.Site.Assets[i].Criticality
		}
	}
	return devices.NormalAsset
}

// relayFacts carries what people did from SQL to the journal, where the rules
// see it. A fact that was journaled before a crash is recognised by its id.
func (d *Daemon) relayFacts(ctx context.Context, site string) error {
	w := d.writers[site]
	for {
		facts, err := d.orders.PendingFacts(ctx, site, 100)
		for _, f := range facts {
			var seq uint64
			if seq, err = w.Fact(ctx, f); err != nil {
				break
			}
			if err = d.orders.MarkFactJournaled(ctx, f.ID, seq); err != nil {
				break
			}
		}
		if err != nil && ctx.Err() == nil {
			d.log.Warn("facts from people wait for the journal", "site", site, "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(time.Second):
		}
	}
}

// announce prints where to look.
func (d *Daemon) announce() {
	fmt.Fprintf(d.opts.Out, "board  %s\n", d.board.url())
	for _, line := range d.inbound.lines() {
		fmt.Fprintln(d.opts.Out, line)
	}
}

// closers are named steps that are undone in reverse.
type closers struct {
	steps []closer
}

type closer struct {
	name  string
	close func() error
}

func (c *closers) add(name string, f func() error) { c.steps = append(c.steps, closer{name, f}) }

func (c *closers) close() error {
	var errs []error
	for i := len(c.steps) - 1; i >= 0; i-- {
		if err := c.steps[i].close(); err != nil {
			errs = append(errs, fmt.Errorf("close %s: %w", c.steps[i].name, err))
		}
	}
	return errors.Join(errs...)
}
