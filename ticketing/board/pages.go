package board

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/facilityd/facilityd/configs/messages"
	"github.com/facilityd/facilityd/devices"
	"github.com/facilityd/facilityd/ticketing"
)

//go:embed templates/*.html
var templateFiles embed.FS

// pages holds the parsed templates.
type pages struct {
	board  *Board
	byName map[string]*template.Template
	assets string // hash of the static files, so that browsers notice new ones
}

func newPages(b *Board) (*pages, error) {
	p := &pages{board: b, byName: map[string]*template.Template{}}
	layout, err := template.ParseFS(templateFiles, "templates/layout.html", "templates/parts.html", "templates/explained.html")
	if err != nil {
		return nil, fmt.Errorf("parse pages: %w", err)
	}
	names, err := fs.Glob(templateFiles, "templates/page_*.html")
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		t, err := template.Must(layout.Clone()).ParseFS(templateFiles, name)
		if err != nil {
			return nil, fmt.Errorf("parse pages: %w", err)
		}
		p.byName[strings.TrimSuffix(strings.TrimPrefix(path.Base(name), "page_"), ".html")] = t
	}
	sum := sha256.New()
	err = fs.WalkDir(static, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := static.ReadFile(name)
		sum.Write(data)
		return err
	})
	p.assets = hex.EncodeToString(sum.Sum(nil)[:6])
	return p, err
}

