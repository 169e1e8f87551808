package devices

import "time"

// A Message is one MQTT message as it was received.
type Message struct {
	Topic    string
	Payload  []byte
	QoS      byte
	Retained bool
	Dup      bool // the DUP flag of the packet: only a hint
	// Redelivered is set by the journal writer when the message is already in
	// the journal under the same packet id: it is kept for the record and
	// decoded by nobody.
	Redelivered bool
	PacketID    uint16
	Received    int64 // Unix nanoseconds of journal time
}

// RecordKind says what a journal record tells.
type RecordKind uint8

// The kinds of record. Whatever can change an episode is one of them.
const (
	Messages      RecordKind = iota + 1 // a batch of messages of one connection
	Tick                                // nothing arrived; the time is Record.Time
	LinkState                           // a connection went up or down (Link)
	Start                               // a daemon began to write (Epoch is new)
	ClockStep                           // the machine's clock moved by Step against the monotonic clock
	ConfigVersion                       // from here on the configuration with hash Config is in force
	FactRecord                          // a fact from a person (Fact)
)

var recordKindNames = [...]string{"", "messages", "tick", "link", "start", "clock_step", "config", "fact"}

// String returns the kind's word, as logs and the API show it.
func (k RecordKind) String() string {
	if int(k) < len(recordKindNames) {
		return recordKindNames[k]
	}
	return "unknown"
}

// A Record is one entry of the journal of one site. Seq is its position: it
// grows by one and is never used twice.
type Record struct {
	Seq        uint64
	Kind       RecordKind
	Site       string
	Time       int64  // journal time in Unix nanoseconds; never smaller than the record before
	Epoch      uint32 // counts the starts of writers of this site
	Connection string // name of the broker connection (messages, link state)
	Session    uint32 // counts the network connections of Connection
	Messages   []Message
	Link       Link
	Step       time.Duration
	Config     string // hash (hex SHA-256) of the configuration's content
	Fact       *Fact
}

// Link is the state of one broker connection.
type Link struct {
	Up     bool
	Reason string // why it went down, for people
}

// FactKind says what a person told.
type FactKind string

// The facts that matter to rules.
const (
	FactDone        FactKind = "done"         // the job is reported done; verification begins
	FactCleared     FactKind = "cleared"      // a competent person cleared the fault by hand
	FactWindow      FactKind = "window"       // a maintenance window from From to Until
	FactWindowEnded FactKind = "window_ended" // the window Window ends now, before its time
	FactCheckedIn   FactKind = "checked_in"   // a technician is at the asset
	FactCheckedOut  FactKind = "checked_out"
	FactAdopted     FactKind = "adopted"    // a device was adopted (Device, Asset, Profile)
	FactReplaced    FactKind = "replaced"   // Device took over from Replaces on Asset
	FactAccepted    FactKind = "new_normal" // a new normal of the asset was accepted
	FactCancelled   FactKind = "cancelled"  // the episode is known or a false alarm: shelved until Until
)

// A Fact is what a person said or did that matters to rules. It reaches them
// only through the journal.
type Fact struct {
	ID         string    `json:"id"` // idempotency key: the same fact twice is one fact
	Kind       FactKind  `json:"kind"`
	Asset      string    `json:"asset,omitempty"`
	Device     string    `json:"device,omitempty"`
	Profile    string    `json:"profile,omitempty"`
	Replaces   string    `json:"replaces,omitempty"`
	Window     string    `json:"window,omitempty"` // ID of the fact that made it
	FaultClass string    `json:"fault_class,omitempty"`
	Episode    string    `json:"episode,omitempty"`
	By         string    `json:"by"`
	At         time.Time `json:"at"` // time of the action, not of its arrival
	From       time.Time `json:"from,omitzero"`
	Until      time.Time `json:"until,omitzero"`
	Note       string    `json:"note,omitempty"`
}
