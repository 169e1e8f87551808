package board

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/facilityd/facilityd/devices"
	"github.com/facilityd/facilityd/rules"
	"github.com/facilityd/facilityd/ticketing"
)

// registerAPI puts every operation of the API on the mux. The OpenAPI
// description is made from these same types.
func (b *Board) registerAPI(mux *http.ServeMux) {
	c := huma.DefaultConfig("facilityd", b.cfg.Version)
	c.Info.Description = "Work orders, episodes and devices of the properties that facilityd watches. Errors are RFC 9457 problem documents. Every command carries an idempotency key and the version of the order that the sender had seen."
	c.DocsPath = ""     // its page would load scripts from elsewhere
	c.CreateHooks = nil // no $schema in answers
	c.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"person": {Type: "http", Scheme: "bearer", Description: "A person's token, made by facilityd person add. On loopback reading needs none."},
	}
	c.Security = []map[string][]string{{"person": {}}}
	api := humago.New(mux, c)

	huma.Register(api, op("list-work-orders", http.MethodGet, "/work-orders", "orders", "List work orders"), b.apiList)
	huma.Register(api, op("get-work-order", http.MethodGet, "/work-orders/{id}", "orders", "One work order with its log and evidence"), b.apiOrder)
	huma.Register(api, chartOperation(), b.apiChart)
	huma.Register(api, fileOperation(), b.apiFile)
	b.registerCommands(api)
	b.registerFigures(api)
	b.registerOnCall(api)
	b.registerOutbox(api)
	huma.Register(api, op("list-episodes", http.MethodGet, "/episodes", "orders", "List episodes"), b.apiEpisodes)
	huma.Register(api, op("list-devices", http.MethodGet, "/devices", "estate", "List devices"), b.apiDevices)
	b.registerAdoption(api)
	b.registerExplain(api)
	huma.Register(api, op("get-device", http.MethodGet, "/devices/{id}", "estate", "One device with its latest readings"), b.apiDevice)
	huma.Register(api, op("list-assets", http.MethodGet, "/assets", "estate", "List the assets of the site files"), b.apiAssets)
	huma.Register(api, op("get-accounting", http.MethodGet, "/accounting", "daemon", "Where every message and every reading went"), b.apiAccounting)
	huma.Register(api, op("get-status", http.MethodGet, "/status", "daemon", "Version, configuration, last reload, lags"), b.apiStatus)
	huma.Register(api, op("get-me", http.MethodGet, "/me", "daemon", "Who the token belongs to"), b.apiMe)
}

func op(id, method, path, tag, summary string) huma.Operation {
	return huma.Operation{
		OperationID: id, Method: method, Path: "/api/v1" + path, Summary: summary, Tags: []string{tag},
		Errors: []int{http.StatusUnauthorized},
	}
}

type output[T any] struct {
	Body T
}

// List is a page of a list.
type List[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next,omitempty" doc:"Give it as cursor to get the following page; absent at the end"`
}

// PageInput chooses a page of a list.
type PageInput struct {
	Cursor string `query:"cursor" doc:"The next of the page before"`
	Limit  int    `query:"limit" default:"50" minimum:"1" maximum:"500"`
}

type listInput struct {
	PageInput
	Sort       string    `query:"sort" enum:"newest,urgency" default:"newest" doc:"urgency lists what is not closed or cancelled, most urgent first, and takes no from and to: open orders are never hidden by a time filter"`
	Site       string    `query:"site"`
	State      []string  `query:"state" enum:"open,dispatched,accepted,on_site,waiting,done,verified,closed,cancelled"`
	Tier       []string  `query:"tier" enum:"P1,P2,P3,P4"`
	Asset      string    `query:"asset"`
	FaultClass string    `query:"fault_class"`
	Assignee   string    `query:"assignee" doc:"Id of a person, or me"`
	From       time.Time `query:"from" doc:"Opened at or after"`
	To         time.Time `query:"to" doc:"Opened before"`
}

