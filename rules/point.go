package rules

import (
	"time"

	"github.com/facilityd/facilityd/devices"
)

// pointState is what the engine keeps of a point: the newest reading and who
// looks at it. It is one cache line, and lies in a slice by Point.Index.
type pointState struct {
	time    int64 // of the newest reading; 0 = none
	value   float64
	text    string
	validTo int64 // the value holds until then, unless another comes
	deps    []*instance
	past    *past // nil when no rule looks at the point
	ok      bool  // the value may be used
	bound   bool  // a reading has been seen
	quality devices.Quality
	lost    bool // its device went offline since
}

// past is the recent history of a point for the evidence of an episode, thinned
// to one reading per step.
type past struct {
	next, n uint8
	step    uint32 // seconds
	due     uint32 // Unix seconds of the next reading to keep
	times   [pastLength]uint32
	values  [pastLength]float32
}

const pastLength = 16

// pastSpan is the shortest stretch of time that the evidence shows.
const pastSpan = 15 * time.Minute

func (p *past) add(t int64, v float64) {
	s := uint32(t / 1e9)
	if s < p.due {
		return
	}
	p.due = s + p.step
	p.times[p.next], p.values[p.next] = s, float32(v)
	p.next = (p.next + 1) % pastLength
	if p.n < pastLength {
		p.n++
	}
}

// deviceState is what the engine keeps of a device.
type deviceState struct {
	dev       *devices.Device
	asset     *assetState
	points    []uint32 // indices of its bound points, by point name
	newest    int64    // newest reading time
	heard     int64    // journal time of the last message
	heardLive int64    // the connection's live clock at that time
	gap       int64    // observed time between readings, peak with a slow decay
	valid     int64    // how long a value of the device holds
	conn      int32    // index of its connection; -1 before it was heard
	busy      int32    // instances that wait for a time, and look at this device
	timed     bool     // its readings carry their own time
	silence   []*instance
}

// Validity: a value is stale after three missed intervals, five minutes at
// least; where nobody declared an interval, after a day.
const (
	leastValidity   = int64(5 * time.Minute)
	defaultValidity = int64(24 * time.Hour)
)

func validity(interval int64) int64 {
	if interval <= 0 {
		return defaultValidity
	}
	return max(leastValidity, 3*interval)
}

// expected is the time between two readings of the device.
func (d *deviceState) expected() int64 {
	if d.dev.Interval > 0 {
		return d.dev.Interval
	}
	return min(d.gap, int64(10*time.Minute))
}

// observe books the time of a reading.
func (d *deviceState) observe(t int64) {
	if t <= d.newest {
		return
	}
	if d.newest != 0 {
		d.gap = max(t-d.newest, d.gap-d.gap/8)
	}
	d.newest = t
}