// render writes a page; nothing is sent when the template fails.
func (p *pages) render(w http.ResponseWriter, r *http.Request, status int, name string, data any) {
	v := p.board.view(r, data)
	v.Name = name
	var out bytes.Buffer
	if err := p.byName[name].ExecuteTemplate(&out, "layout", v); err != nil {
		p.board.cfg.Logger.Error("render page", "page", name, "err", err)
		http.Error(w, v.T("error.internal"), http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Language", v.Lang())
	w.WriteHeader(status)
	_, _ = w.Write(out.Bytes())
}

// view is what every template sees: the texts and times of one request.
type view struct {
	Name   string
	Data   any
	Person *ticketing.Person
	Now    time.Time
	board  *Board
	p      *messages.Printer
	sites  siteInfo
	r      *http.Request
}

func (b *Board) view(r *http.Request, data any) *view {
	person := personOf(r.Context())
	var prefs []string
	if c, err := r.Cookie(langCookie); err == nil {
		prefs = append(prefs, c.Value)
	}
	if person != nil {
		prefs = append(prefs, person.Lang)
	}
	lang := b.cfg.Messages.Match(append(prefs, r.Header.Get("Accept-Language"))...)
	return &view{
		Data: data, Person: person, Now: b.cfg.Now(), board: b, p: b.cfg.Messages.Printer(lang), sites: b.sites(), r: r,
	}
}

// T is a text of the catalogue.
func (v *view) T(key string, args ...any) string { return v.p.Text(key, args...) }

// Lang is the language of the page.
func (v *view) Lang() string { return v.p.Lang }

// HTMLLang is the language as browsers and fonts want it.
func (v *view) HTMLLang() string {
	if v.p.Lang == "zh" {
		return "zh-CN"
	}
	return v.p.Lang
}

// L is a label in the language of the page.
func (v *view) L(l devices.Label) string { return l.In(v.p.Lang) }

// Languages are the codes to switch to.
func (v *view) Languages() []string { return messages.Languages }

// LanguageName is how a language calls itself.
func (v *view) LanguageName(code string) string {
	return map[string]string{"en": "English", "zh": "中文"}[code]
}

// Path is where the reader is, for links that come back here.
func (v *view) Path() string {
	if v.r.Method != http.MethodGet {
		return v.r.Referer()
	}
	return v.r.URL.RequestURI()
}

// Static is the address of a static file of this version.
func (v *view) Static(name string) string { return "/static/" + name + "?v=" + v.board.pages.assets }

// Status is how the daemon is, for the banners.
func (v *view) Status() Status { return v.board.cfg.Live.Status() }

// NotReady says why the daemon is not ready, "" when it is.
func (v *view) NotReady() string {
	if err := v.board.cfg.Ready(); err != nil {
		return err.Error()
	}
	return ""
}

// Estate is the factor of the estate clock, "" on the wall clock.
func (v *view) Estate() string {
	if f := v.board.cfg.Estate; f != 0 && f != 1 {
		return strconv.FormatFloat(f, 'g', 4, 64)
	}
	return ""
}

// SignedIn reports whether the person came with a token, and may sign out.
func (v *view) SignedIn() bool {
	_, err := v.r.Cookie(tokenCookie)
	return err == nil && v.Person != nil
}

// Version of the program.
func (v *view) Version() string { return v.board.cfg.Version }

// SiteTime is the time at a site now, with its zone. Without a site it is that
// of the only site there is.
func (v *view) SiteTime() string {
	if len(v.sites.order) == 0 {
		return v.Now.UTC().Format(v.T("time.absolute") + " MST")
	}
	loc := v.sites.location(v.sites.order[0].ID)
	return v.Now.In(loc).Format(v.T("time.absolute")) + " · " + loc.String()
}

// Abs is a time at the site.
func (v *view) Abs(site string, t time.Time) string {
	return t.In(v.sites.location(site)).Format(v.T("time.absolute"))
}

// Clock is a time at the site without what everybody knows: the date when it is
// today.
func (v *view) Clock(site string, t time.Time) string {
	loc := v.sites.location(site)
	if t = t.In(loc); t.Format(time.DateOnly) == v.Now.In(loc).Format(time.DateOnly) {
		return t.Format("15:04")
	}
	return t.Format(v.T("time.absolute_short"))
}

// Time is a time as people take it in: how long ago, with the time at the site
// under it.
func (v *view) Time(site string, t time.Time) template.HTML {
	if t.IsZero() {
		return "–"
	}
	local := t.In(v.sites.location(site))
	return template.HTML(fmt.Sprintf(`<time datetime="%s" title="%s">%s</time>`, //nolint:gosec // every part is escaped or made of digits
		local.Format(time.RFC3339), template.HTMLEscapeString(local.Format(v.T("time.absolute_seconds"))), template.HTMLEscapeString(v.Ago(t))))
}

// TimeNanos is Time for Unix nanoseconds.
func (v *view) TimeNanos(site string, n int64) template.HTML { return v.Time(site, time.Unix(0, n)) }

// Lasted is the length of time between two times.
func (v *view) Lasted(from, to time.Time) string { return v.Duration(to.Sub(from)) }

// Seconds is a length of time given in seconds.
func (v *view) Seconds(s float64) string {
	return v.Duration(time.Duration(s * float64(time.Second)))
}

// Watch is how long a repair is watched, in words.
func (v *view) Watch(g *Guide) string {
	d := v.Duration(time.Duration(g.Watch * float64(time.Second)))
	if g.Cycles > 0 {
		return v.T("order.verification_cycles", d, g.Cycles)
	}
	return v.T("order.verification", d)
}

// WaitReasons are the reasons for which work may wait.
func (v *view) WaitReasons() []string { return ticketing.WaitReasons }

// AttachmentRoles are what an attachment is for.
func (v *view) AttachmentRoles() []string { return ticketing.AttachmentRoles }

// Lacks names what has to be attached.
func (v *view) Lacks(roles []string) string {
	var words []string
	for _, role := range ticketing.AttachmentRoles {
		n := 0
		for _, r := range roles {
			if r == role {
				n++
			}
		}
		switch word := v.T("attachment." + role); {
		case n == 1:
			words = append(words, word)
		case n > 1:
			words = append(words, fmt.Sprintf("%d × %s", n, word))
		}
	}
	return strings.Join(words, ", ")
}

// Limit is what a value of the checklist must be: bounds as signs, the rest in words.
func (v *view) Limit(c GuideCheck) string {
	text := v.L(c.Limit)
	switch {
	case c.Min != nil && c.Max != nil:
		text = v.Number(*c.Min) + " – " + v.Number(*c.Max)
	case c.Min != nil:
		text = "≥ " + v.Number(*c.Min)
	case c.Max != nil:
		text = "≤ " + v.Number(*c.Max)
	}
	if text != "" && c.Unit != "" {
		text += " " + c.Unit
	}
	return text
}

// CancelReasons are the reasons for which an order is not a job.
func (v *view) CancelReasons() []string { return ticketing.CancelReasons }

// DoneCodes are what a job that is done may have been.
func (v *view) DoneCodes() []string { return ticketing.DoneCodes() }

// Ago is how long ago a time is, or how far ahead.
func (v *view) Ago(t time.Time) string {
	d := v.Now.Sub(t)
	switch {
	case d > -5*time.Second && d < 5*time.Second:
		return v.T("time.now")
	case d < 0:
		return v.T("time.ahead", v.Duration(-d))
	}
	return v.T("time.ago", v.Duration(d))
}

// Duration is a length of time in its largest sensible unit.
func (v *view) Duration(d time.Duration) string { return durationText(v.p, d) }

func durationText(p *messages.Printer, d time.Duration) string {
	switch {
	case d < time.Minute:
		return p.Text("time.seconds", int(d/time.Second))
	case d < 2*time.Hour:
		return p.Text("time.minutes", int(d/time.Minute))
	case d < 48*time.Hour:
		return p.Text("time.hours", int(d/time.Hour))
	}
	return p.Text("time.days", int(d/(24*time.Hour)))
}

// YesNo is the value of a state that is a truth value.
func (v *view) YesNo(x *float64) string {
	if *x != 0 {
		return v.T("explain.yes")
	}
	return v.T("explain.no")
}

// Hours is a length of time given in hours.
func (v *view) Hours(n int) string {
	if n > 24 {
		return v.T("windows.days", n/24)
	}
	return v.T("windows.hours", n)
}

// Number writes a reading without digits that mean nothing.
func (v *view) Number(x any) string {
	switch x := x.(type) {
	case float64:
		return strconv.FormatFloat(x, 'g', 6, 64)
	case *float64:
		return strconv.FormatFloat(*x, 'g', 6, 64)
	}
	return ""
}

// Asset is the name of an asset.
func (v *view) Asset(site, asset string) string { return v.L(v.sites.assetName(site, asset)) }

// SiteList are the sites of the configuration in force.
func (v *view) SiteList() []*devices.Site { return v.sites.order }

// Site is the name of a site, "" when there is only one: then everybody knows.
func (v *view) Site(site string) string {
	if len(v.sites.order) < 2 {
		return ""
	}
	return v.L(v.sites.siteName(site))
}

// Fault is a fault class in words.
func (v *view) Fault(id string) string { return v.L(faultTitle(id)) }

// Role is what a role means, in words.
func (v *view) Role(name string) string {
	if r := devices.RoleByName(name); r != nil {
		return v.L(r.Label)
	}
	return ""
}

// PersonName is the name of a person, the id when it is not known.
func (v *view) PersonName(id string) string {
	if id == "" {
		return ""
	}
	if v.Person != nil && v.Person.ID == id {
		return v.Person.Name
	}
	p, err := v.board.cfg.Orders.Person(v.r.Context(), id)
	if err != nil {
		return id
	}
	return p.Name
}

// OrderNumber is what people call the order of an id.
func (v *view) OrderNumber(id string) string {
	o, err := v.board.cfg.Orders.Order(v.r.Context(), id)
	if err != nil {
		return id
	}
	return o.NumberText()
}

// Key is a fresh idempotency key for a form: a double click is one command.
func (v *view) Key() string { return rand.Text() }

// Dict makes a map for a part of a page.
func (v *view) Dict(pairs ...any) map[string]any {
	m := map[string]any{"V": v}
	for i := 0; i+1 < len(pairs); i += 2 {
		m[fmt.Sprint(pairs[i])] = pairs[i+1]
	}
	return m
}

// failPage shows why there is no page.
func (b *Board) failPage(w http.ResponseWriter, r *http.Request, status int, key string) {
	b.pages.render(w, r, status, "error", map[string]any{"Key": key})
}

func (b *Board) notFound(w http.ResponseWriter, r *http.Request) {
	if !isPage(r) {
		problem(w, http.StatusNotFound, "there is nothing at this address; the API is described at /openapi.json")
		return
	}
	b.failPage(w, r, http.StatusNotFound, "error.not_found")
}