func (b *Board) apiList(ctx context.Context, in *listInput) (*output[List[WorkOrder]], error) {
	f := ticketing.Filter{
		Sort: ticketing.Sort(in.Sort), Site: in.Site, Asset: in.Asset, FaultClass: in.FaultClass, Assignee: in.Assignee,
		From: in.From, To: in.To, Cursor: in.Cursor, Limit: in.Limit,
	}
	if in.Assignee == "me" {
		p := personOf(ctx)
		if p == nil {
			return nil, huma.Error400BadRequest("assignee=me needs a person's token")
		}
		f.Assignee = p.ID
	}
	for _, s := range in.State {
		f.States = append(f.States, ticketing.State(s))
	}
	for _, t := range in.Tier {
		tier, err := ticketing.ParseTier(t)
		if err != nil {
			return nil, huma.Error400BadRequest(err.Error())
		}
		f.Tiers = append(f.Tiers, tier)
	}
	page, err := b.cfg.Orders.List(ctx, f)
	if err != nil {
		return nil, b.apiError(err)
	}
	items, err := b.viewOrders(ctx, page.Items)
	if err != nil {
		return nil, b.apiError(err)
	}
	return &output[List[WorkOrder]]{List[WorkOrder]{Items: items, Next: page.Next}}, nil
}

type idInput struct {
	ID string `path:"id" doc:"Id or number (demo-17) of the order"`
}

type orderOutput[T any] struct {
	ETag string `header:"ETag" doc:"The version, for If-Match"`
	Body T
}

func (b *Board) apiOrder(ctx context.Context, in *idInput) (*orderOutput[WorkOrderDetail], error) {
	o, err := b.cfg.Orders.Order(ctx, in.ID)
	if err != nil {
		return nil, b.apiError(err)
	}
	log, err := b.cfg.Orders.Log(ctx, o.ID, 0)
	if err != nil {
		return nil, b.apiError(err)
	}
	evidence, err := b.cfg.Orders.Evidence(ctx, o.ID, 20)
	if err != nil {
		return nil, b.apiError(err)
	}
	consequences, err := b.consequences(ctx, o)
	if err != nil {
		return nil, b.apiError(err)
	}
	out := WorkOrderDetail{WorkOrder: b.sites().viewOrder(o), Consequences: consequences, Log: viewLog(log, b.cfg.Templates[o.FaultClass]), Evidence: make([]Evidence, len(evidence)), Guide: viewGuide(b.cfg.Templates[o.FaultClass])}
	for i, e := range evidence {
		out.Evidence[i] = Evidence(e)
	}
	b.withClocks(&out, o, log)
	return &orderOutput[WorkOrderDetail]{ETag: etag(o.Version), Body: out}, nil
}

// consequences are the episodes that an order's fault explains, the newest first.
func (b *Board) consequences(ctx context.Context, o *ticketing.Order) ([]Episode, error) {
	if o.Explains == 0 {
		return nil, nil
	}
	page, err := b.cfg.Orders.Episodes(ctx, ticketing.EpisodeFilter{Order: o.ID, Consequences: true, Limit: 500})
	if err != nil {
		return nil, err
	}
	out := make([]Episode, len(page.Items))
	for i := range page.Items {
		out[i] = viewEpisode(&page.Items[i])
	}
	return out, nil
}

type episodesInput struct {
	PageInput
	Site       string `query:"site"`
	Asset      string `query:"asset"`
	FaultClass string `query:"fault_class"`
	Phase      string `query:"phase" enum:"active,active_without_data,cleared"`
	WorkOrder  string `query:"work_order" doc:"Id of the order that holds them"`
	Followers  bool   `query:"consequences" doc:"Only those that are in the order of their cause"`
}

