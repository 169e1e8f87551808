package journal

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Sync says when a record is flushed to the disk.
type Sync string

// The ways to flush.
const (
	// SyncAlways flushes every batch before its messages are acknowledged: a
	// power cut loses nothing that a broker was told it may forget.
	SyncAlways Sync = "always"
	// SyncEvery flushes every Config.SyncInterval: a killed process loses
	// nothing, a power cut loses up to the interval.
	SyncEvery Sync = "interval"
)

// Config holds the settings of a Journal. Only Dir (or URL) is required.
type Config struct {
	// Dir is the embedded engine's own directory. It is made when it is missing.
	Dir string
	// URL of an existing NATS cluster with JetStream; the embedded engine is not
	// started then and Dir is not used.
	URL             string
	CredentialsFile string // NATS credentials for URL
	CAFile          string // certificate authority of URL
	Replicas        int    // copies in the cluster; default 1

	Sync         Sync          // default SyncAlways
	SyncInterval time.Duration // with SyncEvery; default 1 s

	// A batch is written when it is FlushInterval old, or FlushBytes or
	// FlushMessages large, whatever comes first. Default 5 ms, 256 KB, 2,048.
	FlushInterval time.Duration
	FlushBytes    int
	FlushMessages int
	// QueueBytes bounds what waits for the disk; beyond it Offer refuses.
	// Default 64 MB.
	QueueBytes int

	// MaxAge and MaxBytes bound the journal of each site. What is older than
	// MaxAge goes as soon as every registered reader is behind it; beyond
	// MaxBytes the oldest goes even unread, which is counted and logged.
	// Default 35 days and 20 GB; negative means no bound.
	MaxAge   time.Duration
	MaxBytes int64
	// Reserve is the free space on the disk of Dir below which nothing is
	// written; writing goes on at one and a half times of it. Default 1 GB;
	// negative means none.
	Reserve int64

	// TickInterval: after so long without a record the writer appends the time.
	// Default 1 s.
	TickInterval time.Duration

	// Now is the clock that records are timed by; default time.Now. A clock that
	// runs at another speed (estate clock) goes here.
	Now func() time.Time
	// Wall is the wall clock that is watched for steps against Now's monotonic
	// reading; default Now.
	Wall func() time.Time
	// FreeSpace returns the free bytes of the disk that holds dir; default asks
	// the operating system. A seam for tests.
	FreeSpace func(dir string) (int64, error)

	StartTimeout   time.Duration // for the embedded engine; default 30 s
	RequestTimeout time.Duration // for one request to the engine; default 5 s

	Log     *slog.Logger // default slog.Default()
	Metrics *Metrics     // default: counted, published nowhere
}

