package ticketing

import (
	"crypto/sha256"
	"encoding/base32"
	"strconv"
	"time"

	"github.com/facilityd/facilityd/devices"
	"github.com/facilityd/facilityd/rules"
)

// An Entry is one line of an order's log. Entries are only ever appended. Which
// of the details are set follows from the kind.
type Entry struct {
	Version int       `json:"version"` // place in the order's log, from 1
	Kind    Kind      `json:"kind"`
	At      time.Time `json:"at"`            // when it happened: time of the action, or of the reading
	Arrived time.Time `json:"arrived"`       // when facilityd learnt of it, by its wall clock
	By      string    `json:"by,omitempty"`  // person id; "" when facilityd itself
	Via     string    `json:"via,omitempty"` // board, api, cli, rules, clock
	Key     string    `json:"key,omitempty"` // idempotency key, unique over all orders
	// Digest tells whether a command that comes again under the same key is the
	// same command.
	Digest string `json:"digest,omitempty"`
	Detail
}

// Detail is what an entry of some kind says beyond who and when.
type Detail struct {
	// Of the order that is opened; asset and fault class also of a consequence.
	Number     int64  `json:"number,omitempty"`
	Site       string `json:"site,omitempty"`
	Asset      string `json:"asset,omitempty"`
	FaultClass string `json:"fault_class,omitempty"`
	Simulated  bool   `json:"simulated,omitempty"`
	// Of a step of an episode.
	Episode  string         `json:"episode,omitempty"`
	Onset    time.Time      `json:"onset,omitzero"`
	Holds    bool           `json:"holds,omitempty"`   // the condition holds after this step
	NoData   bool           `json:"no_data,omitempty"` // as far as is known: its inputs are silent
	Inside   bool           `json:"inside,omitempty"`  // a person may be inside the asset
	Learned  bool           `json:"learned,omitempty"` // the rule compares with the asset's own past
	Devices  []string       `json:"devices,omitempty"` // that the rule looked at
	Severity string         `json:"severity,omitempty"`
	Rule     string         `json:"rule,omitempty"`
	Cause    rules.Cause    `json:"cause,omitempty"`
	Why      *devices.Label `json:"why,omitempty"` // one sentence for a technician
	Tier     Tier           `json:"tier,omitzero"` // the tier that this entry asks for; an order's tier never falls
	// Of a warning that time runs out: so many percent of the time for the target
	// are gone, and it is over at Due.
	Target Target    `json:"target,omitempty"`
	Level  int       `json:"level,omitempty"`
	Due    time.Time `json:"due,omitzero"`
	// Of what a person did.
	Text       string       `json:"text,omitempty"`
	Reason     string       `json:"reason,omitempty"`
	Code       string       `json:"code,omitempty"` // closing code of what is done
	Person     string       `json:"person,omitempty"`
	Until      time.Time    `json:"until,omitzero"`
	Into       string       `json:"into,omitempty"` // order id
	Cleared    bool         `json:"cleared,omitempty"`
	Value      *Measurement `json:"value,omitempty"`
	Attachment *Attachment  `json:"attachment,omitempty"`
}

// A Measurement is a value that a person read off at the asset.
type Measurement struct {
	Name  string  `json:"name" doc:"What was measured, a name of the checklist where it has one" maxLength:"120"`
	Value float64 `json:"value" doc:"The value read off"`
	Unit  string  `json:"unit,omitempty" doc:"Its unit" maxLength:"20"`
}

// An Attachment is a file kept under the hash of its content.
type Attachment struct {
	Hash string `json:"hash"` // SHA-256, hexadecimal
	Name string `json:"name"`
	Type string `json:"type"` // media type, found from the content
	Size int64  `json:"size"` // bytes
	Role string `json:"role"` // photo, signature or document
}

var idEncoding = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

// OrderID derives an order's stable id from the episode that raised it: the
// first 80 bits of its SHA-256 as 16 letters and digits without i, l, o and u.
// The same journal gives the same ids, on whatever machine.
func OrderID(first rules.EpisodeID) string {
	sum := sha256.Sum256([]byte(first.String()))
	return idEncoding.EncodeToString(sum[:10])
}

// NumberText is the number people say: site and running number, as in demo-17.
func NumberText(site string, number int64) string {
	return site + "-" + strconv.FormatInt(number, 10)
}