func (b *Board) apiEpisodes(ctx context.Context, in *episodesInput) (*output[List[Episode]], error) {
	page, err := b.cfg.Orders.Episodes(ctx, ticketing.EpisodeFilter{
		Site: in.Site, Asset: in.Asset, FaultClass: in.FaultClass, Phase: in.Phase, Order: in.WorkOrder, Consequences: in.Followers, Cursor: in.Cursor, Limit: in.Limit,
	})
	if err != nil {
		return nil, b.apiError(err)
	}
	out := List[Episode]{Items: make([]Episode, len(page.Items)), Next: page.Next}
	for i := range page.Items {
		out.Items[i] = viewEpisode(&page.Items[i])
	}
	return &output[List[Episode]]{out}, nil
}

// SiteInput chooses a site.
type SiteInput struct {
	Site string `query:"site" doc:"All sites when absent"`
}

type devicesInput struct {
	SiteInput
	Class        string `query:"class"`
	Asset        string `query:"asset"`
	Availability string `query:"availability" enum:"online,offline,degraded,unknown"`
	After        string `query:"after" doc:"site/device of the last one of the page before"`
	Limit        int    `query:"limit" default:"500" minimum:"1" maximum:"5000"`
}

func (b *Board) apiDevices(_ context.Context, in *devicesInput) (*output[List[Device]], error) {
	out := List[Device]{Items: []Device{}}
	for _, site := range b.cfg.Live.Sites() {
		if in.Site != "" && in.Site != site.ID {
			continue
		}
		for _, d := range b.cfg.Live.Devices(site.ID) {
			key := d.Site + "/" + d.ID
			if in.Class != "" && d.Class != in.Class || in.Asset != "" && d.Asset != in.Asset ||
				in.Availability != "" && d.Availability != in.Availability || in.After != "" && key <= in.After {
				continue
			}
			if len(out.Items) == in.Limit {
				last := &out.Items[in.Limit-1]
				out.Next = last.Site + "/" + last.ID
				return &output[List[Device]]{out}, nil
			}
			out.Items = append(out.Items, d)
		}
	}
	return &output[List[Device]]{out}, nil
}

type deviceInput struct {
	SiteInput
	ID string `path:"id"`
}

func (b *Board) apiDevice(_ context.Context, in *deviceInput) (*output[Device], error) {
	var found []Device
	for _, site := range b.cfg.Live.Sites() {
		if in.Site == "" || in.Site == site.ID {
			if d, ok := b.cfg.Live.Device(site.ID, in.ID); ok {
				found = append(found, d)
			}
		}
	}
	switch len(found) {
	case 0:
		return nil, huma.Error404NotFound("no device of that id has been heard or configured")
	case 1:
		return &output[Device]{found[0]}, nil
	}
	return nil, huma.Error400BadRequest("several sites have a device of that id: give site")
}

func (b *Board) apiAssets(_ context.Context, in *SiteInput) (*output[List[Asset]], error) {
	out := List[Asset]{Items: []Asset{}}
	for _, site := range b.cfg.Live.Sites() {
		if in.Site != "" && in.Site != site.ID {
			continue
		}
		for i := range site.Assets {
			out.Items = append(out.Items, viewAsset(site.ID, &site.Assets[i]))
		}
	}
	return &output[List[Asset]]{out}, nil
}

func (b *Board) apiAccounting(_ context.Context, in *SiteInput) (*output[map[string]Accounting], error) {
	out := map[string]Accounting{}
	for _, site := range b.cfg.Live.Sites() {
		if in.Site == "" || in.Site == site.ID {
			out[site.ID] = b.cfg.Live.Accounting(site.ID)
		}
	}
	return &output[map[string]Accounting]{out}, nil
}

func (b *Board) apiStatus(context.Context, *struct{}) (*output[Status], error) {
	return &output[Status]{b.cfg.Live.Status()}, nil
}

// Me is who the token belongs to.
type Me struct {
	ID    string `json:"id" doc:"Empty for somebody on loopback without a token, who only reads"`
	Name  string `json:"name"`
	Lang  string `json:"lang,omitempty"`
	Local bool   `json:"local" doc:"The request needed no token because it came over loopback"`
}

