package backtest

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"github.com/facilityd/facilityd/devices"
	"github.com/facilityd/facilityd/rules"
)

// Config is what a run is made of.
type Config struct {
	Site  *devices.Site
	Rules *rules.Set
	// Registry holds the devices and points of the readings that Apply is given.
	// It may grow between two calls.
	Registry *devices.Registry
	// Live says that the records are a journal's, with time records, links and
	// facts. Otherwise the run adds what the engine needs of them: one connection
	// that is up, and time that passes.
	Live bool
	// Workers is how many engines judge groups of assets side by side; at least
	// one. A journal is judged by one.
	Workers int
	// Brief keeps of the evidence of each step the sentence only.
	Brief bool
}

// A Run puts one stream through one set of rules. Apply and Swap belong to one
// goroutine; the engines work beside it. Finish must be called.
type Run struct {
	cfg     Config
	groups  groups
	route   []int32 // worker by Device.Index
	loads   []int   // devices by worker
	devices int     // how many of the registry are known to the workers
	points  int
	places  []spot // by Point.Index
	workers []*worker
	done    sync.WaitGroup
	started bool
}

// spot is where a point of the registry is judged.
type spot struct{ worker, index int32 }

// connection is the one that a run without a journal has.
const connection = "recorded"

// NewRun starts a run.
func NewRun(cfg Config) *Run {
	r := &Run{cfg: cfg, groups: groupsOf(cfg.Site)}
	n := max(1, cfg.Workers)
	if cfg.Live {
		n = 1
	}
	for range n {
		w := &worker{
			live: cfg.Live, brief: cfg.Brief, in: make(chan *batch, 4), free: make(chan *batch, 8),
			registry: devices.NewRegistry(), current: new(batch),
		}
		w.engine = rules.NewEngine(cfg.Rules, cfg.Site, w.registry)
		r.workers = append(r.workers, w)
		r.done.Go(w.work)
	}
	r.loads = make([]int, n)
	return r
}

// full is how many readings a worker is given at a time.
const full = 4096

// Apply takes the next record and what was decoded from it.
func (r *Run) Apply(rec *devices.Record, readings []devices.Reading) {
	if !r.started {
		r.start(rec)
	}
	r.introduce()
	it := item{rec: *rec}
	it.rec.Messages = nil // the engine reads the readings only
	if len(r.workers) == 1 {
		r.hand(r.workers[0], it, readings)
		return
	}
	if len(readings) == 0 {
		for _, w := range r.workers {
			r.hand(w, it, nil)
		}
		return
	}
	for k := 0; k < len(readings); { // one device after the other: each belongs to one worker
		at := r.places[readings[k].Point.Index].worker
		n := k + 1
		for n < len(readings) && r.places[readings[n].Point.Index].worker == at {
			n++
		}
		r.hand(r.workers[at], it, readings[k:n])
		k = n
	}
}

// start opens the connection of a run without a journal.
func (r *Run) start(first *devices.Record) {
	r.started = true
	if r.cfg.Live {
		return
	}
	for _, w := range r.workers {
		r.hand(w, item{rec: devices.Record{Kind: devices.Start, Site: first.Site, Time: first.Time}}, nil)
		r.hand(w, item{rec: devices.Record{Kind: devices.LinkState, Site: first.Site, Time: first.Time, Connection: connection, Link: devices.Link{Up: true}}}, nil)
	}
}

// Swap takes another configuration over at a ConfigVersion record.
func (r *Run) Swap(rec *devices.Record, set *rules.Set, site *devices.Site) {
	r.introduce()
	it := item{rec: *rec, swap: &swap{set: set, site: site}}
	for _, d := range r.cfg.Registry.Devices() {
		it.swap.devices = append(it.swap.devices, *d)
	}
	for _, w := range r.workers {
		r.hand(w, it, nil)
	}
}

// introduce makes new devices and points known to the workers that judge them.
func (r *Run) introduce() {
	known := r.cfg.Registry.Devices()
	for ; r.devices < len(known); r.devices++ {
		d := known[r.devices]
		at := r.groups.worker(cmp.Or(d.Asset, d.ID), r.loads)
		r.loads[at]++
		r.route = append(r.route, int32(at))
		w := r.workers[at]
		w.current.news = append(w.current.news, news{device: *d})
	}
	points := r.cfg.Registry.Points()
	for ; r.points < len(points); r.points++ {
		p := points[r.points]
		w := r.workers[r.route[p.Device.Index]]
		r.places = append(r.places, spot{r.route[p.Device.Index], int32(w.points)})
		w.points++
		w.current.news = append(w.current.news, news{device: devices.Device{ID: p.Device.ID}, point: *p, isPoint: true})
	}
}

func (r *Run) hand(w *worker, it item, readings []devices.Reading) {
	b := w.current
	it.news, it.end = len(b.news), len(b.readings)+len(readings)
	for k := range readings {
		b.readings = append(b.readings, readings[k])
		b.index = append(b.index, r.places[readings[k].Point.Index].index)
	}
	b.items = append(b.items, it)
	if len(b.readings) >= full || len(b.items) >= full {
		r.send(w)
	}
}

