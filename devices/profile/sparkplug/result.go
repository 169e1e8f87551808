package sparkplug

import (
	"strconv"

	"github.com/facilityd/facilityd/devices/profile/codec"
)

// Quality of a metric, from its property "Quality".
type Quality uint8

// The qualities of the specification (192, 0, 500), and Uncertain for what the
// host itself doubts.
const (
	Good Quality = iota
	Bad
	Stale
	Uncertain
)

var qualityNames = [...]string{"good", "bad", "stale", "uncertain"}

// String returns the word.
func (q Quality) String() string { return qualityNames[q] }

// A Source is a node, or a device when Device is not empty. Its strings are the
// host's own and live as long as the node's session.
type Source struct {
	Group, Node, Device string
}

// A Metric is one value. Value is valid until the Result is reset.
type Metric struct {
	Source
	Name       string
	Type       DataType
	Value      []byte // JSON; nil when there is none
	Unit       string // property engUnit of the birth or of this message, or ""
	Time       int64  // Unix nanoseconds, of the metric, else of the payload; 0 when neither has a time
	Quality    Quality
	Historical bool
	Transient  bool
	Null       bool // no value: is_null, not a number, or not of the type
	Birth      bool // from a birth certificate
}

// State is the availability of a source.
type State uint8

// The states. A device is StateUnknown between the birth of its node and its
// own.
const (
	Online State = iota
	Offline
	StateUnknown
)

var stateNames = [...]string{"online", "offline", "unknown"}

// String returns the word.
func (s State) String() string { return stateNames[s] }

// An Availability is a change of a source's state.
type Availability struct {
	Source
	State State
	Time  int64  // Unix nanoseconds
	Cause string // the message type
}

// An Action asks a node for a rebirth. Publishing it is up to the caller.
type Action struct {
	Source
	Topic   string
	Metric  string // "Node Control/Rebirth"
	Payload []byte // protobuf, ready to publish at QoS 0, not retained
	Reason  string
}

// A Result collects what messages say. It is reused: Reset keeps its memory.
type Result struct {
	Metrics      []Metric
	Availability []Availability
	Actions      []Action
	// Dropped is why a message gave nothing, "" when it did.
	Dropped string

	buf []byte
}

// Reset empties the result.
func (r *Result) Reset() {
	r.Metrics, r.Availability, r.Actions = r.Metrics[:0], r.Availability[:0], r.Actions[:0]
	r.Dropped, r.buf = "", r.buf[:0]
}

// AppendJSON appends the metrics as a value tree for selectors and traces: an
// array of {"group", "node", "device", "name", "type", "value", "time" (ms),
// "unit", "quality", "historical"}.
func (r *Result) AppendJSON(dst []byte) []byte {
	dst = append(dst, '[')
	for i := range r.Metrics {
		m := &r.Metrics[i]
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, `{"group":`...)
		dst = codec.AppendString(dst, m.Group)
		dst = codec.AppendString(append(dst, `,"node":`...), m.Node)
		if m.Device != "" {
			dst = codec.AppendString(append(dst, `,"device":`...), m.Device)
		}
		dst = codec.AppendString(append(dst, `,"name":`...), m.Name)
		dst = codec.AppendString(append(dst, `,"type":`...), m.Type.String())
		dst = append(dst, `,"value":`...)
		if m.Null {
			dst = append(dst, "null"...)
		} else {
			dst = append(dst, m.Value...)
		}
		if m.Time != 0 {
			dst = strconv.AppendInt(append(dst, `,"time":`...), m.Time/1e6, 10)
		}
		if m.Unit != "" {
			dst = codec.AppendString(append(dst, `,"unit":`...), m.Unit)
		}
		dst = codec.AppendString(append(dst, `,"quality":`...), m.Quality.String())
		dst = codec.AppendBool(append(dst, `,"historical":`...), m.Historical)
		dst = append(dst, '}')
	}
	return append(dst, ']')
}