func (b *Board) apiMe(ctx context.Context, _ *struct{}) (*output[Me], error) {
	me := Me{Local: b.cfg.Loopback}
	if p := personOf(ctx); p != nil {
		me.ID, me.Name, me.Lang = p.ID, p.Name, p.Lang
	}
	return &output[Me]{me}, nil
}

// Conflict is the problem document of a command that was decided on an old
// version, or that the order's state does not take.
type Conflict struct {
	huma.ErrorModel
	Version int             `json:"version,omitempty" doc:"Version of the order now"`
	State   ticketing.State `json:"state,omitempty" doc:"State of the order now"`
	Changed []LogEntry      `json:"changed,omitempty" doc:"Log entries since the version that the sender had seen"`
	Lacks   []string        `json:"lacks,omitempty" doc:"What has to be attached first: signature, photo, one for each that is missing"`
	Since   time.Time       `json:"since,omitzero" doc:"Since when the fault has held, when that is why"`
}

// Problem types that a program may want to tell apart.
const (
	typeConflict   = "https://facilityd.dev/problems/conflict"
	typeNotAllowed = "https://facilityd.dev/problems/state"
	typeStillHolds = "https://facilityd.dev/problems/fault-still-holds"
	typeLacks      = "https://facilityd.dev/problems/attachment-missing"
	typeKeyReused  = "https://facilityd.dev/problems/idempotency-key-reused"
)

// apiError maps the errors of the domain to problem documents; anything else is
// internal and its text stays in the log.
func (b *Board) apiError(err error) error {
	var conflict *ticketing.ConflictError
	var state *ticketing.NotAllowedError
	var holds *ticketing.StillHoldsError
	var lacks *ticketing.LacksError
	var invalid *ticketing.InvalidError
	problem := func(typ string, status int) Conflict {
		return Conflict{ErrorModel: huma.ErrorModel{Type: typ, Status: status, Title: http.StatusText(status), Detail: err.Error()}}
	}
	switch {
	case errors.As(err, &conflict):
		p := problem(typeConflict, http.StatusConflict)
		p.Version, p.State, p.Changed = conflict.Now, conflict.State, viewLog(conflict.Changed, nil)
		return &p
	case errors.As(err, &state):
		p := problem(typeNotAllowed, http.StatusConflict)
		p.State = state.State
		return &p
	case errors.As(err, &holds):
		p := problem(typeStillHolds, http.StatusConflict)
		p.Since = holds.Since
		return &p
	case errors.As(err, &lacks):
		p := problem(typeLacks, http.StatusConflict)
		p.Lacks = lacks.Lacks
		return &p
	case errors.Is(err, errNoPerson):
		return huma.Error403Forbidden(err.Error())
	case errors.As(err, &invalid):
		return huma.Error422UnprocessableEntity(err.Error(), &huma.ErrorDetail{Location: "body." + invalid.Field, Message: invalid.Message})
	case errors.Is(err, ticketing.ErrKeyReused):
		p := problem(typeKeyReused, http.StatusUnprocessableEntity)
		return &p
	case errors.Is(err, ticketing.ErrCursor):
		return huma.Error400BadRequest(err.Error())
	case errors.Is(err, ticketing.ErrNotFound), errors.Is(err, rules.ErrNoAsset), errors.Is(err, rules.ErrNoRule):
		return huma.Error404NotFound(err.Error())
	case errors.Is(err, context.Canceled):
		return huma.NewError(499, "the client went away")
	}
	b.cfg.Logger.Error("API call", "err", err)
	return huma.Error503ServiceUnavailable("the orders cannot be read or written at the moment; what arrives is kept meanwhile, try again")
}

// label finds what a series shows, in words.
func seriesLabel(ev *ticketing.Evidence, device, point, lang string) string {
	i := slices.IndexFunc(ev.Inputs, func(in rulesInput) bool { return in.Device == device && in.Point == point })
	name := point
	if i >= 0 {
		if role := devices.RoleByName(ev.Inputs[i].Role); role != nil {
			name = role.Label.In(lang)
		}
	}
	return strings.TrimSpace(device + " · " + name)
}
