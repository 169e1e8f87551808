package history

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	influxhttp "github.com/influxdata/influxdb-client-go/v2/api/http"
)

// Fault says why a write did not succeed. Its String is the metric's label.
type Fault uint8

// The faults. None of them loses a reading: the write is tried again.
const (
	Unreachable  Fault = iota // no connection, no answer in time
	Unauthorized              // the token is wrong or may not write there
	NotFound                  // no such bucket, organisation or path
	Overloaded                // the server asks for patience, or fails in itself
	NotInflux                 // something else answers at this address
	Refused                   // any other answer
)

// String returns the fault in one word.
func (f Fault) String() string {
	return [...]string{"unreachable", "unauthorized", "not_found", "overloaded", "not_influxdb", "refused"}[f]
}

// Error is a write that did not succeed and should be tried again.
type Error struct {
	Fault      Fault
	RetryAfter time.Duration // the server's wish, 0 for none
	text       string
	cause      error
}

// Error says what happened and, where a person must act, what to do.
func (e *Error) Error() string { return e.text }

// Unwrap returns what the client library reported.
func (e *Error) Unwrap() error { return e.cause }

// Reason says why a single reading can never be stored. It is a metric label.
type Reason string

// The reasons for which a reading is rejected for good.
const (
	Conflict  Reason = "field_type_conflict" // somebody else wrote the field with another type
	Unparsed  Reason = "unparsable"          // the server does not understand the line
	Retention Reason = "retention"           // older than the bucket keeps
)

// Rejection is a reading that the server will never take.
type Rejection struct {
	Time    time.Time // of the reading
	Device  string
	Point   string
	Reason  Reason
	Message string // the server's own words
}

// errTooLarge asks for smaller batches.
var errTooLarge = errors.New("batch too large")

// dataError is an answer that blames the data. Retrying the same bytes cannot
// help, so it is the only kind of answer that may end in a rejection.
type dataError struct {
	reason  Reason
	message string
	dropped int // lines that were not stored, while all others were; 0 when not known
}

func (e *dataError) Error() string { return e.message }

// dataFaults are the server's words for data that it will never store. InfluxDB
// 1.8 and 2.x use the same ones, with 400 and with 422.
var dataFaults = []struct {
	words  string
	reason Reason
}{
	{"field type conflict", Conflict},
	{"points beyond retention policy", Retention},
	{"unable to parse", Unparsed},
	{"is invalid dropped", Unparsed}, // input field "…" on measurement "…" is invalid
}

// classify turns the client library's error into a dataError, errTooLarge, an
// *Error, or the context's error.
func (w *Writer) classify(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var other *notInfluxError
	if errors.As(err, &other) {
		return &Error{Fault: NotInflux, cause: err, text: fmt.Sprintf(
			"%s does not answer like InfluxDB (a write succeeds with 204 No Content, this was %s): check the address", w.cfg.URL, other.status)}
	}
	var answer *influxhttp.Error
	if !errors.As(err, &answer) || answer.StatusCode == 0 {
		return &Error{Fault: Unreachable, cause: err,
			text: fmt.Sprintf("InfluxDB at %s cannot be reached: %v", w.cfg.URL, err)}
	}
	said := strings.TrimSpace(cmp.Or(answer.Message, answer.Header.Get("X-Influxdb-Error")))
	fault := &Error{RetryAfter: time.Duration(answer.RetryAfter) * time.Second, cause: err}
	switch status := answer.StatusCode; {
	case status == http.StatusBadRequest || status == http.StatusUnprocessableEntity:
		for _, f := range dataFaults {
			if strings.Contains(said, f.words) {
				e := &dataError{reason: f.reason, message: said}
				if _, n, ok := strings.Cut(said, "dropped="); ok {
					e.dropped, _ = strconv.Atoi(n)
				}
				return e
			}
		}
		fault.Fault = Refused
		fault.text = fmt.Sprintf("InfluxDB at %s refuses the write (%d: %s)", w.cfg.URL, status, said)
	case status == http.StatusRequestEntityTooLarge:
		return errTooLarge
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		fault.Fault = Unauthorized
		fault.text = fmt.Sprintf("InfluxDB at %s refuses the token (%d%s): give one that may write to bucket %q",
			w.cfg.URL, status, reasonText(said), w.cfg.Bucket)
	case status == http.StatusNotFound:
		fault.Fault = NotFound
		fault.text = fmt.Sprintf("InfluxDB at %s does not know bucket %q of organisation %q (%d%s): create it or correct the name",
			w.cfg.URL, w.cfg.Bucket, w.cfg.Org, status, reasonText(said))
	case status == http.StatusTooManyRequests || status >= 500:
		fault.Fault = Overloaded
		fault.text = fmt.Sprintf("InfluxDB at %s cannot store now (%d%s)", w.cfg.URL, status, reasonText(said))
	default:
		fault.Fault = Refused
		fault.text = fmt.Sprintf("InfluxDB at %s refuses the write (%d%s)", w.cfg.URL, status, reasonText(said))
	}
	return fault
}

func reasonText(said string) string {
	if said == "" {
		return ""
	}
	return ": " + said
}
