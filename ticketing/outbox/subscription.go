package outbox

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/facilityd/facilityd/ticketing"
)

// A Subscription is another system that hears of orders.
type Subscription struct {
	Name    string
	Channel string // name of a channel of type webhook
	// What it hears of; an empty list means all.
	Sites []string
	Tiers []ticketing.Tier
	On    []Change
}

// Changes lists all changes.
var Changes = []Change{Opened, Changed, Closed}

// Wants reports whether the system hears of a change of an order.
func (s *Subscription) Wants(o *ticketing.Order, c Change) bool {
	return in(s.Sites, o.Site) && in(s.Tiers, o.Tier) && in(s.On, c)
}

func in[T comparable](list []T, v T) bool { return len(list) == 0 || slices.Contains(list, v) }

// Event is the effect that tells of a change. The same change of an order is the
// same event, and the events of an order arrive in the order of its versions.
func (s *Subscription) Event(o *ticketing.Order, doc json.RawMessage, now time.Time) Effect {
	return Effect{
		Key: fmt.Sprintf("e-%s-%s-%d", s.Name, o.ID, o.Version), Kind: Event, To: s.Name,
		Thread: "event/" + s.Name + "/" + o.ID, Turn: int64(o.Version), Site: o.Site, Order: o.ID, Tier: o.Tier, Doc: doc, At: o.Updated, Created: now,
	}
}
