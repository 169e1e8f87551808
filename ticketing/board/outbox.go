package board

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/facilityd/facilityd/ticketing"
	"github.com/facilityd/facilityd/ticketing/notify"
	"github.com/facilityd/facilityd/ticketing/outbox"
)

// Outbox is what the board shows of what is sent; ticketing/store has it.
type Outbox interface {
	Effects(ctx context.Context, f outbox.Filter) (ticketing.Page[outbox.Effect], error)
	RetryEffect(ctx context.Context, key string, now time.Time) error
	DropEffect(ctx context.Context, key string, now time.Time) error
	// Receivers are those to whom anything was or will be sent.
	Receivers(ctx context.Context) ([]string, error)
	// Nobody counts the open orders of which nobody could be told.
	Nobody(ctx context.Context) (int64, error)
}

// Effect is a message to a person, or an event for another system.
type Effect struct {
	Key      string       `json:"key" doc:"Idempotency key, the same on every attempt"`
	Kind     outbox.Kind  `json:"kind" enum:"message,event"`
	To       string       `json:"to" doc:"Id of the person, or name of the subscription"`
	Order    string       `json:"order,omitempty" doc:"Id of the work order; absent when it is about several"`
	Site     string       `json:"site"`
	Tier     string       `json:"tier"`
	State    outbox.State `json:"state" enum:"queued,sent,dead,dropped,superseded"`
	At       time.Time    `json:"at" doc:"When it was decided"`
	Attempts int          `json:"attempts"`
	Due      time.Time    `json:"due,omitzero" doc:"Of the next attempt, by the machine's clock"`
	Finished time.Time    `json:"finished,omitzero" doc:"When it was sent or given up, by the machine's clock"`
	Error    string       `json:"error,omitempty" doc:"Of the last attempt that failed"`
	Channel  string       `json:"channel,omitempty" doc:"Over which it was sent"`
	Title    string       `json:"title,omitempty"`
	Lines    []string     `json:"lines,omitempty"`
}

// Open reports whether it can be retried or dropped.
func (e *Effect) Open() bool { return e.State == outbox.Queued || e.State == outbox.Dead }

func viewEffect(e *outbox.Effect) Effect {
	out := Effect{
		Key: e.Key, Kind: e.Kind, To: e.To, Order: e.Order, Site: e.Site, Tier: e.Tier.String(), State: e.State, At: e.At, Attempts: e.Attempts,
		Finished: e.Finished, Error: e.Error, Channel: e.Channel,
	}
	if e.State == outbox.Queued {
		out.Due = e.Due
	}
	if e.Kind == outbox.Event {
		var said struct {
			Type  string `json:"type"`
			Order struct {
				Number string `json:"number"`
			} `json:"order"`
		}
		_ = json.Unmarshal(e.Doc, &said) // one that cannot be read is shown without its type
		out.Title = strings.TrimSpace(said.Type + " " + said.Order.Number)
		return out
	}
	var m notify.Message
	_ = json.Unmarshal(e.Doc, &m) // likewise
	out.Title = m.Title
	for _, l := range m.Body {
		if l.Label == "" {
			out.Lines = append(out.Lines, l.Text)
		} else {
			out.Lines = append(out.Lines, l.Label+": "+l.Text)
		}
	}
	return out
}

func (b *Board) registerOutbox(api huma.API) {
	if b.cfg.Outbox == nil {
		return
	}
	huma.Register(api, op("list-outbox", http.MethodGet, "/outbox", "outbox", "List messages to people and events for other systems, the newest first"), b.apiOutbox)
	for verb, summary := range map[string]string{"retry": "Deliver one now that waits or was given up", "drop": "Never deliver one that waits or was given up"} {
		o := op(verb+"-effect", http.MethodPost, "/outbox/{key}/"+verb, "outbox", summary)
		o.Errors = []int{http.StatusUnauthorized, http.StatusNotFound}
		huma.Register(api, o, func(ctx context.Context, in *effectInput) (*output[Effect], error) {
			return b.apiChangeEffect(ctx, in.Key, verb)
		})
	}
}

type outboxInput struct {
	PageInput
	State string `query:"state" enum:"queued,sent,dead,dropped,superseded"`
	Kind  string `query:"kind" enum:"message,event"`
	To    string `query:"to" doc:"Id of a person, or name of a subscription"`
	Order string `query:"order" doc:"Id of a work order"`
}

