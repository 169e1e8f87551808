package backtest

import (
	"cmp"
	"slices"

	"github.com/facilityd/facilityd/devices"
)

// A Feed turns readings that come one by one into records: what one device says
// at one time is one message, whatever stands between in the recording. It belongs
// to one goroutine.
type Feed struct {
	bt   *Backtest
	site string
	now  []devices.Reading // of one time
}

// NewFeed feeds a backtest.
func NewFeed(bt *Backtest, site string) *Feed { return &Feed{bt: bt, site: site} }

// Add takes the next reading. Times must not go back.
func (f *Feed) Add(r devices.Reading) {
	if len(f.now) > 0 && f.now[0].Time != r.Time {
		f.Flush()
	}
	f.now = append(f.now, r)
}

// Flush hands on what was added last.
func (f *Feed) Flush() {
	if len(f.now) == 0 {
		return
	}
	one := f.now[0].Point.Device
	if slices.ContainsFunc(f.now, func(r devices.Reading) bool { return r.Point.Device != one }) {
		slices.SortStableFunc(f.now, func(a, b devices.Reading) int {
			return cmp.Compare(a.Point.Device.ID, b.Point.Device.ID)
		})
	}
	t := f.now[0].Time
	rec := devices.Record{Kind: devices.Messages, Seq: position(t), Site: f.site, Time: t, Connection: connection}
	for k := 0; k < len(f.now); {
		n := k + 1
		for n < len(f.now) && f.now[n].Point.Device == f.now[k].Point.Device {
			n++
		}
		f.bt.Apply(&rec, f.now[k:n])
		k = n
	}
	clear(f.now)
	f.now = f.now[:0]
}