func (r *Run) send(w *worker) {
	w.in <- w.current
	select {
	case w.current = <-w.free:
	default:
		w.current = new(batch)
	}
}

// Finish ends the run at a time and returns what came of it. A journal ends where
// its records end.
func (r *Run) Finish(until time.Time) *Outcome {
	for _, w := range r.workers {
		w.until = until.UnixNano()
		r.send(w)
		close(w.in)
	}
	r.done.Wait()
	out := new(Outcome)
	for _, w := range r.workers {
		out.Steps = append(out.Steps, w.steps...)
		out.Watches = append(out.Watches, w.engine.Watches()...)
		out.Tasks = append(out.Tasks, w.engine.Tasks()...)
		s := w.engine.Stats()
		out.Readings += s.Readings
	}
	if len(r.workers) > 1 {
		slices.SortStableFunc(out.Steps, compareSteps)
		slices.SortFunc(out.Watches, func(a, b rules.Watch) int {
			return cmp.Or(cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.Asset, b.Asset))
		})
		slices.SortFunc(out.Tasks, func(a, b rules.Task) int {
			return cmp.Or(cmp.Compare(a.Asset, b.Asset), cmp.Compare(a.Fact.Name, b.Fact.Name))
		})
	}
	return out
}

// compareSteps orders the steps of several engines.
func compareSteps(a, b rules.Transition) int {
	return cmp.Or(cmp.Compare(a.Seq, b.Seq), cmp.Compare(a.Episode.Asset, b.Episode.Asset),
		cmp.Compare(a.Episode.FaultClass, b.Episode.FaultClass), cmp.Compare(a.Ordinal, b.Ordinal))
}

// An Outcome is what a run came to.
type Outcome struct {
	Steps    []rules.Transition // in the order of the records
	Watches  []rules.Watch      // which rules looked at which assets
	Tasks    []rules.Task       // facts that rules wait for
	Readings uint64
}

// A batch is what a worker is given at a time.
type batch struct {
	news     []news
	items    []item
	readings []devices.Reading
	index    []int32 // the worker's own number of each reading's point
}

// news is a device, or a point, that the worker meets for the first time.
type news struct {
	device  devices.Device
	point   devices.Point
	isPoint bool
}

// item is one record. News before news and readings before end belong to it.
type item struct {
	rec       devices.Record
	news, end int
	swap      *swap
}

type swap struct {
	set     *rules.Set
	site    *devices.Site
	devices []devices.Device
}

// A worker is one engine with a registry of its own.
type worker struct {
	live     bool
	brief    bool
	in, free chan *batch
	registry *devices.Registry
	engine   *rules.Engine
	mine     []*devices.Point // by the worker's own number
	steps    []rules.Transition
	until    int64

	// Of the goroutine that feeds it.
	current *batch
	points  int
}

func (w *worker) work() {
	for b := range w.in {
		news, from := 0, 0
		for k := range b.items {
			it := &b.items[k]
			for ; news < it.news; news++ {
				w.meet(&b.news[news])
			}
			readings := b.readings[from:it.end]
			for k := range readings {
				readings[k].Point = w.mine[b.index[from+k]]
			}
			from = it.end
			w.take(it, readings)
		}
		clear(b.readings) // points of another registry
		b.news, b.items, b.readings, b.index = b.news[:0], b.items[:0], b.readings[:0], b.index[:0]
		select {
		case w.free <- b:
		default:
		}
	}
	w.pass(w.until)
}

func (w *worker) meet(n *news) {
	if !n.isPoint {
		w.registry.Add(n.device)
		return
	}
	w.mine = append(w.mine, w.registry.AddPoint(w.registry.Lookup([]byte(n.device.ID)), n.point))
}

func (w *worker) take(it *item, readings []devices.Reading) {
	if it.swap != nil {
		for _, d := range it.swap.devices {
			// What a configuration says of a device; its place and points stay.
			have := w.registry.Lookup([]byte(d.ID))
			d.Index, d.Points = have.Index, have.Points
			*have = d
		}
		w.keep(w.engine.Swap(&it.rec, it.swap.set, it.swap.site))
		return
	}
	w.pass(it.rec.Time - 1)
	w.keep(w.engine.Apply(&it.rec, readings))
}

// pass lets time pass without a record, where no journal does.
func (w *worker) pass(upTo int64) {
	if w.live {
		return
	}
	for at, ok := w.engine.NextWake(upTo); ok; at, ok = w.engine.NextWake(upTo) {
		w.keep(w.engine.Apply(&devices.Record{Kind: devices.Tick, Seq: position(at), Time: at}, nil))
	}
}

func (w *worker) keep(steps []rules.Transition) {
	from := len(w.steps)
	w.steps = append(w.steps, steps...)
	for k := from; k < len(w.steps) && w.brief; k++ {
		if ev := w.steps[k].Evidence; ev != nil {
			w.steps[k].Evidence = &rules.Evidence{Reason: ev.Reason}
		}
	}
}

// position stands for the place of a record where there is no journal: the same
// record has the same one however many engines share the work.
func position(t int64) uint64 { return uint64(t) / 1000 }
