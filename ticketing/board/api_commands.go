package board

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/facilityd/facilityd/ticketing"
)

// Seen is what every command's body may carry.
type Seen struct {
	Version int       `json:"version,omitempty" minimum:"1" doc:"Version of the order that you had seen; or give it as If-Match"`
	At      time.Time `json:"at,omitzero" required:"false" doc:"Time of the action, when it was made without a connection; the time of arrival when absent"`
}

func (s *Seen) fill(c *ticketing.Command) { c.Version, c.At = s.Version, s.At }

// The bodies of the commands.
type (
	AcceptBody struct{ Seen }
	ArriveBody struct{ Seen }
	ResumeBody struct{ Seen }
	WaitBody   struct {
		Seen
		Reason string    `json:"reason" enum:"parts,access,contractor,weather"`
		Text   string    `json:"text,omitempty" maxLength:"4000"`
		Until  time.Time `json:"until,omitzero" required:"false" doc:"When work is expected to go on"`
	}
	NoteBody struct {
		Seen
		Text string `json:"text" minLength:"1" maxLength:"4000"`
	}
	MeasureBody struct {
		Seen
		Value ticketing.Measurement `json:"value"`
		Text  string                `json:"text,omitempty" maxLength:"4000"`
	}
	DoneBody struct {
		Seen
		Text    string `json:"text,omitempty" maxLength:"4000" doc:"What was done"`
		Reason  string `json:"reason,omitempty" maxLength:"4000" doc:"Why it is done although the fault still holds; without it such a command is refused with 409"`
		Code    string `json:"code,omitempty" enum:"repaired,made_safe,external,no_fault,device_fault" doc:"What it was: found and repaired, made safe for now, caused from outside (supply, misuse), no fault found, or the device reported wrongly. It tells how often a rule is right"`
		Cleared bool   `json:"cleared,omitempty" doc:"A competent person has looked: nobody is in danger, the fault is gone. Clears what only a person may clear"`
	}
	RefuseBody struct {
		Seen
		Reason string `json:"reason" minLength:"1" maxLength:"4000"`
	}
	CancelBody struct {
		Seen
		Reason string    `json:"reason" enum:"false_alarm,duplicate,known"`
		Text   string    `json:"text,omitempty" maxLength:"4000"`
		Until  time.Time `json:"until,omitzero" required:"false" doc:"Until when a known fault is shelved, at most 90 days"`
	}
	ReassignBody struct {
		Seen
		Person string `json:"person" minLength:"1" doc:"Id of the person who gets it"`
		Text   string `json:"text,omitempty" maxLength:"4000"`
	}
	NewNormalBody struct {
		Seen
		Text string `json:"text" minLength:"1" maxLength:"4000" doc:"What changed, so that it is normal now"`
	}
	CloseBody struct {
		Seen
		Text string `json:"text,omitempty" maxLength:"4000"`
	}
	MergeBody struct {
		Seen
		Into string `json:"into" minLength:"1" doc:"Id or number of the order that goes on"`
		Text string `json:"text,omitempty" maxLength:"4000"`
	}
)

func (b *WaitBody) fill(c *ticketing.Command) {
	b.Seen.fill(c)
	c.Reason, c.Text, c.Until = b.Reason, b.Text, b.Until
}
func (b *NoteBody) fill(c *ticketing.Command) { b.Seen.fill(c); c.Text = b.Text }
func (b *MeasureBody) fill(c *ticketing.Command) {
	b.Seen.fill(c)
	c.Value, c.Text = &b.Value, b.Text
}
func (b *DoneBody) fill(c *ticketing.Command) {
	b.Seen.fill(c)
	c.Text, c.Reason, c.Code, c.Cleared = b.Text, b.Reason, b.Code, b.Cleared
}
func (b *RefuseBody) fill(c *ticketing.Command) { b.Seen.fill(c); c.Reason = b.Reason }
func (b *CancelBody) fill(c *ticketing.Command) {
	b.Seen.fill(c)
	c.Reason, c.Text, c.Until = b.Reason, b.Text, b.Until
}
func (b *ReassignBody) fill(c *ticketing.Command) {
	b.Seen.fill(c)
	c.Person, c.Text = b.Person, b.Text
}
func (b *NewNormalBody) fill(c *ticketing.Command) { b.Seen.fill(c); c.Text = b.Text }
func (b *CloseBody) fill(c *ticketing.Command)     { b.Seen.fill(c); c.Text = b.Text }
func (b *MergeBody) fill(c *ticketing.Command)     { b.Seen.fill(c); c.Into, c.Text = b.Into, b.Text }

// body is one of the bodies above, by pointer.
type body[B any] interface {
	*B
	fill(c *ticketing.Command)
}

type commandInput[B any] struct {
	ID      string `path:"id" doc:"Id or number (demo-17) of the order"`
	Key     string `header:"Idempotency-Key" required:"true" minLength:"1" maxLength:"200" doc:"Chosen by you, one per command: a retry under the same key changes nothing"`
	IfMatch string `header:"If-Match" doc:"The ETag of the order that you had seen, or give version in the body"`
	Agent   string `header:"User-Agent" doc:"Which program asks, for the log"`
	Body    B
}

