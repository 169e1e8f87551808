package board

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
)

// A Stranger publishes and is not read: nobody has said that it belongs here.
type Stranger struct {
	Site     string `json:"site"`
	ID       string `json:"id" doc:"Id of the device; the topic, when no profile reads it"`
	Profile  string `json:"profile,omitempty" doc:"The profile that reads it, or fits best"`
	Class    string `json:"class,omitempty"`
	Topic    string `json:"topic" doc:"Of its last message"`
	Messages uint64 `json:"messages"`
	// Adoptable is false when no profile reads its topics: it needs one first.
	Adoptable bool `json:"adoptable"`
}

// Adoption says that a stranger belongs to an asset from now on.
type Adoption struct {
	Site   string `json:"site"`
	Device string `json:"device"`
	Asset  string `json:"asset,omitempty" doc:"Asset that it belongs to; its own when absent"`
}

func (b *Board) registerAdoption(api huma.API) {
	huma.Register(api, op("list-strangers", http.MethodGet, "/strangers", "estate", "List devices that are seen, not known"), b.apiStrangers)
	adopt := op("adopt-device", http.MethodPost, "/strangers/adopt", "estate", "Adopt a device that is seen, not known")
	adopt.Errors = []int{http.StatusUnauthorized, http.StatusNotFound}
	huma.Register(api, adopt, b.apiAdopt)
}

func (b *Board) apiStrangers(_ context.Context, in *SiteInput) (*output[List[Stranger]], error) {
	out := List[Stranger]{Items: []Stranger{}}
	for _, site := range b.cfg.Live.Sites() {
		if in.Site == "" || in.Site == site.ID {
			out.Items = append(out.Items, b.cfg.Live.Strangers(site.ID)...)
		}
	}
	return &output[List[Stranger]]{out}, nil
}

type adoptInput struct{ Body Adoption }

func (b *Board) apiAdopt(ctx context.Context, in *adoptInput) (*struct{}, error) {
	who := personOf(ctx)
	if who == nil {
		return nil, huma.Error401Unauthorized("adopting a device needs a person's token")
	}
	if !b.stranger(in.Body.Site, in.Body.Device) {
		return nil, huma.Error404NotFound("no such device is seen and not known; GET /api/v1/strangers lists them")
	}
	if err := b.cfg.Live.Adopt(ctx, in.Body, who.ID, b.cfg.Now()); err != nil {
		return nil, err
	}
	return nil, nil
}

func (b *Board) stranger(site, id string) bool {
	for _, s := range b.cfg.Live.Strangers(site) {
		if s.ID == id && s.Adoptable {
			return true
		}
	}
	return false
}

func (b *Board) adoptForm(w http.ResponseWriter, r *http.Request) {
	who := personOf(r.Context())
	a := Adoption{Site: r.FormValue("site"), Device: r.FormValue("device"), Asset: r.FormValue("asset")}
	switch {
	case who == nil:
		b.failPage(w, r, http.StatusUnauthorized, "error.unauthorized")
	case !b.stranger(a.Site, a.Device):
		b.failPage(w, r, http.StatusNotFound, "error.not_found")
	default:
		if err := b.cfg.Live.Adopt(r.Context(), a, who.ID, b.cfg.Now()); err != nil {
			b.pageError(w, r, err)
			return
		}
		http.Redirect(w, r, "/devices", http.StatusSeeOther)
	}
}
