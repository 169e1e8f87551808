package bench

import (
	"runtime"
	"slices"
	"time"

	"github.com/facilityd/facilityd/rules/detect"
)

// Cost is what detection takes on this machine, now.
type Cost struct {
	SignalMicros  float64 // per row
	SignalBytes   int     // memory of one detector
	SignalState   int     // bytes in a checkpoint
	JointMicros   float64 // per row of all channels
	JointBytes    int     // memory per channel
	JointState    int     // bytes in a checkpoint, per channel
	ChangeMicros  float64 // per row of all channels
	ChangeBytes   int     // memory per channel
	AllocsPerRow  float64
	RowsMeasured  int
	JointChannels int
}

// measured is how many detectors are made to weigh one.
const measured = 500

// Measure takes times and sizes. The clock it reads is the machine's, since it measures the machine.
func Measure(files []*NABFile, runs []*SKABFile) Cost {
	var c Cost
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	var took []float64
	for _, f := range files {
		s := detect.NewSignal(detect.Config{})
		start := time.Now()
		for i, v := range f.Values {
			s.AddUnix(f.Times[i], v)
		}
		took = append(took, micros(start, len(f.Values)))
		c.RowsMeasured += len(f.Values)
		c.SignalState = stateSize(s)
	}
	c.SignalMicros = undisturbed(took)
	runtime.ReadMemStats(&after)
	c.AllocsPerRow = float64(after.Mallocs-before.Mallocs) / float64(c.RowsMeasured)
	c.SignalBytes = weigh(func() any { return detect.NewSignal(detect.Config{}) })

	n := len(runs[0].Rows[0])
	c.JointChannels = n
	newJoint := func() *detect.Joint {
		j, err := detect.NewJoint(detect.Config{}, n)
		if err != nil {
			panic(err) // n comes from rows that were read
		}
		return j
	}
	newChange := func() *detect.Change {
		d, err := detect.NewChange(detect.Config{}, n)
		if err != nil {
			panic(err) // as above
		}
		return d
	}
	var joint, change []float64
	for _, f := range runs {
		j, d := newJoint(), newChange()
		start := time.Now()
		for i, row := range f.Rows {
			j.AddUnix(f.Times[i], row)
		}
		joint = append(joint, micros(start, len(f.Rows)))
		start = time.Now()
		for i, row := range f.Rows {
			d.AddUnix(f.Times[i], row)
		}
		change = append(change, micros(start, len(f.Rows)))
		c.JointState = stateSize(j) / n
	}
	c.JointMicros, c.ChangeMicros = undisturbed(joint), undisturbed(change)
	c.JointBytes = weigh(func() any { return newJoint() }) / n
	c.ChangeBytes = weigh(func() any { return newChange() }) / n
	return c
}

// undisturbed is the first quartile of what the files took: a machine that others use as well
// makes many of them slower, and none faster.
func undisturbed(took []float64) float64 {
	slices.Sort(took)
	return took[len(took)/4]
}

func micros(start time.Time, rows int) float64 {
	return float64(time.Since(start).Nanoseconds()) / 1e3 / float64(rows)
}

func stateSize(d interface{ MarshalBinary() ([]byte, error) }) int {
	b, err := d.MarshalBinary()
	if err != nil {
		return -1
	}
	return len(b)
}

// weigh is the heap that one of them takes.
func weigh(one func() any) int {
	kept := make([]any, measured)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for i := range kept {
		kept[i] = one()
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	size := int(after.HeapAlloc-before.HeapAlloc) / measured
	runtime.KeepAlive(kept)
	return size
}
