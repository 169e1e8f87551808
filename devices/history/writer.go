package history

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	influxdb "github.com/influxdata/influxdb-client-go/v2"
	"github.com/influxdata/influxdb-client-go/v2/api"

	"github.com/facilityd/facilityd/devices"
)

// Config says where readings go.
type Config struct {
	URL    string // http://influx.example:8086
	Org    string // organisation; InfluxDB 1.8 ignores it
	Bucket string // bucket; database/retention-policy on InfluxDB 1.8
	Token  string // may write to Bucket; user:password on InfluxDB 1.8
	Site   string // value of the tag site
	// Timeout bounds one write; default 30 s.
	Timeout time.Duration
	// Gzip compresses what is sent: worth it over a network, not on one machine.
	Gzip bool
	// TLS is used for https addresses; nil for the system's certificates.
	TLS     *tls.Config
	Metrics *Metrics     // nil for none
	Logger  *slog.Logger // nil for the default
}

// conflictMemory is how long a field that met another type is not offered again.
// Without it a field that is refused in every batch would cost a search for it in
// every batch.
const conflictMemory = time.Minute

// keptRejections is how many rejections Writer.Rejections shows.
const keptRejections = 20

// Writer writes batches of readings of one site. Write belongs to one goroutine,
// the rest is safe for all.
type Writer struct {
	cfg    Config
	client influxdb.Client
	api    api.WriteAPIBlocking
	lines  lines
	// conflicts holds the fields that the server refuses by type.
	conflicts map[conflictKey]conflict

	mu         sync.Mutex
	rejections []Rejection // newest last
}

type conflictKey struct{ class, point string }

type conflict struct {
	message string
	until   time.Time
}

