package history

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strings"
	"time"

	influxdb "github.com/influxdata/influxdb-client-go/v2"
	"github.com/influxdata/influxdb-client-go/v2/api"

	"github.com/facilityd/facilityd/devices"
)

// A Stored reading is what InfluxDB holds of one point at one time. It knows
// names only: what the point means is not in the schema.
type Stored struct {
	Class, Asset, Device, Point string
	Time                        int64   // Unix nanoseconds
	Value                       float64 // NaN when there is no number
	Text                        string
	Quality                     devices.Quality
}

// A Reader reads back what a [Writer] wrote of one site.
type Reader struct {
	cfg    Config
	client influxdb.Client
	api    api.QueryAPI
}

// NewReader prepares a reader; it does not touch the network.
func NewReader(cfg Config) (*Reader, error) {
	if cfg.URL == "" || cfg.Bucket == "" {
		return nil, errors.New("history needs the address and the bucket of an InfluxDB")
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = 2 * time.Minute // a query reads more than a write sends
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = cfg.TLS
	client := influxdb.NewClientWithOptions(cfg.URL, cfg.Token, influxdb.DefaultOptions().
		SetApplicationName("facilityd").
		SetHTTPClient(&http.Client{Timeout: cfg.Timeout, Transport: transport}))
	return &Reader{cfg: cfg, client: client, api: client.QueryAPI(cfg.Org)}, nil
}

// Close ends idle connections.
func (r *Reader) Close() { r.client.Close() }

// A query is made of one window after the other, so that what is held at a time
// stays small whatever the stretch; the windows grow and shrink with what is in them.
const (
	firstWindow = time.Hour
	minWindow   = time.Minute
	maxWindow   = 7 * 24 * time.Hour
	perWindow   = 200_000 // readings aimed at
)

// Read hands on every reading of the site in [from, to), in the order of time.
// Between two windows it tells progress up to when it has read; nil for nobody.
func (r *Reader) Read(ctx context.Context, from, to time.Time, take func(*Stored) error, progress func(time.Time)) error {
	window := firstWindow
	for at := from; at.Before(to); {
		end := at.Add(window)
		if end.After(to) {
			end = to
		}
		got, err := r.window(ctx, at, end)
		if err != nil {
			return fmt.Errorf("read InfluxDB at %s, bucket %s, from %s: %w", r.cfg.URL, r.cfg.Bucket, at.UTC().Format(time.RFC3339), err)
		}
		for i := range got {
			if err := take(&got[i]); err != nil {
				return err
			}
		}
		if at = end; progress != nil {
			progress(at)
		}
		switch n := len(got); {
		case n > 2*perWindow:
			window = max(minWindow, window/2)
		case n < perWindow/2:
			window = min(maxWindow, window*2)
		}
	}
	return nil
}

// Since is the time of the site's oldest reading that is not older than the time
// given; ok is false when there is none.
func (r *Reader) Since(ctx context.Context, from time.Time) (at time.Time, ok bool, err error) {
	query := fmt.Sprintf(`from(bucket: %s) |> range(start: %s)
	|> filter(fn: (r) => r.site == %s) |> first() |> keep(columns: ["_time"]) |> group() |> sort(columns: ["_time"]) |> limit(n: 1)`,
		fluxString(r.cfg.Bucket), fluxTime(from), fluxString(r.cfg.Site))
	result, err := r.api.Query(ctx, query)
	if err != nil {
		return at, false, fmt.Errorf("ask InfluxDB at %s for its oldest reading: %w", r.cfg.URL, err)
	}
	defer result.Close()
	for result.Next() {
		at, ok = result.Record().Time(), true
	}
	return at, ok, result.Err()
}

type storedKey struct {
	device, point string
	time          int64
}

// window reads the readings of [from, to). The fields of one reading come in
// tables of their own and are put together here.
func (r *Reader) window(ctx context.Context, from, to time.Time) ([]Stored, error) {
	query := fmt.Sprintf(`from(bucket: %s) |> range(start: %s, stop: %s) |> filter(fn: (r) => r.site == %s)`,
		fluxString(r.cfg.Bucket), fluxTime(from), fluxTime(to), fluxString(r.cfg.Site))
	result, err := r.api.Query(ctx, query)
	if err != nil {
		return nil, err
	}
	defer result.Close()
	var out []Stored
	place := make(map[storedKey]int)
	for result.Next() {
		rec := result.Record()
		if !rec.Time().Before(to) {
			continue // 1.8 gives what lies on the end too
		}
		tag := func(name string) string { s, _ := rec.ValueByKey(name).(string); return s }
		point, kind := fieldOf(rec.Field(), rec.Value())
		key := storedKey{tag("device"), point, rec.Time().UnixNano()}
		k, there := place[key]
		if !there {
			k = len(out)
			place[key] = k
			out = append(out, Stored{
				Class: rec.Measurement(), Asset: tag("asset"), Device: key.device, Point: point, Time: key.time, Value: math.NaN(),
			})
		}
		switch s := &out[k]; v := rec.Value().(type) {
		case float64:
			s.Value = v
		case string:
			switch {
			case kind == qualityField && v == devices.Bad.String():
				s.Quality = devices.Bad
			case kind == qualityField && v == devices.Uncertain.String():
				s.Quality = devices.Uncertain
			case kind == textField:
				s.Text = v
			}
		}
	}
	if err := result.Err(); err != nil {
		return nil, err
	}
	slices.SortStableFunc(out, func(a, b Stored) int {
		return cmp.Or(cmp.Compare(a.Time, b.Time), cmp.Compare(a.Device, b.Device), cmp.Compare(a.Point, b.Point))
	})
	return out, nil
}

type fieldKind uint8

const (
	numberField fieldKind = iota
	textField
	qualityField
)

// fieldOf is the point that a field belongs to. A point may itself end in _text;
// only words are ever written to a field that stands for the words of another.
func fieldOf(field string, value any) (point string, kind fieldKind) {
	if _, words := value.(string); words {
		if p, ok := strings.CutSuffix(field, "_quality"); ok {
			field, kind = p, qualityField
		} else if p, ok := strings.CutSuffix(field, "_text"); ok {
			field, kind = p, textField
		}
	}
	if field == "time_" {
		field = "time"
	}
	return field, kind
}

// fluxString quotes a text for a query.
func fluxString(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "$", `\$`, "\n", `\n`, "\r", `\r`, "\t", `\t`).Replace(s) + `"`
}

func fluxTime(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }
