package board

import (
	"embed"
	"io/fs"
	"net/http"
)

//go:embed static
var static embed.FS

// routes is the one list of what is served and to whom.
func (b *Board) routes() http.Handler {
	mux := http.NewServeMux()

	// For everybody: health, and what the sign-in page needs.
	mux.HandleFunc("GET /healthz", b.healthz)
	mux.HandleFunc("GET /readyz", b.readyz)
	files, err := fs.Sub(static, "static")
	if err != nil { // the folder is embedded above
		panic(err)
	}
	mux.Handle("GET /static/", http.StripPrefix("/static/", cached(http.FileServerFS(files))))
	mux.HandleFunc("GET /login", b.loginForm)
	mux.HandleFunc("POST /login", b.login)

	// For persons.
	inner := http.NewServeMux()
	b.registerAPI(inner)
	inner.HandleFunc("GET /{$}", b.ordersPage)
	inner.HandleFunc("GET /orders/{id}", b.orderPage)
	inner.HandleFunc("POST /orders/{id}/{verb}", b.orderForm)
	inner.HandleFunc("GET /devices", b.devicesPage)
	inner.HandleFunc("GET /devices/{site}/{id}", b.devicePage)
	inner.HandleFunc("POST /devices/adopt", b.adoptForm)
	inner.HandleFunc("GET /why/{site}/{id}", b.whyPage)
	inner.HandleFunc("GET /windows", b.windowPage)
	inner.HandleFunc("POST /windows", b.windowForm)
	inner.HandleFunc("POST /windows/{id}/end", b.endWindowForm)
	inner.HandleFunc("GET /episodes", b.episodesPage)
	inner.HandleFunc("GET /figures", b.figuresPage)
	inner.HandleFunc("GET /on-call", b.onCallPage)
	inner.HandleFunc("GET /accounting", b.accountingPage)
	inner.HandleFunc("GET /status", b.statusPage)
	inner.HandleFunc("GET /messages", b.messagesPage)
	inner.HandleFunc("POST /messages/{key}/{verb}", b.effectForm)
	inner.HandleFunc("POST /logout", b.logout)
	inner.HandleFunc("POST /language", b.language)
	inner.HandleFunc("GET /events", b.events)
	inner.HandleFunc("GET /", b.notFound)
	mux.Handle("/", b.requirePerson(inner))

	if b.cfg.Metrics != nil {
		m := b.cfg.Metrics
		if !b.cfg.OpenMetrics {
			m = b.requirePerson(m)
		}
		mux.Handle("GET /metrics", m)
	}

	// A form on another site must not give commands with this one's cookie, nor
	// on loopback without any. Browsers say where a request comes from.
	cross := http.NewCrossOriginProtection()
	cross.SetDenyHandler(http.HandlerFunc(b.crossSite))
	return b.recovered(secured(b.localHost(cross.Handler(mux))))
}

func (b *Board) healthz(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte("ok\n"))
}

func (b *Board) readyz(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	if err := b.cfg.Ready(); err != nil {
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = w.Write([]byte("not ready: " + err.Error() + "\n"))
		return
	}
	_, _ = w.Write([]byte("ready\n"))
}

// cached lets browsers keep static files for a while; a new version of the
// program asks for them under a new address.
func cached(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Has("v") {
			w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
		}
		h.ServeHTTP(w, r)
	})
}

// secured sets the headers that every answer has.
func secured(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		head := w.Header()
		head.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
		head.Set("X-Content-Type-Options", "nosniff")
		head.Set("Referrer-Policy", "same-origin")
		h.ServeHTTP(w, r)
	})
}

// recovered turns a panic into an answer and a log line.
func (b *Board) recovered(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if p := recover(); p != nil && p != http.ErrAbortHandler {
				b.cfg.Logger.Error("page or API call panicked", "path", r.URL.Path, "panic", p)
				w.WriteHeader(http.StatusInternalServerError)
			}
		}()
		h.ServeHTTP(w, r)
	})
}