type effectInput struct {
	Key string `path:"key"`
}

func (b *Board) apiOutbox(ctx context.Context, in *outboxInput) (*output[List[Effect]], error) {
	page, err := b.cfg.Outbox.Effects(ctx, outbox.Filter{
		State: outbox.State(in.State), Kind: outbox.Kind(in.Kind), To: in.To, Order: in.Order, Cursor: in.Cursor, Limit: in.Limit,
	})
	if err != nil {
		return nil, b.apiError(err)
	}
	out := List[Effect]{Items: make([]Effect, len(page.Items)), Next: page.Next}
	for i := range page.Items {
		out.Items[i] = viewEffect(&page.Items[i])
	}
	return &output[List[Effect]]{out}, nil
}

// changeEffect is what a person decides about an effect.
func (b *Board) changeEffect(ctx context.Context, key, verb string) error {
	// When to deliver is a matter of the machine's clock, also on an estate clock.
	if verb == "retry" {
		return b.cfg.Outbox.RetryEffect(ctx, key, time.Now())
	}
	return b.cfg.Outbox.DropEffect(ctx, key, time.Now())
}

func (b *Board) apiChangeEffect(ctx context.Context, key, verb string) (*output[Effect], error) {
	if personOf(ctx) == nil {
		return nil, huma.Error401Unauthorized("this needs a person's token")
	}
	switch err := b.changeEffect(ctx, key, verb); {
	case errors.Is(err, outbox.ErrNoEffect):
		return nil, huma.Error404NotFound("nothing of this key waits or was given up; GET /api/v1/outbox?state=dead lists what was")
	case err != nil:
		return nil, b.apiError(err)
	}
	page, err := b.cfg.Outbox.Effects(ctx, outbox.Filter{Key: key})
	if err != nil || len(page.Items) == 0 {
		return nil, b.apiError(errors.Join(err, ticketing.ErrNotFound))
	}
	return &output[Effect]{viewEffect(&page.Items[0])}, nil
}

// Nobody is how many open orders there are of which nobody could be told, for the
// banner of every page.
func (v *view) Nobody() int64 {
	if v.board.cfg.Outbox == nil {
		return 0
	}
	n, err := v.board.cfg.Outbox.Nobody(v.r.Context())
	if err != nil { // the page itself will say that the database is away
		v.board.cfg.Logger.Warn("count orders that reach nobody", "err", err)
	}
	return n
}

type messagesData struct {
	Effects          []Effect
	To, State, Order string
	People           []string // to whom the messages on the page are
	States           []outbox.State
	More             string
}

func (b *Board) messagesPage(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	d := &messagesData{To: q.Get("to"), State: q.Get("state"), Order: q.Get("order"), States: outbox.States}
	if b.cfg.Outbox == nil {
		b.pages.render(w, r, http.StatusOK, "messages", d)
		return
	}
	f := outbox.Filter{To: d.To, Order: d.Order, Cursor: q.Get("cursor"), Limit: 100}
	if state, err := outbox.ParseState(d.State); err == nil {
		f.State = state
	}
	page, err := b.cfg.Outbox.Effects(r.Context(), f)
	if err != nil {
		b.pageError(w, r, err)
		return
	}
	for i := range page.Items {
		d.Effects = append(d.Effects, viewEffect(&page.Items[i]))
	}
	persons, err := b.cfg.Outbox.Receivers(r.Context())
	if err != nil {
		b.pageError(w, r, err)
		return
	}
	d.People = persons
	if page.Next != "" {
		d.More = with(q, "cursor", page.Next)
	}
	b.pages.render(w, r, http.StatusOK, "messages", d)
}

func (b *Board) effectForm(w http.ResponseWriter, r *http.Request) {
	verb := r.PathValue("verb")
	switch {
	case personOf(r.Context()) == nil:
		b.failPage(w, r, http.StatusUnauthorized, "error.unauthorized")
		return
	case b.cfg.Outbox == nil || verb != "retry" && verb != "drop":
		b.failPage(w, r, http.StatusNotFound, "error.not_found")
		return
	}
	// What is gone meanwhile shows on the page.
	if err := b.changeEffect(r.Context(), r.PathValue("key"), verb); err != nil && !errors.Is(err, outbox.ErrNoEffect) {
		b.pageError(w, r, err)
		return
	}
	http.Redirect(w, r, "/messages", http.StatusSeeOther)
}