func (c Config) withDefaults() (Config, error) {
	set := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	setInt := func(n *int, v int) {
		if *n <= 0 {
			*n = v
		}
	}
	switch c.Sync {
	case "":
		c.Sync = SyncAlways
	case SyncAlways, SyncEvery:
	default:
		return c, fmt.Errorf("journal.sync is %q: use %q or %q", c.Sync, SyncAlways, SyncEvery)
	}
	if c.Dir == "" && c.URL == "" {
		return c, errors.New("open journal: neither a directory nor the URL of a cluster is set")
	}
	set(&c.SyncInterval, time.Second)
	set(&c.FlushInterval, 5*time.Millisecond)
	set(&c.TickInterval, time.Second)
	set(&c.StartTimeout, 30*time.Second)
	set(&c.RequestTimeout, 5*time.Second)
	set(&c.MaxAge, 35*24*time.Hour)
	setInt(&c.FlushBytes, 256<<10)
	setInt(&c.FlushMessages, 2048)
	setInt(&c.QueueBytes, 64<<20)
	setInt(&c.Replicas, 1)
	if c.MaxBytes == 0 {
		c.MaxBytes = 20 << 30
	}
	if c.Reserve == 0 {
		c.Reserve = 1 << 30
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Wall == nil {
		c.Wall = c.Now
	}
	if c.FreeSpace == nil {
		c.FreeSpace = freeSpace
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.Metrics == nil {
		c.Metrics = NewMetrics(nil)
	}
	return c, nil
}

var (
	// ErrFenced: another worker has taken over the site with a newer epoch; this
	// one may write nothing any more.
	ErrFenced = errors.New("another worker writes this site now")
	// ErrClosed: the journal was closed.
	ErrClosed = errors.New("journal is closed")
	// ErrNotFound: the bucket has no such key.
	ErrNotFound = errors.New("no such key")
)

// A Journal is the durable, ordered memory of all sites of one daemon.
type Journal struct {
	cfg     Config
	metrics *Metrics

	mu     sync.Mutex
	engine *engine
	sites  map[string]*partition
	closed bool
}

// A partition is the journal of one site: its stream of records and its bucket,
// as the engine that is open now knows them.
type partition struct {
	site    string
	engine  *engine
	stream  jetstream.Stream
	bucket  jetstream.Stream
	limit   int    // largest record, in bytes
	subject string // prefix of the subjects of the records
	keys    string // prefix of the subjects of the bucket

	registered sync.Map // names of consumers that are known to exist
}

// Open opens the journal, starting the embedded engine or connecting to the
// cluster.
func Open(cfg Config) (*Journal, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	if cfg.URL == "" {
		if err := writable(cfg.Dir); err != nil {
			return nil, err
		}
	}
	e, err := openEngine(cfg, 1)
	if err != nil {
		return nil, err
	}
	return &Journal{cfg: cfg, metrics: cfg.Metrics, engine: e, sites: make(map[string]*partition)}, nil
}

// writable makes the directory and proves that a file can be written in it:
// the engine's own message for this is not for people.
func writable(dir string) error {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return fmt.Errorf("make journal directory: %w: give facilityd the right to write there, or set another directory", err)
	}
	f, err := os.CreateTemp(dir, ".writable-*")
	if err != nil {
		return fmt.Errorf("write to journal directory: %w: give facilityd the right to write there, or set another directory", err)
	}
	f.Close()
	return os.Remove(f.Name())
}

// Close ends the connection to the engine, and the embedded engine itself. Stop
// the writers (cancel their Run) first: what they still hold is not written
// after this.
func (j *Journal) Close() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.closed {
		return nil
	}
	j.closed = true
	j.engine.close()
	return nil
}

// token makes one subject token of any text: letters, digits, _ and - stay as
// they are, anything else is written in base64 behind an equals sign.
func token(s string) string {
	plain := s != ""
	for i := 0; i < len(s) && plain; i++ {
		c := s[i]
		plain = c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-'
	}
	if plain {
		return s
	}
	return "=" + base64.RawURLEncoding.EncodeToString([]byte(s))
}

// untoken is the reverse of token.
func untoken(t string) (string, error) {
	if len(t) == 0 || t[0] != '=' {
		return t, nil
	}
	b, err := base64.RawURLEncoding.DecodeString(t[1:])
	return string(b), err
}

// partition returns the site's streams on the engine that is open now, making
// them when the site is new.
func (j *Journal) partition(ctx context.Context, site string) (*partition, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.closed {
		return nil, ErrClosed
	}
	if site == "" {
		return nil, errors.New("open journal of a site: the site has no id")
	}
	if p := j.sites[site]; p != nil && p.engine == j.engine {
		return p, nil
	}
	return j.openPartition(ctx, site, 0)
}

// openPartition makes or opens the streams of a site; a first position other than
// 0 is for a restored journal, whose oldest records are gone. j.mu is held.
func (j *Journal) openPartition(ctx context.Context, site string, first uint64) (*partition, error) {
	p := &partition{site: site, engine: j.engine, subject: "facilityd.journal." + token(site), keys: "facilityd.bucket." + token(site)}
	p.limit = int(j.engine.conn.MaxPayload()) - 4096 // room for headers
	var err error
	records := j.recordStream(p)
	records.FirstSeq = first
	if p.stream, err = j.engine.ensureStream(ctx, records); err != nil {
		return nil, err
	}
	if p.bucket, err = j.engine.ensureStream(ctx, j.bucketStream(p)); err != nil {
		return nil, err
	}
	j.sites[site] = p
	return p, nil
}

