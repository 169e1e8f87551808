package history

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/facilityd/facilityd/devices"
	"github.com/facilityd/facilityd/devices/history/influxtest"
)

func newWriter(t *testing.T, change func(*Config)) *Writer {
	t.Helper()
	cfg := Config{
		URL: influx.URL, Org: influxtest.Org, Token: influx.Token, Site: "demo",
		Metrics: NewMetrics(prometheus.NewRegistry()), Logger: slog.New(slog.DiscardHandler),
	}
	change(&cfg)
	if cfg.Bucket == "" {
		cfg.Bucket = influx.Bucket(t)
	}
	w, err := NewWriter(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	return w
}

func defaults(*Config) {}

// field reads all values of a field back, in the order of time.
func field(t *testing.T, w *Writer, class, name string) []any {
	t.Helper()
	var out []any
	for _, row := range influx.Query(t, fmt.Sprintf(`from(bucket: %q) |> range(start: 0, stop: 2100-01-01T00:00:00Z)
	|> filter(fn: (r) => r._measurement == %q and r._field == %q)
	|> group() |> sort(columns: ["_time"])`, w.cfg.Bucket, class, name)) {
		out = append(out, row["_value"])
	}
	return out
}

func want(t *testing.T, got []any, expected ...any) {
	t.Helper()
	if diff := cmp.Diff(expected, got); diff != "" {
		t.Errorf("read back (-want +got):\n%s", diff)
	}
}

const second = int64(time.Second)

func TestWrittenReadingsAreReadBack(t *testing.T) {
	for _, gzip := range []bool{false, true} {
		t.Run(fmt.Sprintf("gzip=%v", gzip), func(t *testing.T) {
			w := newWriter(t, func(c *Config) { c.Gzip = gzip })
			e := newEstate()
			temp := e.point("P 1", "pump", "bearing_temp", devices.Gauge)
			mode := e.point("P 1", "pump", "mode", devices.State)
			readings := []devices.Reading{
				{Point: temp, Time: 1000 * second, Value: 41.5},
				{Point: mode, Time: 1000 * second, Value: 2, Text: "auto, \"eco\"\nline two"},
				{Point: temp, Time: 1001 * second, Value: math.NaN(), Quality: devices.Bad},
				{Point: temp, Time: 1002 * second, Value: 43, Quality: devices.Uncertain},
			}
			// Twice is once.
			for range 2 {
				if err := w.Write(t.Context(), readings); err != nil {
					t.Fatal(err)
				}
			}
			want(t, field(t, w, "pump", "bearing_temp"), 41.5, 43.0)
			want(t, field(t, w, "pump", "bearing_temp_quality"), "bad", "uncertain")
			want(t, field(t, w, "pump", "mode"), 2.0)
			want(t, field(t, w, "pump", "mode_text"), "auto, \"eco\"\nline two")
			row := influx.Query(t, fmt.Sprintf(`from(bucket: %q) |> range(start: 0, stop: 2100-01-01T00:00:00Z)
	|> filter(fn: (r) => r._field == "mode")`, w.cfg.Bucket))[0]
			if row["device"] != "P 1" || row["asset"] != "asset-of-P 1" || row["site"] != "demo" {
				t.Errorf("tags: %v", row)
			}
			if at := row["_time"].(time.Time); !at.Equal(time.Unix(1000, 0)) {
				t.Errorf("time: %v", at)
			}
			if n := testutil.ToFloat64(w.cfg.Metrics.stored); n != 8 {
				t.Errorf("%v readings counted as stored, want 8", n)
			}
		})
	}
}

func TestFieldOfAnotherTypeIsRejectedAloneAndVisible(t *testing.T) {
	var log bytes.Buffer
	w := newWriter(t, func(c *Config) { c.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
	// Somebody else wrote the field as a string.
	if err := w.api.WriteRecord(t.Context(), `pump,device=x pressure="high" 1`); err != nil {
		t.Fatal(err)
	}
	e := newEstate()
	temp := e.point("p1", "pump", "bearing_temp", devices.Gauge)
	pressure := e.point("p1", "pump", "pressure", devices.Gauge)
	write := func(from, n int64) {
		t.Helper()
		var readings []devices.Reading
		for i := from; i < from+n; i++ {
			readings = append(readings,
				devices.Reading{Point: temp, Time: i * second, Value: float64(i)},
				devices.Reading{Point: pressure, Time: i * second, Value: 1})
		}
		if err := w.Write(t.Context(), readings); err != nil {
			t.Fatal(err)
		}
	}
	write(1, 20)
	if n := len(field(t, w, "pump", "bearing_temp")); n != 20 {
		t.Errorf("%d good values of 20 are stored", n)
	}
	if n := testutil.ToFloat64(w.cfg.Metrics.rejected.WithLabelValues(string(Conflict))); n != 20 {
		t.Errorf("%v readings counted as rejected, want 20", n)
	}
	if n := testutil.ToFloat64(w.cfg.Metrics.stored); n != 20 {
		t.Errorf("%v readings counted as stored, want 20", n)
	}
	rejections := w.Rejections()
	if len(rejections) != 20 || rejections[19].Point != "pressure" || rejections[19].Device != "p1" ||
		!strings.Contains(rejections[19].Message, "type float, already exists as type string") &&
			!strings.Contains(rejections[19].Message, "field type conflict") {
		t.Errorf("rejections: %+v", rejections)
	}
	if strings.Count(log.String(), "another type") != 1 {
		t.Errorf("log:\n%s", &log)
	}
	// From now on the field is known: one write per batch, not a search.
	before := testutil.ToFloat64(w.cfg.Metrics.writes)
	write(21, 20)
	if n := testutil.ToFloat64(w.cfg.Metrics.writes) - before; n != 1 {
		t.Errorf("%v writes for the second batch, want 1", n)
	}
	if n := len(w.Rejections()); n != keptRejections {
		t.Errorf("%d rejections are kept", n)
	}
}

func TestReadingsOlderThanTheRetentionAreRejectedWithoutASearch(t *testing.T) {
	w := newWriter(t, func(c *Config) { c.Bucket = influx.ShortBucket(t, "2h") })
	e := newEstate()
	flow := e.point("p1", "pump", "flow", devices.Gauge)
	head := e.point("p1", "pump", "pressure", devices.Gauge)
	now := time.Now().UnixNano()
	var readings []devices.Reading
	for i := range int64(10) { // every half hour back to four and a half hours ago
		at := now - i*int64(30*time.Minute)
		readings = append(readings, devices.Reading{Point: flow, Time: at, Value: 1}, devices.Reading{Point: head, Time: at, Value: 1})
	}
	if err := w.Write(t.Context(), readings); err != nil {
		t.Fatal(err)
	}
	// The server drops by groups of an hour, so up to one hour more is kept.
	kept := len(field(t, w, "pump", "flow"))
	if kept < 4 || kept > 6 {
		t.Errorf("%d values are stored, want the last two to three hours", kept)
	}
	if stored, rejected := testutil.ToFloat64(w.cfg.Metrics.stored), testutil.ToFloat64(w.cfg.Metrics.rejected.WithLabelValues(string(Retention))); stored != 2*float64(kept) || stored+rejected != 20 {
		t.Errorf("%v readings counted as stored and %v as rejected of 20; %d lines are stored", stored, rejected, kept)
	}
}

func TestWrongTokenSaysSoAndRejectsNothing(t *testing.T) {
	w := newWriter(t, func(c *Config) { c.Token = "facilityd:wrong" })
	p := newEstate().point("p1", "pump", "flow", devices.Gauge)
	err := w.Write(t.Context(), []devices.Reading{{Point: p, Time: second, Value: 1}})
	var fault *Error
	if !errors.As(err, &fault) || fault.Fault != Unauthorized {
		t.Fatalf("got %v", err)
	}
	wantText := "refuses the token (401): give one that may write to bucket"
	if !strings.Contains(err.Error(), wantText) || strings.Contains(err.Error(), "wrong") {
		t.Errorf("message: %v", err)
	}
	if len(w.Rejections()) != 0 {
		t.Error("a wrong token rejected readings")
	}
}

func TestUnknownBucketSaysSo(t *testing.T) {
	w := newWriter(t, func(c *Config) { c.Bucket = "nowhere/autogen" })
	p := newEstate().point("p1", "pump", "flow", devices.Gauge)
	err := w.Write(t.Context(), []devices.Reading{{Point: p, Time: second, Value: 1}})
	var fault *Error
	if !errors.As(err, &fault) || fault.Fault != NotFound || !strings.Contains(err.Error(), `bucket "nowhere/autogen"`) {
		t.Fatalf("got %v", err)
	}
}

func TestHealth(t *testing.T) {
	if err := newWriter(t, defaults).Health(t.Context()); err != nil {
		t.Error(err)
	}
	away := newWriter(t, func(c *Config) { c.URL = "http://127.0.0.1:1" })
	if err := away.Health(t.Context()); err == nil || !strings.Contains(err.Error(), "http://127.0.0.1:1") {
		t.Errorf("got %v", err)
	}
}

// TestAnswersOfOtherServers holds the answers that no InfluxDB 1.8 gives: those
// recorded from 2.x, and those of what stands in the way.
func TestAnswersOfOtherServers(t *testing.T) {
	p := newEstate().point("p1", "pump", "flow", devices.Gauge)
	two := []devices.Reading{{Point: p, Time: second, Value: 1}, {Point: p, Time: 2 * second, Value: 2}}
	for _, c := range []struct {
		name     string
		answer   func(w http.ResponseWriter, lines int)
		fault    Fault
		rejected Reason
		text     string
	}{
		{"2.x: conflict", func(w http.ResponseWriter, n int) {
			w.Header().Set("Content-Type", "application/json; charset=utf-8")
			w.WriteHeader(422)
			fmt.Fprint(w, `{"code":"unprocessable entity","message":"failure writing points to database: partial write: field type conflict: input field \"flow\" on measurement \"pump\" is type float, already exists as type string dropped=1"}`)
		}, 0, Conflict, ""},
		{"2.x: retention", func(w http.ResponseWriter, n int) {
			w.Header().Set("Content-Type", "application/json; charset=utf-8")
			w.WriteHeader(422)
			fmt.Fprintf(w, `{"code":"unprocessable entity","message":"failure writing points to database: partial write: points beyond retention policy dropped=%d"}`, n)
		}, 0, Retention, ""},
		{"too large for a proxy", func(w http.ResponseWriter, n int) {
			if n > 1 {
				w.WriteHeader(413)
				return
			}
			w.WriteHeader(204)
		}, 0, "", ""},
		{"2.x: unknown bucket", func(w http.ResponseWriter, n int) {
			w.Header().Set("Content-Type", "application/json; charset=utf-8")
			w.WriteHeader(404)
			fmt.Fprint(w, `{"code":"not found","message":"bucket \"b\" not found"}`)
		}, NotFound, "", `404: bucket "b" not found`},
		{"limit of series is not the data's fault", func(w http.ResponseWriter, n int) {
			w.Header().Set("X-Influxdb-Error", "partial write: max-series-per-database limit exceeded: (1000000) dropped=1")
			w.WriteHeader(400)
		}, Refused, "", "max-series-per-database"},
		{"patience", func(w http.ResponseWriter, n int) {
			w.Header().Set("Retry-After", "7")
			w.WriteHeader(429)
		}, Overloaded, "", "cannot store now (429"},
		{"a page that says yes to everything", func(w http.ResponseWriter, n int) {
			fmt.Fprint(w, "<html>Welcome")
		}, NotInflux, "", "does not answer like InfluxDB"},
		{"a redirect to a sign-in page", func(w http.ResponseWriter, n int) {
			w.Header().Set("Location", "/sign-in")
			w.WriteHeader(302)
		}, NotInflux, "", "302 Found"},
	} {
		t.Run(c.name, func(t *testing.T) {
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				var body bytes.Buffer
				_, _ = body.ReadFrom(r.Body)
				c.answer(w, strings.Count(body.String(), "\n"))
			}))
			defer srv.Close()
			w := newWriter(t, func(cfg *Config) { cfg.URL, cfg.Bucket = srv.URL, "b" })
			err := w.Write(t.Context(), two)
			if c.text == "" {
				if err != nil {
					t.Fatal(err)
				}
				n := 0
				if c.rejected != "" {
					n = 2
				}
				if got := len(w.Rejections()); got != n || n > 0 && w.Rejections()[0].Reason != c.rejected {
					t.Errorf("rejections: %+v", w.Rejections())
				}
				return
			}
			var fault *Error
			if !errors.As(err, &fault) || fault.Fault != c.fault || !strings.Contains(err.Error(), c.text) {
				t.Errorf("got %v", err)
			}
			if len(w.Rejections()) != 0 {
				t.Error("readings were rejected")
			}
			if c.name == "patience" && fault.RetryAfter != 7*time.Second {
				t.Errorf("retry after %v", fault.RetryAfter)
			}
		})
	}
}

func TestMetricsFollowTheConventions(t *testing.T) {
	reg := prometheus.NewRegistry()
	NewMetrics(reg)
	problems, err := testutil.GatherAndLint(reg)
	if err != nil || len(problems) > 0 {
		t.Errorf("%v %v", problems, err)
	}
}
