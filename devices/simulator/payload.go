package simulator

import (
	"math"
	"strconv"
	"time"
)

// timeLayout is RFC 3339 with milliseconds, always three of them.
const timeLayout = "2006-01-02T15:04:05.000Z07:00"

// An object writes one flat JSON object, keys in the order of the calls. Keys
// are role names: plain ASCII that needs no escaping.
type object struct{ b []byte }

func (o *object) key(k string) {
	if len(o.b) == 0 {
		o.b = append(o.b, '{')
	} else {
		o.b = append(o.b, ',')
	}
	o.b = append(o.b, '"')
	o.b = append(o.b, k...)
	o.b = append(o.b, '"', ':')
}

func (o *object) time(at int64, loc *time.Location) {
	o.key("time")
	o.b = append(o.b, '"')
	o.b = time.Unix(0, at).In(loc).AppendFormat(o.b, timeLayout)
	o.b = append(o.b, '"')
}

func (o *object) integer(k string, v int64) {
	o.key(k)
	o.b = strconv.AppendInt(o.b, v, 10)
}

var tens = [...]float64{1, 10, 100, 1000}

// number writes a value rounded to the decimals that such a device sends, at most
// three. It goes by whole numbers, which takes a third of the time of formatting a
// float; payloads are most of what a simulated month costs.
func (o *object) number(k string, v float64, decimals int) {
	o.key(k)
	n := int64(math.Round(v * tens[decimals]))
	if n < 0 {
		o.b = append(o.b, '-')
		n = -n
	}
	one := int64(tens[decimals])
	o.b = strconv.AppendInt(o.b, n/one, 10)
	if decimals == 0 {
		return
	}
	o.b = append(o.b, '.')
	for rest := n % one; one > 1; {
		one /= 10
		o.b = append(o.b, byte('0'+rest/one%10))
	}
}

func (o *object) truth(k string, v bool) {
	o.key(k)
	o.b = strconv.AppendBool(o.b, v)
}

// word writes a text that is known to need no escaping.
func (o *object) word(k, v string) {
	o.key(k)
	o.b = append(o.b, '"')
	o.b = append(o.b, v...)
	o.b = append(o.b, '"')
}

func (o *object) end() []byte {
	o.b = append(o.b, '}')
	return o.b
}
