package board

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/facilityd/facilityd/devices"
)

// A Rota is who is on call: now, and in the week ahead.
type Rota struct {
	ID     string        `json:"id"`
	Name   devices.Label `json:"name"`
	Site   string        `json:"site" doc:"Gives time zone, holidays and moved workdays"`
	Duties []Duty        `json:"duties" doc:"The one that holds now first, then those of the week ahead, without holes"`
}

// A Duty is a stretch of time with the same persons on call.
type Duty struct {
	From    time.Time `json:"from"`
	To      time.Time `json:"to"`
	Persons []OnCall  `json:"persons" doc:"The first to be told first; nobody in a gap of the rota"`
}

// OnCall is a person on call.
type OnCall struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// Now is the duty that holds now.
func (r *Rota) Now() Duty { return r.Duties[0] }

// Ahead are the duties that come.
func (r *Rota) Ahead() []Duty { return r.Duties[1:] }

func (b *Board) rotas() []Rota {
	if b.cfg.OnCall == nil {
		return nil
	}
	return b.cfg.OnCall(b.cfg.Now())
}

func (b *Board) registerOnCall(api huma.API) {
	huma.Register(api, op("list-on-call", http.MethodGet, "/on-call", "people", "Who is on call now and in the week ahead, by rota"),
		func(context.Context, *struct{}) (*output[List[Rota]], error) {
			items := b.rotas()
			if items == nil {
				items = []Rota{}
			}
			return &output[List[Rota]]{List[Rota]{Items: items}}, nil
		})
}

func (b *Board) onCallPage(w http.ResponseWriter, r *http.Request) {
	b.pages.render(w, r, http.StatusOK, "oncall", b.rotas())
}

// Day is a time at the site with its day of the week.
func (v *view) Day(site string, t time.Time) string {
	t = t.In(v.sites.location(site))
	return v.T("weekday."+strings.ToLower(t.Weekday().String()[:3])) + " " + t.Format(v.T("time.absolute_short"))
}