func (j *Journal) recordStream(p *partition) jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name:        "facilityd_journal_" + token(p.site),
		Description: "facilityd: what was received at site " + p.site,
		Subjects:    []string{p.subject + ".>"},
		Storage:     jetstream.FileStorage,
		Retention:   jetstream.LimitsPolicy, // retention is ours: see retention.go
		MaxAge:      0, MaxBytes: -1, MaxMsgs: -1,
		Discard:     jetstream.DiscardNew,
		Replicas:    j.cfg.Replicas,
		AllowDirect: true,
		DenyDelete:  true,
		Duplicates:  2 * time.Minute,
	}
}

func (j *Journal) bucketStream(p *partition) jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name:              "facilityd_bucket_" + token(p.site),
		Description:       "facilityd: checkpoints of site " + p.site,
		Subjects:          []string{p.keys + ".>"},
		Storage:           jetstream.FileStorage,
		Retention:         jetstream.LimitsPolicy,
		MaxMsgsPerSubject: 1,
		MaxBytes:          -1, MaxMsgs: -1,
		Discard:     jetstream.DiscardOld,
		Replicas:    j.cfg.Replicas,
		AllowDirect: true,
		Duplicates:  2 * time.Minute,
	}
}

// replaceEngine closes the embedded engine and opens it again, unless somebody
// did so since failed was in use. A stream of the embedded engine that once met
// a full disk refuses every write until then. For a cluster it does nothing:
// its client reconnects by itself.
func (j *Journal) replaceEngine(failed *engine) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.closed {
		return ErrClosed
	}
	if j.engine != failed || failed.server == nil {
		return nil
	}
	j.cfg.Log.Warn("journal engine is closed and opened again after a write error", "dir", j.cfg.Dir)
	failed.close()
	e, err := openEngine(j.cfg, failed.number+1)
	if err != nil {
		return err
	}
	j.engine = e
	j.metrics.EngineRestarts.Inc()
	return nil
}

// Sites lists the sites that the journal holds, in the order of their names.
func (j *Journal) Sites(ctx context.Context) ([]string, error) {
	j.mu.Lock()
	e, closed := j.engine, j.closed
	j.mu.Unlock()
	if closed {
		return nil, ErrClosed
	}
	const prefix = "facilityd_journal_"
	var sites []string
	names := e.js.StreamNames(ctx, jetstream.WithStreamListSubject("facilityd.journal.*.>"))
	for name := range names.Name() {
		if len(name) > len(prefix) && name[:len(prefix)] == prefix {
			site, err := untoken(name[len(prefix):])
			if err != nil {
				continue // a stream of somebody else with a like name
			}
			sites = append(sites, site)
		}
	}
	if err := names.Err(); err != nil {
		return nil, fmt.Errorf("list sites of the journal: %w", err)
	}
	return sites, nil
}

// Bounds returns the positions of the oldest and the newest record of the site
// and its size in bytes. An empty journal has last = first - 1.
func (j *Journal) Bounds(ctx context.Context, site string) (first, last uint64, size int64, err error) {
	p, err := j.partition(ctx, site)
	if err != nil {
		return 0, 0, 0, err
	}
	info, err := p.stream.Info(ctx)
	if err != nil {
		return 0, 0, 0, fmt.Errorf("ask journal of %s for its bounds: %w", site, err)
	}
	s := info.State
	if s.Msgs == 0 {
		return s.LastSeq + 1, s.LastSeq, int64(s.Bytes), nil
	}
	return s.FirstSeq, s.LastSeq, int64(s.Bytes), nil
}
