package devices

import "time"

// Kind says what the values of a point are.
type Kind uint8

// The kinds of point.
const (
	Gauge   Kind = iota // a measured quantity; the newest value holds
	Counter             // grows only; a smaller value is a reset or a roll-over
	State               // a truth value or one word of an enumeration; holds until the next
	Event               // something happened; two equal events are two
	Text                // words for people
	// Availability is the state of the device itself (point name "availability";
	// Text is online, offline, degraded or unknown).
	Availability
)

var kindNames = [...]string{"gauge", "counter", "state", "event", "text", "availability"}

// String returns the word that profiles and the API use.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return "unknown"
}

// AvailabilityPoint is the name of the point that every device has.
const AvailabilityPoint = "availability"

// A Point is one named measurement or state of one device. It fills one cache
// line.
type Point struct {
	Device *Device
	// Index is dense per Registry, in the order of first appearance, so that
	// state per point can live in a slice. It is not stable over a restart: what
	// is written down is keyed by device id and point name.
	Index uint32
	Kind  Kind
	Name  string
	Role  string // a word of the role vocabulary, or "" when the point means nothing to rules
	Unit  string // canonical code of the unit table; "" for none
}

// A Device is the thing that publishes. It belongs to one asset and is its own
// asset unless the site file maps it to another.
type Device struct {
	ID      string // unique within the site
	Index   uint32 // dense per Registry, in the order of first appearance
	Class   string // elevator, gate, pump, meter, … (see Classes)
	Profile string // id/version of the profile that decodes it
	Asset   string // id of the asset it belongs to
	// Interval is the declared or profile-given time between messages in
	// nanoseconds; 0 when nobody declared one.
	Interval int64
	// Silence is the profile's own limit in nanoseconds after which a device
	// without a message is silent; 0 leaves it to the rules (a multiple of
	// Interval).
	Silence int64
	// Lateness is how long after its own time, in nanoseconds, a reading may arrive
	// and still be waited for; 0 waits for nobody. It is at most MaxLateness.
	Lateness  int64
	Simulated bool // marked all the way to the work order
	Points    []*Point
}

// MaxLateness is as long as one may wait for stragglers. What comes later still is
// evaluated at its own time when it is newer than what its point had.
const MaxLateness = int64(time.Hour)

// Point returns the device's point of that name, or nil.
func (d *Device) Point(name string) *Point {
	for _, p := range d.Points {
		if p.Name == name {
			return p
		}
	}
	return nil
}

// A Registry holds the devices of one site that one decoder has seen, and gives
// out dense indices. It belongs to one goroutine.
type Registry struct {
	devices map[string]*Device
	order   []*Device
	points  []*Point
}

// NewRegistry returns an empty registry.
func NewRegistry() *Registry {
	return &Registry{devices: make(map[string]*Device)}
}

// Lookup finds a device by its id without allocating, nil when it is unknown.
func (r *Registry) Lookup(id []byte) *Device { return r.devices[string(id)] }

// Add registers a device. Index, Points and the availability point are set
// here. Adding an id twice returns the first device unchanged.
func (r *Registry) Add(d Device) *Device {
	if have, ok := r.devices[d.ID]; ok {
		return have
	}
	d.Index = uint32(len(r.order))
	d.Points = nil
	if d.Asset == "" {
		d.Asset = d.ID
	}
	dev := &d
	r.devices[d.ID] = dev
	r.order = append(r.order, dev)
	r.AddPoint(dev, Point{Name: AvailabilityPoint, Kind: Availability})
	return dev
}

// AddPoint gives a device a further point; one of the same name is returned
// unchanged.
func (r *Registry) AddPoint(d *Device, p Point) *Point {
	if have := d.Point(p.Name); have != nil {
		return have
	}
	p.Device, p.Index = d, uint32(len(r.points))
	pt := &p
	r.points = append(r.points, pt)
	d.Points = append(d.Points, pt)
	return pt
}

// Devices returns all devices in the order of first appearance. The slice is
// the registry's own.
func (r *Registry) Devices() []*Device { return r.order }

// Points returns all points; a point's place is its Index.
func (r *Registry) Points() []*Point { return r.points }
