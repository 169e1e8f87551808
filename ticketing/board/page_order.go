package board

import (
	"cmp"
	"context"
	"errors"
	"html/template"
	"io"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/facilityd/facilityd/rules"
	"github.com/facilityd/facilityd/ticketing"
)

// orderData is what the page of one order shows.
type orderData struct {
	Order    WorkOrderDetail
	Watch    watchData
	Log      []LogEntry // newest first
	Evidence *ticketing.Evidence
	Chart    template.HTML
	Persons  []ticketing.Person
	Form     *formState
	ByHand   bool
	Guide    *Guide
	Rules    []Explanation // how those of its fault class stand now
	Problem  int           // how often the fault came within 30 days, when that is a problem
}

// manyConsequences is from where on the steps of consequences are left out of the
// log that is shown.
const manyConsequences = 8

// watchData is how the watch of the telemetry after done stands.
type watchData struct {
	On    bool
	Blind bool      // nothing is known at the moment
	Until time.Time // when the repair counts as confirmed; zero while the fault holds
}

// formState is what a form that was refused shows again.
type formState struct {
	Verb    ticketing.Verb
	Key     string    // text of the refusal
	Lacks   []string  // roles of attachments that are missing
	Since   time.Time // the fault has held since
	Changed []LogEntry
	Text    string
	Reason  string
	Code    string
}

// Can reports whether the order's state takes a command.
func (d *orderData) Can(verb string) bool {
	return slices.Contains(d.Order.Commands, ticketing.Verb(verb))
}

// OpenedAt is when the order was opened, for a link.
func (d *orderData) OpenedAt() string { return d.Order.Opened.Format(time.RFC3339Nano) }

func (b *Board) orderPage(w http.ResponseWriter, r *http.Request) {
	b.showOrder(w, r, http.StatusOK, nil)
}

func (b *Board) showOrder(w http.ResponseWriter, r *http.Request, status int, form *formState) {
	d, err := b.orderData(r.Context(), r.PathValue("id"), b.view(r, nil).Lang())
	if err != nil {
		b.pageError(w, r, err)
		return
	}
	d.Form = form
	b.pages.render(w, r, status, "order", d)
}

func (b *Board) orderData(ctx context.Context, id, lang string) (*orderData, error) {
	o, err := b.cfg.Orders.Order(ctx, id)
	if err != nil {
		return nil, err
	}
	log, err := b.cfg.Orders.Log(ctx, o.ID, 0)
	if err != nil {
		return nil, err
	}
	evidence, err := b.cfg.Orders.Evidence(ctx, o.ID, 20)
	if err != nil {
		return nil, err
	}
	consequences, err := b.consequences(ctx, o)
	if err != nil {
		return nil, err
	}
	// What holds comes first.
	slices.SortStableFunc(consequences, func(x, y Episode) int { return cmp.Compare(x.ClearedAt.UnixNano(), y.ClearedAt.UnixNano()) })
	d := &orderData{Order: WorkOrderDetail{WorkOrder: b.sites().viewOrder(o), Consequences: consequences}, Log: viewLog(log, b.cfg.Templates[o.FaultClass]), ByHand: byHand(o.FaultClass), Guide: viewGuide(b.cfg.Templates[o.FaultClass])}
	b.withClocks(&d.Order, o, log)
	if t := b.cfg.Templates[o.FaultClass]; t != nil && o.State == ticketing.Done {
		d.Watch = watchData{On: true, Blind: !o.BlindSince.IsZero(), Until: o.WatchUntil(t.Verify)}
	}
	if o.State.Active() {
		d.Rules = b.standing(ctx, subject{site: o.Site, question: rules.Question{Asset: o.Asset, FaultClass: o.FaultClass}})
	}
	slices.Reverse(d.Log)
	if o.Explains > manyConsequences { // they have a list of their own; their steps would bury the rest
		d.Log = slices.DeleteFunc(d.Log, func(e LogEntry) bool { return e.Asset != "" })
	}
	for i := range evidence {
		if d.Evidence == nil || len(d.Evidence.Series) == 0 && len(evidence[i].Series) > 0 {
			d.Evidence = &evidence[i]
		}
	}
	if d.Evidence != nil && len(d.Evidence.Series) > 0 {
		svg, err := b.drawChart(o, d.Evidence, lang, false)
		if err != nil {
			return nil, err
		}
		d.Chart = template.HTML(svg) //nolint:gosec // made by chart.SVG, which escapes every text
	}
	problems, err := b.cfg.Orders.Problems(ctx, o.Site, o.Asset, o.FaultClass, b.cfg.Now())
	if err != nil {
		return nil, err
	}
	if len(problems) > 0 {
		d.Problem = problems[0].Count
	}
	if slices.Contains(d.Order.Commands, ticketing.DoReassign) {
		if d.Persons, err = b.cfg.Orders.Persons(ctx); err != nil {
			return nil, err
		}
		d.Persons = slices.DeleteFunc(d.Persons, func(p ticketing.Person) bool { return !p.Revoked.IsZero() })
	}
	return d, nil
}

