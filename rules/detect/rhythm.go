package detect

import "math"

// Sizes and speeds of the learnt rhythms; times are in seconds.
const (
	secondsPerDay  = 86400
	secondsPerWeek = 7 * secondsPerDay
	daySlots       = 96 // quarter hours
	weekSlots      = 84 // two hours each

	rhythmGain = 0.1 // weight of the newest period once a slot has seen 1/rhythmGain of them
)

// Parts of a slot's memory of its visits.
const (
	visitCount = 0x0f // periods in which the slot was visited, up to 15
	visitShift = 4    // the rest is the number of the last such period, modulo 16
)

// rhythm is what a signal usually does at each time of a day or of a week: one mean per
// slot, kept in 16 bits as a deviation from the signal's origin. It speaks only of slots
// that were visited in an earlier period; the first pass has nothing to compare with.
type rhythm struct {
	mean   []uint16 // half-precision floats in units of 2^unit
	visit  []uint8
	period int64 // seconds
	unit   int8  // exponent; raised when a value does not fit
	slot   int16 // the slot of the current visit
	inSlot uint16
	perDay float32 // mean number of values per visit of a slot
}

func newRhythm(period int64, mean []uint16, visit []uint8) rhythm {
	return rhythm{mean: mean, visit: visit, period: period, unit: -24, slot: -1, perDay: 1}
}

// at moves to the slot of time sec (seconds since 1970, local) and returns the usual
// deviation there, whether the slot was ever visited, and whether in an earlier period.
func (r *rhythm) at(sec int64) (usual float64, visited, known bool) {
	in := sec % r.period
	if in < 0 {
		in += r.period
	}
	slot := int16(in * int64(len(r.mean)) / r.period)
	now := uint8((sec-in)/r.period) & visitCount
	if slot != r.slot {
		if r.inSlot > 0 {
			r.perDay += (float32(r.inSlot) - r.perDay) / 8
		}
		r.slot, r.inSlot = slot, 0
	}
	v := r.visit[slot]
	periods := v & visitCount
	known = periods > 1 || periods == 1 && v>>visitShift != now
	return r.value(slot), periods > 0, known
}

func (r *rhythm) value(slot int16) float64 {
	return math.Ldexp(unpack(r.mean[slot]), int(r.unit))
}

// learn adds a deviation from the origin to the current slot. Each period weighs the same,
// whether it brought one value or hundreds.
func (r *rhythm) learn(sec int64, x float64) {
	in := sec % r.period
	if in < 0 {
		in += r.period
	}
	now := uint8((sec-in)/r.period) & visitCount
	v := r.visit[r.slot]
	periods := v & visitCount
	if r.inSlot < math.MaxUint16 {
		r.inSlot++
	}
	if periods == 0 || v>>visitShift != now {
		if periods < visitCount {
			periods++
		}
		r.visit[r.slot] = periods | now<<visitShift
	}
	share := 1 / float64(r.inSlot)
	if periods > 1 {
		share = max(1/float64(periods), rhythmGain) / float64(max(1, r.perDay))
	}
	m := r.value(r.slot)
	r.store(m + share*(x-m))
}

func (r *rhythm) store(m float64) {
	y := math.Ldexp(m, -int(r.unit))
	if math.Abs(y) > packMax {
		_, exp := math.Frexp(m)
		up := exp - 10 - int(r.unit)
		for i, h := range r.mean {
			r.mean[i] = pack(math.Ldexp(unpack(h), -up))
		}
		r.unit += int8(up)
		y = math.Ldexp(m, -int(r.unit))
	}
	r.mean[r.slot] = pack(y)
}

// Half-precision floats without subnormals: 5 bits of exponent, 10 of mantissa.
const (
	packMax  = 60000
	packMin  = 0x1p-14
	packBias = (1023 - 15) << 10
)

// pack rounds y to half precision. Values under 2^-14 become zero; larger than packMax do not occur.
func pack(y float64) uint16 {
	b := math.Float64bits(y)
	sign := uint16(b >> 63 << 15)
	b &^= 1 << 63
	if math.Float64frombits(b) < packMin {
		return sign
	}
	return sign | uint16((b+1<<41)>>42-packBias)
}

func unpack(h uint16) float64 {
	b := uint64(h &^ 0x8000)
	if b == 0 {
		return 0
	}
	return math.Float64frombits((b+packBias)<<42 | uint64(h&0x8000)<<48)
}
