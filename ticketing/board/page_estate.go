package board

import (
	"net/http"
	"slices"
	"strings"

	"github.com/facilityd/facilityd/rules"
	"github.com/facilityd/facilityd/ticketing"
)

func byHand(faultClass string) bool {
	fc := rules.FaultClassByID(faultClass)
	return fc != nil && fc.ByHand
}

// devicesOnPage bounds the list: more than this is found by searching.
const devicesOnPage = 200

type devicesData struct {
	Query   string
	Class   string
	Devices []Device
	Total   int
	Classes []string
	// Strangers are seen, not known.
	Strangers []Stranger
}

func (b *Board) devicesPage(w http.ResponseWriter, r *http.Request) {
	d := &devicesData{Query: strings.TrimSpace(r.FormValue("q")), Class: r.FormValue("class")}
	v := b.view(r, nil)
	needle := strings.ToLower(d.Query)
	for _, site := range v.sites.order {
		d.Strangers = append(d.Strangers, b.cfg.Live.Strangers(site.ID)...)
		for _, dev := range b.cfg.Live.Devices(site.ID) {
			if !slices.Contains(d.Classes, dev.Class) {
				d.Classes = append(d.Classes, dev.Class)
			}
			if d.Class != "" && dev.Class != d.Class {
				continue
			}
			if needle != "" && !strings.Contains(strings.ToLower(dev.ID+" "+v.Asset(dev.Site, dev.Asset)), needle) {
				continue
			}
			if d.Total++; len(d.Devices) < devicesOnPage {
				d.Devices = append(d.Devices, dev)
			}
		}
	}
	slices.Sort(d.Classes)
	b.pages.render(w, r, http.StatusOK, "devices", d)
}

type deviceData struct {
	Device Device
	Orders []WorkOrder
	Rules  []Explanation
}

func (b *Board) devicePage(w http.ResponseWriter, r *http.Request) {
	dev, ok := b.cfg.Live.Device(r.PathValue("site"), r.PathValue("id"))
	if !ok {
		b.failPage(w, r, http.StatusNotFound, "error.not_found")
		return
	}
	page, err := b.cfg.Orders.List(r.Context(), ticketing.Filter{Sort: ticketing.ByUrgency, Site: dev.Site, Asset: dev.Asset})
	if err != nil {
		b.pageError(w, r, err)
		return
	}
	d := &deviceData{Device: dev, Rules: b.standing(r.Context(), subject{site: dev.Site, question: rules.Question{Asset: dev.Asset, Device: dev.ID}})}
	if d.Orders, err = b.viewOrders(r.Context(), page.Items); err != nil {
		b.pageError(w, r, err)
		return
	}
	b.pages.render(w, r, http.StatusOK, "device", d)
}

type episodesData struct {
	Episodes []Episode
	More     string
}

func (b *Board) episodesPage(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	page, err := b.cfg.Orders.Episodes(r.Context(), ticketing.EpisodeFilter{Site: q.Get("site"), Asset: q.Get("asset"), Cursor: q.Get("cursor"), Limit: 100})
	if err != nil {
		b.pageError(w, r, err)
		return
	}
	d := &episodesData{}
	for i := range page.Items {
		d.Episodes = append(d.Episodes, viewEpisode(&page.Items[i]))
	}
	if page.Next != "" {
		d.More = with(q, "cursor", page.Next)
	}
	b.pages.render(w, r, http.StatusOK, "episodes", d)
}

type accountingData struct {
	Sites []siteAccount
}

type siteAccount struct {
	Site string
	Accounting
}

func (b *Board) accountingPage(w http.ResponseWriter, r *http.Request) {
	d := &accountingData{}
	for _, site := range b.cfg.Live.Sites() {
		d.Sites = append(d.Sites, siteAccount{site.ID, b.cfg.Live.Accounting(site.ID)})
	}
	b.pages.render(w, r, http.StatusOK, "accounting", d)
}

func (b *Board) statusPage(w http.ResponseWriter, r *http.Request) {
	b.pages.render(w, r, http.StatusOK, "status", nil)
}
