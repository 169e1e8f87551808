package rules

import (
	"math"
	"time"

	"github.com/facilityd/facilityd/devices"
)

// pointState is what the engine keeps of a point: the newest reading and who
// looks at it. It lies in a slice by Point.Index, so that the points of a device
// are neighbours, and fills one cache line: what limits the engine with many
// devices is memory, not arithmetic.
type pointState struct {
	time    int64 // of the newest reading; 0 = none
	value   float64
	text    string
	validTo int64 // the value holds until then, unless another comes
	// As long as readings stay between low and high nobody who looks at the point
	// needs to know; low is above high where somebody wants each.
	low, high float32
	device    uint32 // index of its device
	// Those who look at it are deps[firstDep:][:depCount] of the device.
	firstDep uint32
	depCount uint16
	past     int16 // its column in the past of its device, -1 when nobody looks
	ok       bool  // the value may be used
	bound    bool  // a reading has been seen
	quality  devices.Quality
	lost     bool // its device went offline since
}

// narrow sets the range in which nobody needs to know of a reading: the common
// one of those who look at the point, which is idx of the device.
func (d *deviceState) narrow(p *pointState, idx uint32) {
	p.low, p.high = 1, -1
	low, high := math.Inf(-1), math.Inf(1)
	common := func(x *dependent) bool {
		low, high = max(low, x.low), min(high, x.high)
		return x.still
	}
	deps, visitors := d.depsOf(p), d.asset.visitorsOf(idx)
	for k := range deps {
		if !common(&deps[k]) {
			return
		}
	}
	for k := range visitors {
		if !common(&visitors[k].dependent) {
			return
		}
	}
	// Rounded inwards: a reading that falls between goes the longer way.
	if p.low = float32(low); float64(p.low) < low {
		p.low = math.Nextafter32(p.low, float32(math.Inf(1)))
	}
	if p.high = float32(high); float64(p.high) > high {
		p.high = math.Nextafter32(p.high, float32(math.Inf(-1)))
	}
}

// A dependent is an instance that looks at a point. As long as readings stay
// between low and high no comparison of the instance can change, and a still
// instance is not evaluated for them: it is neither read nor written.
type dependent struct {
	low, high float64
	place     uint16 // of the instance on the asset
	slot      uint8  // of the role in the rule
	still     bool   // it remembers no readings and waits for no time
}

// A visitor is the same for an instance of another asset.
type visitor struct {
	dependent
	point uint32
	inst  *instance
}

// calm notes whether the instance is still.
func (x *dependent) calm(i *instance, v float64, still bool) {
	if x.still = still; still {
		x.look(i, v)
	}
}

// wants tells whether a reading matters to it.
func (x *dependent) wants(v float64) bool { return !x.still || v < x.low || v > x.high }

// look sets the region around a value.
func (x *dependent) look(i *instance, v float64) {
	if i.rule.roles[x.slot].opaque() {
		x.low, x.high = v, v
		return
	}
	x.low, x.high = region(v, i.consts.cuts[x.slot])
}

// depsOf returns those who look at a point of the device.
func (d *deviceState) depsOf(p *pointState) []dependent {
	return d.deps[p.firstDep:][:p.depCount]
}

// region returns the range around v, between the values that an instance
// compares a role with, in which every comparison has the same outcome.
func region(v float64, cuts []float64) (low, high float64) {
	low, high = math.Inf(-1), math.Inf(1)
	for _, c := range cuts {
		switch {
		case c == v:
			return v, v
		case c < v:
			low = max(low, math.Nextafter(c, math.Inf(1)))
		default:
			high = min(high, math.Nextafter(c, math.Inf(-1)))
		}
	}
	return low, high
}

// deviceState is what the engine keeps of a device.
type deviceState struct {
	// What every message needs comes first.
	asset     *assetState
	newest    int64       // newest reading time that was evaluated
	clock     int64       // newest reading time that arrived
	clockLive int64       // the connection's live clock when it did
	wait      int64       // lateness of its asset
	heard     int64       // journal time of the last message
	heardLive int64       // the connection's live clock at that time
	gap       int64       // observed time between readings, peak with a slow decay
	valid     int64       // how long a value of the device holds
	conn      int32       // index of its connection; -1 before it was heard
	busy      int32       // instances that wait for a time, and look at this device
	chunk     int32       // of its asset
	timed     bool        // its readings carry their own time
	watched   bool        // a silence rule holds: the next message matters
	deps      []dependent // who looks at its points, by point
	points    []uint32    // indices of its bound points, by point name
	past      past

	dev     *devices.Device
	silence []*instance
	self    []*deviceState // the device alone
	moving  []held         // what waits, on the way to another asset
}

// Validity: a value is stale after the silence that the profile allows, else
// after three missed intervals, five minutes at least; where nobody declared an
// interval, after a day.
const (
	leastValidity   = int64(5 * time.Minute)
	defaultValidity = int64(24 * time.Hour)
)

func validity(d *devices.Device) int64 {
	switch {
	case d.Silence > 0:
		return max(leastValidity, d.Silence)
	case d.Interval > 0:
		return max(leastValidity, 3*d.Interval)
	}
	return defaultValidity
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