// viaOf says for the log from where a command of the API came.
func viaOf(agent string) string {
	if strings.HasPrefix(agent, CommandLine) {
		return "cli"
	}
	return "api"
}

// CommandLine is the User-Agent of facilityd's own command line.
const CommandLine = "facilityd-cli"

type commandOutput struct {
	ETag     string `header:"ETag" doc:"The order's version now"`
	Replayed string `header:"Idempotent-Replayed" doc:"true when the command had been carried out before"`
	Body     WorkOrder
}

func (b *Board) registerCommands(api huma.API) {
	registerCommand[AcceptBody](b, api, ticketing.DoAccept, "I take the order")
	registerCommand[ArriveBody](b, api, ticketing.DoArrive, "I am at the asset")
	registerCommand[WaitBody](b, api, ticketing.DoWait, "Work cannot go on")
	registerCommand[ResumeBody](b, api, ticketing.DoResume, "Work goes on")
	registerCommand[NoteBody](b, api, ticketing.DoNote, "Add a note")
	registerCommand[MeasureBody](b, api, ticketing.DoMeasure, "Add a value read off at the asset")
	b.registerAttach(api)
	registerCommand[DoneBody](b, api, ticketing.DoDone, "Report the job done")
	registerCommand[RefuseBody](b, api, ticketing.DoRefuse, "Refuse the reported work: a re-visit")
	registerCommand[CancelBody](b, api, ticketing.DoCancel, "Not a job")
	registerCommand[ReassignBody](b, api, ticketing.DoReassign, "Give the order to a person")
	registerCommand[MergeBody](b, api, ticketing.DoMerge, "Make the order part of another")
	registerCommand[NewNormalBody](b, api, ticketing.DoNewNormal, "What the rule found unusual is normal from now on: it learns anew")
	registerCommand[CloseBody](b, api, ticketing.DoClose, "Sign the confirmed work off now")
}

func registerCommand[B any, P body[B]](b *Board, api huma.API, verb ticketing.Verb, summary string) {
	o := op(string(verb)+"-work-order", http.MethodPost, "/work-orders/{id}/"+string(verb), "orders", summary)
	o.Errors = append(o.Errors, http.StatusForbidden, http.StatusNotFound, http.StatusUnprocessableEntity)
	conflict := huma.SchemaFromType(api.OpenAPI().Components.Schemas, typeOf[Conflict]())
	o.Responses = map[string]*huma.Response{"409": {
		Description: "The order changed since the version seen, its state does not take the command, or the fault still holds",
		Content:     map[string]*huma.MediaType{"application/problem+json": {Schema: conflict}},
	}}
	huma.Register(api, o, func(ctx context.Context, in *commandInput[B]) (*commandOutput, error) {
		c := ticketing.Command{Verb: verb, Via: viaOf(in.Agent), Key: in.Key, Arrived: b.cfg.Now()}
		P(&in.Body).fill(&c)
		return b.apiCommand(ctx, in.ID, in.IfMatch, c)
	})
}

// apiCommand carries out a command of the API whose version may also be in
// If-Match.
func (b *Board) apiCommand(ctx context.Context, id, ifMatch string, c ticketing.Command) (*commandOutput, error) {
	if ifMatch != "" {
		v, err := parseETag(ifMatch)
		if err != nil || c.Version != 0 && c.Version != v {
			return nil, huma.Error400BadRequest("If-Match is not an ETag of this order, or contradicts version")
		}
		c.Version = v
	}
	if c.Version == 0 {
		return nil, huma.Error428PreconditionRequired("give the version of the order that you had seen: If-Match with its ETag, or version in the body")
	}
	order, replayed, err := b.command(ctx, id, c)
	if err != nil {
		return nil, b.apiError(err)
	}
	out := &commandOutput{ETag: etag(order.Version), Body: b.sites().viewOrder(order)}
	if replayed {
		out.Replayed = "true"
	}
	return out, nil
}

// errNoPerson is returned for a command of nobody.
var errNoPerson = errors.New("a command needs a person: send a token")

// command carries out a command of the person of the request.
func (b *Board) command(ctx context.Context, id string, c ticketing.Command) (*ticketing.Order, bool, error) {
	p := personOf(ctx)
	if p == nil {
		return nil, false, errNoPerson
	}
	c.By = p.ID
	for _, ref := range []struct {
		field string
		given string
		id    *string
	}{{"id", id, &c.Order}, {"into", c.Into, &c.Into}} {
		if ref.given == "" {
			continue
		}
		o, err := b.cfg.Orders.Order(ctx, ref.given)
		if err != nil {
			return nil, false, err
		}
		*ref.id = o.ID
	}
	o, replayed, err := b.cfg.Orders.Command(ctx, c)
	if err != nil {
		return nil, false, err
	}
	b.cfg.Logger.Info("work order command", "order", o.NumberText(), "command", string(c.Verb), "person", p.ID, "state", string(o.State), "replayed", replayed)
	return o, replayed, nil
}

func etag(version int) string { return strconv.Quote(strconv.Itoa(version)) }

func parseETag(s string) (int, error) {
	v, err := strconv.Atoi(strings.Trim(strings.TrimPrefix(s, "W/"), `"`))
	if err == nil && v < 1 {
		err = fmt.Errorf("version %d", v)
	}
	return v, err
}
