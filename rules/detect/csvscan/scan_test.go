package csvscan_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/facilityd/facilityd/rules/detect/csvscan"
)

// single is a table like those of the Numenta benchmark, with a step up at row 1500.
func single(rows int) string {
	rng := rand.New(rand.NewPCG(1, 1))
	var b strings.Builder
	b.WriteString("timestamp,value\n")
	at := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	for i := range rows {
		v := 20 + rng.NormFloat64()
		if i >= 1500 && i < 1600 {
			v += 25
		}
		fmt.Fprintf(&b, "%s,%.3f\n", at.Add(time.Duration(i)*5*time.Minute).Format("2006-01-02 15:04:05"), v)
	}
	return b.String()
}

// several is a table like those of the pump bench: a leak from row 600 to 800, and labels.
func several(rows int, label func(i int) string) string {
	rng := rand.New(rand.NewPCG(1, 2))
	var b strings.Builder
	b.WriteString("datetime;Flow;Pressure;Temperature;anomaly;changepoint\n")
	at := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	warm := 60.0
	for i := range rows {
		flow, pressure := 30+rng.NormFloat64(), 2+0.1*rng.NormFloat64()
		warm += 0.05 * rng.NormFloat64()
		if i >= 600 && i < 800 {
			flow -= 9
		}
		fmt.Fprintf(&b, "%s;%.4f;%.4f;%.4f;%s;%s\n", at.Add(time.Duration(i)*time.Second).Format("2006-01-02 15:04:05"), flow, pressure, warm, label(i), label(i))
	}
	return b.String()
}

func unlabelled(int) string { return "0.0" }

