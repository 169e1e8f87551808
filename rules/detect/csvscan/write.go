package csvscan

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"time"
)

// Writer puts findings somewhere; Close finishes the output.
type Writer interface {
	Write(Row) error
	Close() error
}

// NewText writes findings as comma-separated text: time, score, verdict, change, reason.
func NewText(w io.Writer) Writer {
	return &text{csv: csv.NewWriter(w)}
}

type text struct {
	csv    *csv.Writer
	begun  bool
	record [5]string
}

// stamp is how times are written: as they are usually read, with the zone.
const stamp = time.RFC3339Nano

func (t *text) begin() error {
	if t.begun {
		return nil
	}
	t.begun = true
	return t.csv.Write([]string{"time", "score", "verdict", "change", "reason"})
}

func (t *text) Write(r Row) error {
	if err := t.begin(); err != nil {
		return fmt.Errorf("write header: %w", err)
	}
	change := ""
	if r.Change {
		change = "step"
	}
	t.record = [5]string{r.Time.Format(stamp), strconv.FormatFloat(r.Score, 'f', -1, 64), string(r.State), change, r.Reason}
	return t.csv.Write(t.record[:])
}

func (t *text) Close() error {
	if err := t.begin(); err != nil {
		return fmt.Errorf("write header: %w", err)
	}
	t.csv.Flush()
	return t.csv.Error()
}

// NewJSON writes findings as one JSON object per line.
func NewJSON(w io.Writer) Writer {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return lines{e}
}

type lines struct{ *json.Encoder }

func (l lines) Write(r Row) error { return l.Encode(r) }
func (l lines) Close() error      { return nil }
