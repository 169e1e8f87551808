package profile

import (
	"slices"
	"sync/atomic"

	"github.com/facilityd/facilityd/devices"
)

// DeviceCounts account for every value of a device:
// Decoded = Stored + Duplicate + Ignored + Unmapped + Pending.
type DeviceCounts struct {
	Decoded, Stored, Duplicate, Ignored, Unmapped, Pending uint64
}

// Counts returns the account of a device; only for the decoder's goroutine.
func (d *Decoder) Counts(dev *devices.Device) DeviceCounts {
	if int(dev.Index) >= len(d.states) {
		return DeviceCounts{}
	}
	return d.states[dev.Index].counts
}

// ProfileStats count what one profile did with messages.
type ProfileStats struct {
	Messages atomic.Uint64 // decoded
	Readings atomic.Uint64 // emitted
	Bad      atomic.Uint64 // messages with a value that could not be read
	Failed   atomic.Uint64 // messages that could not be decoded
}

type messageStats struct {
	messages, decoded, unmatched, guarded, failed, redelivered atomic.Uint64
}

// Stats is a snapshot of the counters of a decoder: Messages = Decoded +
// Unmatched + Guarded + Failed.
type Stats struct {
	Messages    uint64 // received by the decoder, without redeliveries
	Decoded     uint64
	Unmatched   uint64 // no profile reads the topic
	Guarded     uint64 // topics fit, guards do not, or there was nothing to read
	Failed      uint64 // a profile tried and could not
	Redelivered uint64 // in the journal for the second time
	Profiles    []ProfileCount
}

// ProfileCount is a snapshot of ProfileStats.
type ProfileCount struct {
	Profile                         string
	Messages, Readings, Bad, Failed uint64
}

// Stats may be called from any goroutine.
func (d *Decoder) Stats() Stats {
	t := &d.total
	s := Stats{
		Messages: t.messages.Load(), Decoded: t.decoded.Load(), Unmatched: t.unmatched.Load(),
		Guarded: t.guarded.Load(), Failed: t.failed.Load(), Redelivered: t.redelivered.Load(),
	}
	for i, p := range d.set.profiles {
		c := &d.stats[i]
		s.Profiles = append(s.Profiles, ProfileCount{p.ID, c.Messages.Load(), c.Readings.Load(), c.Bad.Load(), c.Failed.Load()})
	}
	return s
}

// Devices returns the ids of the devices that a profile decodes, sorted.
func (d *Decoder) Devices(profile string) []string {
	var ids []string
	for i := range d.states {
		if st := &d.states[i]; st.dev != nil && st.profile != nil && st.profile.ID == profile {
			ids = append(ids, st.dev.ID)
		}
	}
	slices.Sort(ids)
	return ids
}

// add sums up; profiles are matched by id, in the order of their appearance.
func (s *Stats) add(o Stats) {
	s.Messages += o.Messages
	s.Decoded += o.Decoded
	s.Unmatched += o.Unmatched
	s.Guarded += o.Guarded
	s.Failed += o.Failed
	s.Redelivered += o.Redelivered
	for _, p := range o.Profiles {
		i := slices.IndexFunc(s.Profiles, func(have ProfileCount) bool { return have.Profile == p.Profile })
		if i < 0 {
			s.Profiles = append(s.Profiles, p)
			continue
		}
		c := &s.Profiles[i]
		c.Messages, c.Readings, c.Bad, c.Failed = c.Messages+p.Messages, c.Readings+p.Readings, c.Bad+p.Bad, c.Failed+p.Failed
	}
}
