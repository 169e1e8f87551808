package history

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/facilityd/facilityd/devices"
	"github.com/facilityd/facilityd/devices/history/influxtest"
)

// memoryJournal is a source of records for the test of the pump alone. Like the
// real one it begins after the last acknowledged position when opened again.
type memoryJournal struct {
	mu      sync.Mutex
	records []*devices.Record
	grown   chan struct{}
	acked   uint64
	next    uint64
}

func newMemoryJournal() *memoryJournal {
	return &memoryJournal{grown: make(chan struct{}, 1), next: 1}
}

// add appends a record of n messages.
func (j *memoryJournal) add(n int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	seq := uint64(len(j.records) + 1)
	j.records = append(j.records, &devices.Record{
		Seq: seq, Kind: devices.Messages, Time: int64(seq) * second, Messages: make([]devices.Message, n),
	})
	select {
	case j.grown <- struct{}{}:
	default:
	}
}

func (j *memoryJournal) reopen() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.next = j.acked + 1
}

func (j *memoryJournal) Next(ctx context.Context) (*devices.Record, error) {
	for {
		j.mu.Lock()
		if j.next <= uint64(len(j.records)) {
			rec := j.records[j.next-1]
			j.next++
			j.mu.Unlock()
			return rec, nil
		}
		j.mu.Unlock()
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-j.grown:
		}
	}
}

func (j *memoryJournal) Ack(seq uint64) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.acked = seq
	return nil
}

func (j *memoryJournal) acknowledged() uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.acked
}

// decoder makes one reading of each message: flow = the message's number.
func decoder() func([]devices.Reading, *devices.Record) []devices.Reading {
	p := newEstate().point("p1", "pump", "flow", devices.Gauge)
	return func(dst []devices.Reading, rec *devices.Record) []devices.Reading {
		for i := range rec.Messages {
			dst = append(dst, devices.Reading{Point: p, Time: rec.Time + int64(i), Value: float64(rec.Seq)})
		}
		return dst
	}
}

// running starts a pump and returns it with a function that stops it.
func running(t *testing.T, cfg PumpConfig) (*Pump, func()) {
	t.Helper()
	cfg.Linger, cfg.RetryFrom, cfg.RetryUpTo = 10*time.Millisecond, 5*time.Millisecond, 50*time.Millisecond
	p := NewPump(cfg)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	stop := sync.OnceFunc(func() {
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("pump ended with %v", err)
		}
	})
	t.Cleanup(stop)
	return p, stop
}

// until polls for a condition.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.NewTimer(time.Minute)
	defer deadline.Stop()
	every := time.NewTicker(5 * time.Millisecond)
	defer every.Stop()
	for !ok() {
		select {
		case <-deadline.C:
			t.Fatalf("%s did not come true", what)
		case <-every.C:
		}
	}
}

func TestOutageLosesNothingAndDoublesNothing(t *testing.T) {
	server := influxtest.Start(t)
	bucket := server.Bucket(t)
	var log bytes.Buffer
	w := newWriter(t, func(c *Config) {
		c.URL, c.Bucket, c.Token = server.URL, bucket, server.Token
		c.Logger = slog.New(slog.NewTextHandler(&log, nil))
	})
	j := newMemoryJournal()
	cfg := PumpConfig{Source: j, Decode: decoder(), Writer: w, MaxReadings: 50}
	p, stop := running(t, cfg)
	for range 20 {
		j.add(10)
	}
	until(t, "the first part is stored", func() bool { return j.acknowledged() == 20 })

	server.Stop()
	for range 20 {
		j.add(10)
	}
	until(t, "the outage is visible", func() bool { return p.Status().Failing != nil })
	status := p.Status()
	var fault *Error
	if !errors.As(status.Failing, &fault) || fault.Fault != Unreachable || status.Lag == 0 || status.Position != 20 {
		t.Errorf("status: %+v", status)
	}
	if up := testutil.ToFloat64(w.cfg.Metrics.up.WithLabelValues("demo")); up != 0 {
		t.Errorf("up is %v", up)
	}
	if lag := testutil.ToFloat64(w.cfg.Metrics.lag.WithLabelValues("demo")); lag == 0 {
		t.Error("no lag is shown")
	}
	// The daemon is restarted in the middle of it.
	stop()
	j.reopen()
	cfg.Decode = decoder()
	p, stop = running(t, cfg)
	until(t, "the outage is visible again", func() bool { return p.Status().Failing != nil })

	if err := server.Restart(); err != nil {
		t.Fatal(err)
	}
	until(t, "everything is stored", func() bool { return j.acknowledged() == 40 })
	stop()
	if n := server.Count(t, bucket, "pump", "flow"); n != 400 {
		t.Errorf("%d values are stored, want 400", n)
	}
	if status := p.Status(); status.Failing != nil || status.Position != 40 {
		t.Errorf("status: %+v", status)
	}
	if up := testutil.ToFloat64(w.cfg.Metrics.up.WithLabelValues("demo")); up != 1 {
		t.Errorf("up is %v", up)
	}
	if got := log.String(); !bytes.Contains([]byte(got), []byte("readings wait in the journal")) || !bytes.Contains([]byte(got), []byte("stores again")) {
		t.Errorf("log:\n%s", got)
	}
}