// NewWriter prepares a writer; it does not touch the network.
func NewWriter(cfg Config) (*Writer, error) {
	if cfg.URL == "" || cfg.Bucket == "" {
		return nil, errors.New("history needs the address and the bucket of an InfluxDB")
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = 30 * time.Second
	}
	if cfg.Metrics == nil {
		cfg.Metrics = NewMetrics(nil)
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = cfg.TLS
	options := influxdb.DefaultOptions().
		SetPrecision(time.Nanosecond).
		SetUseGZip(cfg.Gzip).
		SetApplicationName("facilityd").
		SetHTTPClient(&http.Client{
			Timeout:   cfg.Timeout,
			Transport: strictWrites{transport},
			// A redirected POST becomes a GET that succeeds and stores nothing.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		})
	client := influxdb.NewClientWithOptions(cfg.URL, cfg.Token, options)
	return &Writer{
		cfg:       cfg,
		client:    client,
		api:       client.WriteAPIBlocking(cfg.Org, cfg.Bucket),
		lines:     lines{site: cfg.Site},
		conflicts: make(map[conflictKey]conflict),
	}, nil
}

// Close ends idle connections.
func (w *Writer) Close() { w.client.Close() }

// Health asks the server how it is. A failure is worth a warning, not more: not
// every server that takes writes has the health call.
func (w *Writer) Health(ctx context.Context) error {
	check, err := w.client.Health(ctx)
	if err != nil {
		return fmt.Errorf("ask InfluxDB at %s for its health: %w", w.cfg.URL, err)
	}
	if check.Status != "pass" {
		message := ""
		if check.Message != nil {
			message = *check.Message
		}
		return fmt.Errorf("InfluxDB at %s is not well: %s", w.cfg.URL, message)
	}
	return nil
}

// Write stores readings. When it returns nil each of them is stored or rejected
// for good (counted, and shown by Rejections). Otherwise the error is an *Error
// or the context's, some of the readings may be stored, and the same readings
// must be written again, which changes nothing for those that were.
func (w *Writer) Write(ctx context.Context, readings []devices.Reading) error {
	var done tally
	if err := w.write(ctx, readings, &done); err != nil {
		return err
	}
	w.settle(&done)
	return nil
}

// tally counts what became of the readings of one Write, so that a batch that is
// tried again is not counted twice.
type tally struct {
	stored   int
	rejected map[Reason]int
	last     []Rejection
}

func (t *tally) reject(reason Reason, n int) {
	if t.rejected == nil {
		t.rejected = make(map[Reason]int)
	}
	t.rejected[reason] += n
}

// write sends readings and searches for those that the server refuses by halving.
func (w *Writer) write(ctx context.Context, readings []devices.Reading, done *tally) error {
	w.lines.reset()
	offered := 0
	for i := range readings {
		r := &readings[i]
		if c, refused := w.conflictOf(r); refused {
			w.note(r, Conflict, c.message, done)
			continue
		}
		w.lines.add(r)
		offered++
	}
	w.lines.finish()
	if offered == 0 {
		return nil
	}
	err := w.send(ctx)
	var data *dataError
	switch {
	case err == nil:
		done.stored += offered
		return nil
	case errors.As(err, &data) && data.reason == Retention && 0 < data.dropped && data.dropped <= len(w.lines.times):
		w.rejectOldest(readings, offered, data, done)
		return nil
	case data != nil && len(readings) == 1:
		w.rejectOne(&readings[0], data, done)
		return nil
	case errors.Is(err, errTooLarge) && len(readings) == 1:
		w.rejectOne(&readings[0], &dataError{reason: Unparsed, message: "larger than the server takes"}, done)
		return nil
	case data != nil || errors.Is(err, errTooLarge):
		half := len(readings) / 2
		if err := w.write(ctx, readings[:half], done); err != nil {
			return err
		}
		return w.write(ctx, readings[half:], done)
	default:
		return err
	}
}

// send posts the buffer. The copy is needed: the transport may still read the
// body after a cancelled request has returned.
func (w *Writer) send(ctx context.Context) error {
	start := time.Now()
	err := w.api.WriteRecord(ctx, string(w.lines.buf))
	w.cfg.Metrics.writeSeconds.Observe(time.Since(start).Seconds())
	if err == nil {
		w.cfg.Metrics.writes.Inc()
		return nil
	}
	return w.classify(ctx, err)
}

// conflictOf returns the conflict that a reading would meet, as far as it is known.
func (w *Writer) conflictOf(r *devices.Reading) (conflict, bool) {
	if len(w.conflicts) == 0 {
		return conflict{}, false
	}
	key := conflictKey{r.Point.Device.Class, r.Point.Name}
	c, ok := w.conflicts[key]
	if ok && time.Now().After(c.until) {
		delete(w.conflicts, key)
		return conflict{}, false
	}
	return c, ok
}

// rejectOldest books a batch of which the server stored all but the lines older
// than its retention: it says how many, and age alone decides which.
func (w *Writer) rejectOldest(readings []devices.Reading, offered int, data *dataError, done *tally) {
	slices.Sort(w.lines.times)
	newest := w.lines.times[data.dropped-1]
	for i := range readings {
		r := &readings[i]
		if _, refused := w.conflictOf(r); !refused && r.Time <= newest {
			w.note(r, Retention, data.message, done)
			offered--
		}
	}
	done.stored += offered
}

func (w *Writer) rejectOne(r *devices.Reading, data *dataError, done *tally) {
	if data.reason == Conflict {
		key := conflictKey{r.Point.Device.Class, r.Point.Name}
		w.conflicts[key] = conflict{message: data.message, until: time.Now().Add(conflictMemory)}
		w.cfg.Logger.Warn("history: a field has another type in InfluxDB; its readings are rejected",
			"class", r.Point.Device.Class, "point", r.Point.Name, "server", data.message)
	}
	w.note(r, data.reason, data.message, done)
}

func (w *Writer) note(r *devices.Reading, reason Reason, message string, done *tally) {
	done.reject(reason, 1)
	if len(done.last) == keptRejections {
		done.last = append(done.last[:0], done.last[1:]...)
	}
	done.last = append(done.last, Rejection{
		Time: r.At(), Device: r.Point.Device.ID, Point: r.Point.Name, Reason: reason, Message: message,
	})
}

// settle books the outcome of a whole batch.
func (w *Writer) settle(done *tally) {
	w.cfg.Metrics.stored.Add(float64(done.stored))
	for reason, n := range done.rejected {
		w.cfg.Metrics.rejected.WithLabelValues(string(reason)).Add(float64(n))
	}
	if len(done.last) == 0 {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.rejections = append(w.rejections, done.last...)
	if over := len(w.rejections) - keptRejections; over > 0 {
		w.rejections = append(w.rejections[:0], w.rejections[over:]...)
	}
}

// Rejections returns the newest readings that the server would not take, oldest
// first, at most 20.
func (w *Writer) Rejections() []Rejection {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]Rejection(nil), w.rejections...)
}

// notInfluxError is a success that InfluxDB would not answer to a write.
type notInfluxError struct{ status string }

func (e *notInfluxError) Error() string { return "unexpected answer to a write: " + e.status }

// strictWrites takes 204 alone for a successful write. A proxy, a sign-in page or
// the wrong port answers 200 to everything, and readings would be acknowledged
// that nobody stored.
type strictWrites struct{ next http.RoundTripper }

func (t strictWrites) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := t.next.RoundTrip(req)
	if err != nil || !strings.HasSuffix(req.URL.Path, "/write") ||
		resp.StatusCode == http.StatusNoContent || resp.StatusCode >= 400 {
		return resp, err
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10))
	_ = resp.Body.Close()
	return nil, &notInfluxError{resp.Status}
}
