package chart

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/facilityd/facilityd/rules"
)

func draw(t interface{ Fatal(...any) }, s []rules.Series, o Options) string {
	var b bytes.Buffer
	if err := SVG(&b, s, o); err != nil {
		t.Fatal(err)
	}
	d := xml.NewDecoder(bytes.NewReader(b.Bytes()))
	for {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			return b.String()
		} else if err != nil {
			t.Fatal(err, b.String())
		}
	}
}

func TestChartShowsNameLimitAndSiteTime(t *testing.T) {
	limit := 36.8
	at := time.Date(2026, 3, 2, 23, 30, 0, 0, time.UTC)
	shanghai, err := time.LoadLocation("Asia/Shanghai")
	if err != nil {
		t.Fatal(err)
	}
	got := draw(t, []rules.Series{{
		Device: "p<1>", Point: "current", Unit: "A", Limit: &limit,
		Times: []int64{at.UnixNano(), at.Add(time.Hour).UnixNano()}, Values: []float64{30, 41.25},
	}}, Options{Location: shanghai, Limit: "限值 %s", Empty: "-", Label: func(s *rules.Series) string { return s.Device + " 电流" }})
	for _, want := range []string{"p&lt;1&gt; 电流 (A)", "限值 36.8", ">07:30<", ">08:30<", `class="chart-limit"`} {
		if !strings.Contains(got, want) {
			t.Errorf("the chart lacks %q:\n%s", want, got)
		}
	}
}

func TestChartWithoutReadingsSaysSo(t *testing.T) {
	got := draw(t, []rules.Series{{Times: []int64{1}, Values: []float64{math.NaN()}}}, Options{Empty: "no readings"})
	if !strings.Contains(got, "no readings") {
		t.Error(got)
	}
}

// Whatever the readings are, the drawing is well-formed, and no coordinate is
// outside of it.
func TestChartIsAlwaysWellFormed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 20).Draw(t, "n")
		s := rules.Series{Device: rapid.String().Draw(t, "device"), Unit: "A"}
		for range n {
			s.Times = append(s.Times, rapid.Int64Range(0, 1<<61).Draw(t, "time"))
			s.Values = append(s.Values, rapid.Float64().Draw(t, "value"))
		}
		if rapid.Bool().Draw(t, "limited") {
			v := rapid.Float64Range(-1e9, 1e9).Draw(t, "limit")
			s.Limit = &v
		}
		svg := draw(t, []rules.Series{s}, Options{Limit: "%s", Label: func(*rules.Series) string { return "x" }})
		if strings.Contains(svg, "NaN") || strings.Contains(svg, "Inf") {
			t.Fatal(svg)
		}
	})
}

func TestAxisHasFewRoundSteps(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		lo := rapid.Float64Range(-1e6, 1e6).Draw(t, "lo")
		hi := lo + rapid.Float64Range(0, 1e6).Draw(t, "span")
		from, to, step := axis(lo, hi)
		if from > lo+1e-8*step || to < hi-1e-8*step {
			t.Fatalf("axis(%v, %v) = %v..%v does not hold the range", lo, hi, from, to)
		}
		if n := (to - from) / step; n < 1.5 || n > 6.5 {
			t.Fatalf("axis(%v, %v) has %v steps", lo, hi, n)
		}
	})
}
