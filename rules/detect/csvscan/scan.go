package csvscan

import (
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"github.com/facilityd/facilityd/rules/detect"
)

// Options of a scan. The zero value fits the Numenta files (timestamp,value) and the pump
// bench (semicolons, datetime) alike.
type Options struct {
	File     string         // name for errors; empty = standard input
	Time     string         // column of the time; empty = the first that is called like one
	Points   []string       // columns to watch; empty = all with numbers but labels
	Interval time.Duration  // time between rows when there is no time column; a time column is then not looked for
	Train    int            // rows from which a joint detector learns what is normal; 0 = 400
	Location *time.Location // of times that say no zone, and of the days whose rhythm is learnt; nil = UTC
	Language detect.Lang    // of the reasons; empty = English
}

// State is the verdict on a row.
type State string

// The verdicts.
const (
	Unknown   State = "unknown" // too little seen to judge
	Normal    State = "normal"
	Anomalous State = "anomalous"
)

// Row is what is said about one row.
type Row struct {
	Line   int       `json:"row"` // from 1, the header not counted
	Time   time.Time `json:"time"`
	Score  float64   `json:"score"` // in [0,1]; 0.5 and above is an alarm
	State  State     `json:"verdict"`
	Onset  bool      `json:"onset,omitempty"`  // the row raises an alarm
	Change bool      `json:"change,omitempty"` // a step was found at this row
	Reason string    `json:"reason,omitempty"`
	Points []string  `json:"-"`
	Values []float64 `json:"-"` // by point, NaN = missing; valid until the next row
}

// Scan reads a table and hands each row's finding to emit. What is said about a row depends
// on it and the rows before it, never on a later one.
func Scan(r io.Reader, opts Options, emit func(Row) error) error {
	t, err := open(r, opts)
	if err != nil {
		return err
	}
	if len(t.points) > detect.MaxChannels {
		return t.fail(1, 1, "%d columns with numbers; %d can be watched together, so name the points", len(t.points), detect.MaxChannels)
	}
	w, err := newWatch(t, opts)
	if err != nil {
		return err
	}
	for line := 1; ; line++ {
		when, values, err := t.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		row := w.add(when, values)
		row.Line = line
		if err := emit(row); err != nil {
			return fmt.Errorf("write finding of row %d: %w", line, err)
		}
	}
}

// watch holds the detectors of a scan.
type watch struct {
	signal *detect.Signal // of one point
	joint  *detect.Joint  // of several
	change *detect.Change
	naming detect.Naming
	lang   detect.Lang
}

func newWatch(t *table, opts Options) (*watch, error) {
	cfg := detect.Config{Location: opts.Location, Train: opts.Train}
	w := &watch{lang: opts.Language, naming: detect.Naming{Location: t.location}}
	if w.lang == "" {
		w.lang = detect.English
	}
	for _, i := range t.points {
		w.naming.Points = append(w.naming.Points, t.names[i])
	}
	var err error
	if w.change, err = detect.NewChange(cfg, len(t.points)); err != nil {
		return nil, fmt.Errorf("watch for steps: %w", err)
	}
	if len(t.points) == 1 {
		w.signal = detect.NewSignal(cfg)
		return w, nil
	}
	if w.joint, err = detect.NewJoint(cfg, len(t.points)); err != nil {
		return nil, fmt.Errorf("watch points together: %w", err)
	}
	return w, nil
}

func (w *watch) add(when time.Time, values []float64) Row {
	var v detect.Verdict
	if w.signal != nil {
		v = w.signal.Add(when, values[0])
	} else {
		v = w.joint.Add(when, values)
	}
	row := Row{Time: when, Score: round(v.Score), State: Unknown, Onset: v.Onset, Points: w.naming.Points, Values: values}
	if v.Known {
		row.State = Normal
		if v.Anomalous {
			row.State = Anomalous
		}
	}
	if v.Anomalous {
		row.Reason = v.Reason.Text(w.lang, w.naming)
	}
	if step := w.change.Add(when, values); step.Onset {
		row.Change = true
		if row.Reason == "" {
			row.Reason = step.Reason.Text(w.lang, w.naming)
		}
	}
	return row
}

// round keeps six digits, enough to order rows and few enough to read; what is under the
// alarm stays under it.
func round(score float64) float64 { return math.Floor(score*1e6) / 1e6 }