func TestWrongTokenHoldsEverythingBack(t *testing.T) {
	w := newWriter(t, func(c *Config) { c.Token = "facilityd:wrong" })
	j := newMemoryJournal()
	p, stop := running(t, PumpConfig{Source: j, Decode: decoder(), Writer: w})
	j.add(3)
	until(t, "the failure is visible", func() bool { return p.Status().Failing != nil })
	stop()
	if j.acknowledged() != 0 {
		t.Error("something was acknowledged")
	}
	if n := testutil.ToFloat64(w.cfg.Metrics.failures.WithLabelValues(Unauthorized.String())); n == 0 {
		t.Error("the failure is not counted")
	}
	// With the right token it goes on from where it stood.
	good := newWriter(t, func(c *Config) { c.Bucket = w.cfg.Bucket })
	j.reopen()
	running(t, PumpConfig{Source: j, Decode: decoder(), Writer: good})
	until(t, "everything is stored", func() bool { return j.acknowledged() == 1 })
	if n := influx.Count(t, w.cfg.Bucket, "pump", "flow"); n != 3 {
		t.Errorf("%d values are stored, want 3", n)
	}
}

func TestRecordsWithoutReadingsAreAcknowledged(t *testing.T) {
	j := newMemoryJournal()
	running(t, PumpConfig{Source: j, Decode: decoder(), Writer: newWriter(t, defaults)})
	j.add(0)
	j.add(0)
	until(t, "both are acknowledged", func() bool { return j.acknowledged() == 2 })
}

func TestEqualEventsOfOneRecordStayTwo(t *testing.T) {
	e := newEstate()
	door := e.point("l1", "elevator", "door_fault", devices.Event)
	floor := e.point("l1", "elevator", "floor", devices.State)
	decode := func(dst []devices.Reading, rec *devices.Record) []devices.Reading {
		for range 3 {
			dst = append(dst,
				devices.Reading{Point: door, Time: rec.Time, Text: "E17"},
				devices.Reading{Point: floor, Time: rec.Time, Value: 3})
		}
		return dst
	}
	w := newWriter(t, defaults)
	j := newMemoryJournal()
	running(t, PumpConfig{Source: j, Decode: decode, Writer: w})
	j.add(1)
	j.add(1)
	until(t, "both are stored", func() bool { return j.acknowledged() == 2 })
	if n := len(field(t, w, "elevator", "door_fault")); n != 6 {
		t.Errorf("%d events are stored, want 6", n)
	}
	if n := len(field(t, w, "elevator", "floor")); n != 2 {
		t.Errorf("%d states are stored, want 2", n)
	}
}

// stubbornSource gives each record twice and then fails.
type stubbornSource struct {
	seqs  []uint64
	acked []uint64
}

var errSource = errors.New("stream closed")

func (s *stubbornSource) Next(context.Context) (*devices.Record, error) {
	if len(s.seqs) == 0 {
		return nil, errSource
	}
	rec := &devices.Record{Seq: s.seqs[0], Time: 1}
	s.seqs = s.seqs[1:]
	return rec, nil
}

func (s *stubbornSource) Ack(seq uint64) error {
	s.acked = append(s.acked, seq)
	return nil
}

func TestARecordGivenTwiceIsDecodedOnceAndAFailedSourceEndsThePump(t *testing.T) {
	src := &stubbornSource{seqs: []uint64{1, 1, 2, 1, 2, 3}}
	var decoded []uint64
	p := NewPump(PumpConfig{Source: src, Writer: newWriter(t, defaults), Linger: time.Hour,
		Decode: func(dst []devices.Reading, rec *devices.Record) []devices.Reading {
			decoded = append(decoded, rec.Seq)
			return dst
		}})
	if err := p.Run(t.Context()); !errors.Is(err, errSource) {
		t.Errorf("ended with %v", err)
	}
	if !slices.Equal(decoded, []uint64{1, 2, 3}) {
		t.Errorf("decoded %v", decoded)
	}
}

func TestPausesGrowToTheirBoundAndHeedTheServer(t *testing.T) {
	w := newWriter(t, func(c *Config) { c.Bucket = "b" })
	p := NewPump(PumpConfig{Writer: w})
	first := p.failed(&Error{Fault: Unreachable, text: "away"})
	if first < 375*time.Millisecond || first > 625*time.Millisecond {
		t.Errorf("first pause %v", first)
	}
	var last time.Duration
	for range 100 {
		last = p.failed(&Error{Fault: Unreachable, text: "away"})
	}
	if last < 22*time.Second || last > 38*time.Second {
		t.Errorf("last pause %v", last)
	}
	if d := p.failed(&Error{Fault: Overloaded, RetryAfter: 2 * time.Minute, text: "later"}); d != 2*time.Minute {
		t.Errorf("pause %v after a wish of 2m", d)
	}
	if d := p.failed(&Error{Fault: Overloaded, RetryAfter: 24 * time.Hour, text: "tomorrow"}); d != 10*time.Minute {
		t.Errorf("pause %v after a wish of a day", d)
	}
	p.recovered()
	if p.Status().Failing != nil {
		t.Error("still failing")
	}
	if again := p.failed(fmt.Errorf("odd")); again > time.Second {
		t.Errorf("first pause of the next outage %v", again)
	}
}
