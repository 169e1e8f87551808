package profile

import (
	"math"
	"strings"

	"github.com/facilityd/facilityd/devices"
)

// order compares a reading with what its point had: false for a duplicate;
// older readings become historical, counters get their growth.
func (r *run) order(pt *point, st *pointState, rd *devices.Reading, raw float64, own bool) bool {
	counter := rd.Point.Kind == devices.Counter
	if counter {
		rd.Delta = math.NaN()
	}
	same := st.have && sameFloat(st.value, rd.Value) && st.text == rd.Text
	event := rd.Point.Kind == devices.Event
	switch {
	case !own && r.msg.Retained:
		// The broker's copy of what came live before tells nothing new; another
		// value may be newer than what came live, nobody knows.
		if same && st.live {
			return false
		}
	case st.have && rd.Time == st.time && same && own && !event:
		return false
	case st.have && own && rd.Time < st.time && rd.Flags&devices.Historical == 0,
		st.have && own && rd.Flags&devices.Historical != 0:
		if !event && st.wasLate(rd) {
			return false
		}
		rd.Flags |= devices.Historical
		rd.Text = st.share(rd.Text)
		if !event {
			st.addLate(rd)
		}
		return true
	case rd.Flags&devices.Historical != 0:
		rd.Text = strings.Clone(rd.Text)
		if !event {
			if st.wasLate(rd) {
				return false
			}
			st.addLate(rd)
		}
		return true
	}
	if counter && rd.Quality != devices.Bad && st.have && !math.IsNaN(st.raw) {
		rd.Delta = pt.quantity(pt.counter.growth(st.raw, raw))
	}
	rd.Text = st.share(rd.Text)
	st.time, st.value, st.text, st.have = rd.Time, rd.Value, rd.Text, true
	if rd.Quality != devices.Bad {
		st.raw = raw
	}
	if !r.msg.Retained {
		st.live = true
	}
	return true
}

// share returns the text that the state holds already when it is the same:
// readings outlive the message whose memory the text points into.
func (st *pointState) share(text string) string {
	if text == "" || st.text == text {
		return st.text[:len(text)]
	}
	return strings.Clone(text)
}

func (st *pointState) wasLate(rd *devices.Reading) bool {
	if st.late == nil {
		return false
	}
	for i := range st.late {
		l := &st.late[i]
		if l.time == rd.Time && sameFloat(l.value, rd.Value) && l.text == rd.Text {
			return true
		}
	}
	return false
}

func (st *pointState) addLate(rd *devices.Reading) {
	if st.late == nil {
		st.late = new([8]lateReading)
	}
	st.late[st.lateAt%8] = lateReading{rd.Time, rd.Value, rd.Text}
	st.lateAt++
}

// growth is what a counter counted between two raw values. A drop of more than
// half the range is a roll-over, any other drop a reset to 0.
func (c *counterOf) growth(from, to float64) float64 {
	switch {
	case to >= from:
		return to - from
	case c.modulus > 0 && from-to > c.modulus/2:
		return c.modulus - from + to
	case c.detect:
		return to
	}
	return math.NaN()
}

// quantity brings a growth in counts into the unit of the readings.
func (pt *point) quantity(counts float64) float64 {
	f := counts * pt.mul / pt.div
	if pt.hasConv {
		f = pt.conv.Apply(f)
	}
	return f
}
