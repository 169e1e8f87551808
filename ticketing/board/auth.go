package board

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/facilityd/facilityd/ticketing"
)

const (
	tokenCookie = "facilityd_token"
	langCookie  = "facilityd_lang"
)

type personKey struct{}

// personOf is who makes the request; nil for somebody on loopback without a
// token, who only reads.
func personOf(ctx context.Context) *ticketing.Person {
	p, _ := ctx.Value(personKey{}).(*ticketing.Person)
	return p
}

// requirePerson lets through who has a good token, and on loopback everybody.
func (b *Board) requirePerson(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p, err := b.identify(r)
		switch {
		case err == nil:
			h.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), personKey{}, p)))
		case !errors.Is(err, errNobody) && !errors.Is(err, ticketing.ErrNotFound):
			b.cfg.Logger.Error("look up a token", "err", err)
			b.refuse(w, r, http.StatusServiceUnavailable, "error.database")
		case isPage(r):
			http.Redirect(w, r, "/login?next="+url.QueryEscape(r.URL.RequestURI()), http.StatusSeeOther)
		default:
			w.Header().Set("WWW-Authenticate", `Bearer realm="facilityd"`)
			problem(w, http.StatusUnauthorized, "send a person's token: Authorization: Bearer … (facilityd person add makes one)")
		}
	})
}

// errNobody is returned for a request without a token where one is needed.
var errNobody = errors.New("no token")

// identify finds the person by bearer token or cookie. A wrong token is never
// passed over, not even on loopback: who sends one means to be that person.
func (b *Board) identify(r *http.Request) (*ticketing.Person, error) {
	token, given := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !given {
		if c, err := r.Cookie(tokenCookie); err == nil && c.Value != "" {
			token, given = c.Value, true
		}
	}
	switch {
	case given:
		p, err := b.cfg.Orders.PersonByToken(r.Context(), token)
		return &p, err
	case !b.cfg.Loopback:
		return nil, errNobody
	case b.cfg.LocalPerson == "":
		return nil, nil
	}
	p, err := b.cfg.Orders.Person(r.Context(), b.cfg.LocalPerson)
	if errors.Is(err, ticketing.ErrNotFound) {
		return nil, nil
	}
	return &p, err
}

// localHost refuses other names on a loopback listener: a page on the internet
// whose name is made to point here could otherwise read everything.
func (b *Board) localHost(h http.Handler) http.Handler {
	if !b.cfg.Loopback {
		return h
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, err := net.SplitHostPort(r.Host)
		if err != nil {
			host = r.Host
		}
		host = strings.Trim(host, "[]")
		if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
			b.refuse(w, r, http.StatusMisdirectedRequest, "error.host")
			return
		}
		h.ServeHTTP(w, r)
	})
}

func (b *Board) crossSite(w http.ResponseWriter, r *http.Request) {
	b.refuse(w, r, http.StatusForbidden, "error.cross_site")
}

// isPage reports whether a browser navigates, rather than a program asks.
func isPage(r *http.Request) bool {
	return strings.Contains(r.Header.Get("Accept"), "text/html") && !strings.HasPrefix(r.URL.Path, "/api/")
}

// refuse answers with a text of the catalogue, as a page or a problem document.
func (b *Board) refuse(w http.ResponseWriter, r *http.Request, status int, key string) {
	if isPage(r) {
		b.failPage(w, r, status, key)
		return
	}
	problem(w, status, b.cfg.Messages.Printer("en").Text(key))
}

// problem writes an RFC 9457 document outside of the API's own operations.
func problem(w http.ResponseWriter, status int, detail string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(huma.ErrorModel{Status: status, Title: http.StatusText(status), Detail: detail})
}

// login exchanges a token for a cookie that scripts cannot read and that other
// sites cannot use.
func (b *Board) login(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 16<<10)
	token := strings.TrimSpace(r.FormValue("token"))
	if _, err := b.cfg.Orders.PersonByToken(r.Context(), token); err != nil {
		status := http.StatusUnauthorized
		key := "login.wrong"
		if !errors.Is(err, ticketing.ErrNotFound) {
			b.cfg.Logger.Error("look up a token", "err", err)
			status, key = http.StatusServiceUnavailable, "error.database"
		}
		b.pages.render(w, r, status, "login", map[string]any{"Next": safeNext(r.FormValue("next")), "Error": key})
		return
	}
	http.SetCookie(w, b.cookie(r, tokenCookie, token, 90*24*time.Hour))
	http.Redirect(w, r, safeNext(r.FormValue("next")), http.StatusSeeOther)
}

func (b *Board) loginForm(w http.ResponseWriter, r *http.Request) {
	b.pages.render(w, r, http.StatusOK, "login", map[string]any{"Next": safeNext(r.FormValue("next"))})
}

func (b *Board) logout(w http.ResponseWriter, r *http.Request) {
	http.SetCookie(w, b.cookie(r, tokenCookie, "", -time.Second))
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

func (b *Board) language(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 16<<10)
	http.SetCookie(w, b.cookie(r, langCookie, b.cfg.Messages.Match(r.FormValue("lang")), 365*24*time.Hour))
	http.Redirect(w, r, safeNext(r.FormValue("next")), http.StatusSeeOther)
}

func (b *Board) cookie(r *http.Request, name, value string, life time.Duration) *http.Cookie {
	return &http.Cookie{
		Name: name, Value: value, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode,
		Secure: r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https", MaxAge: int(life / time.Second),
	}
}

// safeNext keeps a redirect on this board.
func safeNext(next string) string {
	u, err := url.Parse(next)
	if err != nil || u.Scheme != "" || u.Host != "" || !strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") || strings.Contains(next, `\`) {
		return "/"
	}
	return next
}
