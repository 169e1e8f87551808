package load

import (
	"fmt"
	"strconv"
	"time"
)

// Config of a load. The zero value of a field is its default.
type Config struct {
	Devices int // 1,000
	// Start is the time of the first message of timed devices, Interval the time
	// from one message of a device to its next; 1 s.
	Start    time.Time
	Interval time.Duration
	// Every so many messages of a device, Length of them are an excursion; 500
	// and 20.
	Every, Length int
	// Name begins the ids of the devices; "load".
	Name string
}

// Bearing temperatures in °C: every value of an excursion is above Hot, every
// other below Cool. A threshold between them, with its clear below Cool, gives one
// episode per excursion.
const (
	Hot  = 85.0
	Cool = 60.0
)

// Points is how many points a message has, besides time and seq.
const Points = 7

// Generator makes the messages of a load. It is not for several goroutines.
type Generator struct {
	cfg    Config
	topics []string
	// The time of a round is the same for all devices: written once per round.
	round int
	stamp []byte
}

// New prepares a load.
func New(cfg Config) *Generator {
	if cfg.Devices <= 0 {
		cfg.Devices = 1000
	}
	if cfg.Interval <= 0 {
		cfg.Interval = time.Second
	}
	if cfg.Every <= 0 {
		cfg.Every = 500
	}
	if cfg.Length <= 0 {
		cfg.Length = 20
	}
	cfg.Length = min(cfg.Length, cfg.Every)
	if cfg.Name == "" {
		cfg.Name = "load"
	}
	g := &Generator{cfg: cfg, topics: make([]string, cfg.Devices), round: -1}
	for i := range g.topics {
		class, kind := "pump", "telemetry"
		if !g.Timed(i) {
			class, kind = "gate", "event"
		}
		g.topics[i] = fmt.Sprintf("facility/%s/%s/%s", class, g.Device(i), kind)
	}
	return g
}

// Devices returns how many devices there are.
func (g *Generator) Devices() int { return g.cfg.Devices }

// Device returns the id of a device.
func (g *Generator) Device(i int) string { return fmt.Sprintf("%s-%06d", g.cfg.Name, i) }

// Timed reports whether a device sends its own times.
func (g *Generator) Timed(i int) bool { return i%2 == 0 }

// Topic returns the topic of a device.
func (g *Generator) Topic(i int) string { return g.topics[i] }

// Message returns device and sequence number of the k-th message of the load,
// from 0: the devices take turns.
func (g *Generator) Message(k int) (device, seq int) {
	return k % g.cfg.Devices, k/g.cfg.Devices + 1
}

// Sent returns how many messages a device has sent after n of the whole load.
func (g *Generator) Sent(device, n int) int {
	return (n + g.cfg.Devices - 1 - device) / g.cfg.Devices
}

// Time returns the time that a timed device's message carries.
func (g *Generator) Time(seq int) time.Time {
	return g.cfg.Start.Add(time.Duration(seq-1) * g.cfg.Interval)
}

// Append writes the payload of a message. It allocates nothing when dst is large
// enough; 256 bytes are.
func (g *Generator) Append(dst []byte, device, seq int) []byte {
	out := g.excursion(device, seq)
	// A slow wave, different for every device, makes values that are no constants.
	wave := int64((seq*13 + device*7) % 100)
	if !g.Timed(device) {
		if out {
			dst = append(dst, `{"obstruction":true,"gate_cmd":"open","at_open":false,"moving":true,"motion_time":`...)
		} else {
			dst = append(dst, `{"access_granted":"plate","gate_cmd":"open","at_open":true,"moving":false,"motion_time":`...)
		}
		dst = appendTenths(dst, 27+wave/20)
		dst = append(dst, `,"cycle_count":`...)
		dst = strconv.AppendInt(dst, int64(100_000+seq), 10)
	} else {
		if g.round != seq {
			g.round = seq
			g.stamp = g.Time(seq).AppendFormat(append(g.stamp[:0], `{"time":"`...), "2006-01-02T15:04:05.000Z07:00")
			g.stamp = append(g.stamp, `","seq":`...)
		}
		dst = append(dst, g.stamp...)
		dst = strconv.AppendInt(dst, int64(seq), 10)
		dst = append(dst, `,"current":`...)
		dst = appendTenths(dst, 120+wave/4)
		dst = append(dst, `,"power":`...)
		dst = appendTenths(dst, 60+wave/8)
		dst = append(dst, `,"flow":`...)
		dst = appendTenths(dst, 180+wave/2)
		dst = append(dst, `,"discharge_pressure":`...)
		dst = appendTenths(dst, 58+wave/25)
		dst = append(dst, `,"vibration_rms":`...)
		dst = appendTenths(dst, 12+wave/20)
		dst = append(dst, `,"bearing_temp":`...)
		bearing := 450 + wave
		if out {
			bearing = 900 + wave/2
		}
		dst = appendTenths(dst, bearing)
	}
	dst = append(dst, `,"pulse_count":`...)
	dst = strconv.AppendInt(dst, int64(seq), 10)
	return append(dst, '}')
}

// appendTenths writes a positive number of tenths as a decimal fraction.
func appendTenths(dst []byte, v int64) []byte {
	dst = strconv.AppendInt(dst, v/10, 10)
	return append(dst, '.', byte('0'+v%10))
}

// offset is the sequence number at which the excursion of each period of a device
// begins. The devices are spread, so that not all cry at once; each begins and
// ends with a message that is none.
func (g *Generator) offset(device int) int {
	return 2 + device*7919%max(1, g.cfg.Every-g.cfg.Length)
}

func (g *Generator) excursion(device, seq int) bool {
	at := seq - g.offset(device)
	return at >= 0 && at%g.cfg.Every < g.cfg.Length
}

// Excursion is a stretch of messages of one device that a rule must find.
type Excursion struct {
	Device      string
	Timed       bool
	First, Last int // sequence numbers, both of the excursion
	// From and To are the times of the first message of the excursion and of the
	// first after it; zero for untimed devices, To also when the load ended before.
	From, To time.Time
}

// Excursions tells those that began within the first n messages of the load, by
// device and time.
func (g *Generator) Excursions(n int) []Excursion {
	var out []Excursion
	for i := range g.cfg.Devices {
		sent := g.Sent(i, n)
		for first := g.offset(i); first <= sent; first += g.cfg.Every {
			x := Excursion{Device: g.Device(i), Timed: g.Timed(i), First: first, Last: min(first+g.cfg.Length-1, sent)}
			if x.Timed {
				x.From = g.Time(first)
				if first+g.cfg.Length <= sent {
					x.To = g.Time(first + g.cfg.Length)
				}
			}
			out = append(out, x)
		}
	}
	return out
}