// orderForm carries out the command of a form and shows the order again.
func (b *Board) orderForm(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, ticketing.MaxFile+64<<10)
	if err := r.ParseMultipartForm(ticketing.MaxFile); err != nil && !errors.Is(err, http.ErrNotMultipart) {
		b.showOrder(w, r, http.StatusRequestEntityTooLarge, &formState{Key: "invalid.too_large"})
		return
	}
	c, err := b.commandOfForm(r)
	if err == nil {
		_, _, err = b.command(r.Context(), r.PathValue("id"), c)
	}
	if err == nil {
		http.Redirect(w, r, "/orders/"+r.PathValue("id"), http.StatusSeeOther)
		return
	}
	status, form := refusedForm(&c, err)
	if status == http.StatusServiceUnavailable {
		b.pageError(w, r, err)
		return
	}
	b.showOrder(w, r, status, form)
}

// refusedForm says in the reader's words why a command was refused, with what
// was typed.
func refusedForm(c *ticketing.Command, err error) (status int, form *formState) {
	form = &formState{Verb: c.Verb, Text: c.Text, Reason: c.Reason, Code: c.Code}
	var conflict *ticketing.ConflictError
	var state *ticketing.NotAllowedError
	var holds *ticketing.StillHoldsError
	var lacks *ticketing.LacksError
	var invalid *ticketing.InvalidError
	status = http.StatusConflict
	switch {
	case errors.As(err, &conflict):
		form.Key, form.Changed = "order.conflict", viewLog(conflict.Changed, nil)
		slices.Reverse(form.Changed)
	case errors.As(err, &state):
		form.Key = "order.conflict"
	case errors.As(err, &holds):
		form.Key, form.Since = "order.still_holds", holds.Since
		if holds.NoData {
			form.Key = "order.still_silent"
		}
	case errors.As(err, &lacks):
		form.Key, form.Lacks = "order.lacks", lacks.Lacks
	case errors.As(err, &invalid):
		status, form.Key = http.StatusUnprocessableEntity, "invalid."+invalid.Code
	case errors.Is(err, ticketing.ErrKeyReused):
		status, form.Key = http.StatusUnprocessableEntity, "invalid.key_reused"
	case errors.Is(err, errNoPerson):
		status, form.Key = http.StatusForbidden, "order.sign_in_to_act"
	case errors.Is(err, ticketing.ErrNotFound):
		status, form.Key = http.StatusNotFound, "invalid.into"
	default:
		status = http.StatusServiceUnavailable
	}
	return status, form
}

func (b *Board) commandOfForm(r *http.Request) (ticketing.Command, error) {
	c := ticketing.Command{
		Verb: ticketing.Verb(r.PathValue("verb")), Via: "board", Arrived: b.cfg.Now(), Key: r.PostFormValue("key"),
		Text: r.PostFormValue("text"), Reason: r.PostFormValue("reason"), Person: r.PostFormValue("person"),
		Into: r.PostFormValue("into"), Code: r.PostFormValue("code"), Cleared: r.PostFormValue("cleared") != "",
	}
	c.Version, _ = strconv.Atoi(r.PostFormValue("version")) // 0 is refused with the reason
	if days, err := strconv.Atoi(r.PostFormValue("days")); err == nil && days > 0 {
		c.Until = c.Arrived.AddDate(0, 0, days)
	}
	if name := r.PostFormValue("measure_name"); name != "" {
		if x, err := strconv.ParseFloat(r.PostFormValue("measure_value"), 64); err == nil {
			c.Value = &ticketing.Measurement{Name: name, Value: x, Unit: r.PostFormValue("measure_unit")}
		}
	}
	if c.Verb != ticketing.DoAttach {
		return c, nil
	}
	file, head, err := r.FormFile("file")
	if err != nil {
		return c, nil // refused as a command without its file
	}
	defer file.Close()
	if c.Content, err = io.ReadAll(file); err != nil {
		return c, nil
	}
	c.Attachment, err = ticketing.NewAttachment(head.Filename, r.PostFormValue("role"), http.DetectContentType(c.Content), c.Content)
	return c, err
}