func scan(t *testing.T, text string, opts csvscan.Options) []csvscan.Row {
	t.Helper()
	var rows []csvscan.Row
	err := csvscan.Scan(strings.NewReader(text), opts, func(r csvscan.Row) error {
		r.Values = nil
		rows = append(rows, r)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

func TestOnePointIsJudged(t *testing.T) {
	rows := scan(t, single(2000), csvscan.Options{})
	if len(rows) != 2000 {
		t.Fatalf("%d findings for 2000 rows", len(rows))
	}
	if rows[0].State != csvscan.Unknown || rows[1000].State == csvscan.Unknown {
		t.Errorf("states are %s at first and %s later", rows[0].State, rows[1000].State)
	}
	for _, r := range rows[1500:1520] {
		if r.Onset && r.Score >= 0.5 && strings.Contains(r.Reason, "value") {
			return
		}
	}
	t.Error("a step of 25 times the noise raised no alarm")
}

func TestSeveralPointsAreJudgedTogether(t *testing.T) {
	rows := scan(t, several(1200, unlabelled), csvscan.Options{})
	odd, change := 0, false
	for _, r := range rows[605:795] {
		if r.State == csvscan.Anomalous {
			odd++
		}
		change = change || r.Change
	}
	if odd < 180 {
		t.Errorf("%d of 190 rows of a leak are anomalous", odd)
	}
	if !change {
		t.Error("the step was not told")
	}
	if got := rows[700].Reason; !strings.Contains(got, "Flow fell to") || !strings.Contains(got, "discounted because of drift: Temperature") {
		t.Errorf("reason is %q", got)
	}
	if rows[300].State != csvscan.Unknown {
		t.Error("a training row was judged")
	}
}

func TestTrainShortensTheWait(t *testing.T) {
	rows := scan(t, several(500, unlabelled), csvscan.Options{Train: 200})
	if rows[199].State != csvscan.Unknown || rows[200].State == csvscan.Unknown {
		t.Errorf("verdicts around row 200 are %s and %s", rows[199].State, rows[200].State)
	}
}

// A person's labels are not evidence: whatever stands there, the findings stay.
func TestLabelsAreNeverRead(t *testing.T) {
	want := scan(t, several(900, unlabelled), csvscan.Options{})
	got := scan(t, several(900, func(i int) string { return fmt.Sprintf("?!%d", i) }), csvscan.Options{})
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	err := csvscan.Scan(strings.NewReader(several(10, unlabelled)), csvscan.Options{Points: []string{"anomaly"}}, nil)
	if err == nil || !strings.Contains(err.Error(), "holds labels") {
		t.Errorf("asking for a label column gives %v", err)
	}
}

// Tables cut at random rows must give the same findings up to the cut.
func TestFindingsDoNotDependOnLaterRows(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 3))
	for name, text := range map[string]string{"one point": single(2000), "several points": several(1200, unlabelled)} {
		whole := scan(t, text, csvscan.Options{})
		lines := strings.SplitAfter(text, "\n")
		for range 12 {
			n := 1 + rng.IntN(len(whole)-1)
			got := scan(t, strings.Join(lines[:n+1], ""), csvscan.Options{})
			if d := cmp.Diff(whole[:n], got); d != "" {
				t.Fatalf("%s cut after row %d: %s", name, n, d)
			}
		}
	}
}

func TestDialects(t *testing.T) {
	want := []float64{1.5, 2.5, 3.5}
	tests := []struct {
		name, text string
		opts       csvscan.Options
	}{
		{"commas", "timestamp,value\n2026-03-01 00:00:00,1.5\n2026-03-01 00:01:00,2.5\n2026-03-01 00:02:00,3.5\n", csvscan.Options{}},
		{"semicolons and decimal commas", "Datum;time;x\na;01.03.2026 00:00;1,5\nb;01.03.2026 00:01;2,5\nc;01.03.2026 00:02;3,5\n", csvscan.Options{}},
		{"tabs and CR LF", "ts\tx\r\n1772323200\t1.5\r\n1772323260\t2.5\r\n1772323320\t3.5\r\n", csvscan.Options{}},
		{"byte order mark", "\ufefftime,x\n2026-03-01T00:00:00Z,1.5\n2026-03-01T00:01:00Z,2.5\n2026-03-01T00:02:00Z,3.5\n", csvscan.Options{}},
		{"no header", "2026-03-01 00:00:00,1.5\n2026-03-01 00:01:00,2.5\n2026-03-01 00:02:00,3.5\n", csvscan.Options{}},
		{"time by its first cell", "when,x\n2026-03-01 00:00:00,1.5\n2026-03-01 00:01:00,2.5\n2026-03-01 00:02:00,3.5\n", csvscan.Options{}},
		{"time by its name", "x,Time Stamp (UTC)\n1.5,1772323200\n2.5,1772323260\n3.5,1772323320\n", csvscan.Options{}},
		{"named columns", "x,when,y\n1.5,2026-03-01,9\n2.5,2026-03-02,9\n3.5,2026-03-03,9\n", csvscan.Options{Time: "when", Points: []string{"X"}}},
		{"no time, interval given", "x\n1.5\n2.5\n3.5\n", csvscan.Options{Interval: time.Minute}},
		{"last line without end", "timestamp,value\n1772323200000,1.5\n1772323260000,2.5\n1772323320000,3.5", csvscan.Options{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []float64
			var times []time.Time
			err := csvscan.Scan(strings.NewReader(tt.text), tt.opts, func(r csvscan.Row) error {
				if len(r.Values) != 1 {
					return fmt.Errorf("%d points", len(r.Values))
				}
				got = append(got, r.Values[0])
				times = append(times, r.Time)
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Error(d)
			}
			if step := times[1].Sub(times[0]); step != time.Minute && step != 24*time.Hour {
				t.Errorf("rows are %v apart", step)
			}
		})
	}
}

func TestErrorsSayWhereAndWhatWouldBeRight(t *testing.T) {
	tests := []struct {
		name, text, want string
		opts             csvscan.Options
	}{
		{"not a number", "timestamp,value\n2026-03-01 00:00:00,1\n2026-03-01 00:01:00,high\n", `pump.csv:3:21: column "value": "high" is not a number`, csvscan.Options{}},
		{"not a time", "timestamp,value\nyesterday,1\n", `pump.csv:2:1: column "timestamp": "yesterday" is not a time; 2026-03-01 02:14:00, RFC 3339 or seconds since 1970 would be right`, csvscan.Options{}},
		{"short row", "timestamp,value\n2026-03-01 00:00:00\n", "pump.csv:2:1: 1 columns where the header has 2", csvscan.Options{Points: []string{"value"}}},
		{"empty", "", "pump.csv:1:1: no header line: the table is empty", csvscan.Options{}},
		{"no time", "a,b\n1,2\n", "pump.csv:1:1: no column looks like a time (there are a, b); name it, or give the interval between rows", csvscan.Options{}},
		{"unknown point", "time,b\n", `pump.csv:1:1: no column "c"; there are time, b`, csvscan.Options{Points: []string{"c"}}},
		{"only words", "time,b\n2026-03-01,on duty\n", "pump.csv:1:1: no column with numbers; there are time, b", csvscan.Options{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.opts.File = "pump.csv"
			err := csvscan.Scan(strings.NewReader(tt.text), tt.opts, func(csvscan.Row) error { return nil })
			var at *csvscan.Error
			if !errors.As(err, &at) || err.Error() != tt.want {
				t.Errorf("got  %v\nwant %s", err, tt.want)
			}
		})
	}
}

func TestMissingValuesAreNoError(t *testing.T) {
	const text = "time,a,b\n2026-03-01,1,2\n2026-03-02,,NaN\n2026-03-03,n/a,4\n"
	if rows := scan(t, text, csvscan.Options{}); len(rows) != 3 {
		t.Errorf("%d findings for 3 rows", len(rows))
	}
}

func TestWriters(t *testing.T) {
	table := several(1200, unlabelled)
	through := func(w csvscan.Writer) {
		t.Helper()
		if err := csvscan.Scan(strings.NewReader(table), csvscan.Options{}, w.Write); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	var text, lines, chart bytes.Buffer
	through(csvscan.NewText(&text))
	through(csvscan.NewJSON(&lines))
	through(csvscan.NewChart(&chart))

	if got := strings.Count(text.String(), "\n"); got != 1201 {
		t.Errorf("text of %d lines", got)
	}
	if !strings.HasPrefix(text.String(), "time,score,verdict,change,reason\n2026-03-01T00:00:00Z,0,unknown,,\n") {
		t.Errorf("text begins %q", text.String()[:80])
	}
	var row struct {
		Row     int
		Score   float64
		Verdict string
	}
	d := json.NewDecoder(&lines)
	for range 701 {
		if err := d.Decode(&row); err != nil {
			t.Fatal(err)
		}
	}
	if row.Row != 701 || row.Verdict != "anomalous" || row.Score < 0.5 {
		t.Errorf("JSON of row 701 is %+v", row)
	}
	x := xml.NewDecoder(&chart)
	elements := 0
	for {
		token, err := x.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("chart is no XML: %v", err)
		}
		if _, ok := token.(xml.StartElement); ok {
			elements++
		}
	}
	if elements < 20 {
		t.Errorf("chart of %d elements", elements)
	}
}

// A chart of a long table must stay small.
func TestChartIsBounded(t *testing.T) {
	var out bytes.Buffer
	w := csvscan.NewChart(&out)
	for i := range 200000 {
		if err := w.Write(csvscan.Row{Time: time.Unix(int64(i), 0).UTC(), Points: []string{"a<b"}, Values: []float64{float64(i % 100)}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if out.Len() > 200<<10 {
		t.Errorf("chart of %d bytes", out.Len())
	}
}

func FuzzScan(f *testing.F) {
	f.Add("timestamp,value\n2026-03-01 00:00:00,1.5\n")
	f.Add("datetime;a;b;anomaly\n2026-03-01 00:00:00;1,5;2;0\n")
	f.Add("1772323200\t1\n1772323201\t\"x\n")
	f.Fuzz(func(t *testing.T, text string) {
		chart := csvscan.NewChart(io.Discard)
		err := csvscan.Scan(strings.NewReader(text), csvscan.Options{Train: 3}, func(r csvscan.Row) error {
			if r.Score < 0 || r.Score > 1 || r.Score != r.Score {
				t.Fatalf("score %v", r.Score)
			}
			return chart.Write(r)
		})
		if err == nil {
			err = chart.Close()
		}
		_ = err // a refusal is as good an answer as findings
	})
}
