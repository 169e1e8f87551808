package simulator

import (
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

// number writes a value rounded to the decimals that such a device sends.
func (o *object) number(k string, v float64, decimals int) {
	o.key(k)
	o.b = strconv.AppendFloat(o.b, v, 'f', decimals, 64)
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
