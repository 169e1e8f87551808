package board

import (
	"fmt"
	"net/http"
	"time"
)

const (
	eventsEvery = time.Second      // how soon a page learns of something new
	eventsLife  = 10 * time.Minute // after that the browser connects again by itself
	eventsAlive = 20 * time.Second // proxies cut connections that say nothing
)

// events tells an open page that orders changed. It asks the database, so it
// also tells of what another worker wrote.
func (b *Board) events(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Accel-Buffering", "no")
	out := http.NewResponseController(w)
	_ = out.SetWriteDeadline(time.Time{})
	tick := time.NewTicker(eventsEvery)
	defer tick.Stop()
	var last int64 = -1
	quiet := time.Duration(0)
	for life := time.Duration(0); life < eventsLife; life += eventsEvery {
		n, err := b.cfg.Orders.Changes(r.Context())
		switch {
		case err == nil && last >= 0 && n != last:
			_, err = fmt.Fprintf(w, "event: orders\ndata: %d\n\n", n)
			quiet = 0
		case quiet >= eventsAlive || last < 0:
			_, err = fmt.Fprint(w, ": alive\n\n")
			quiet = 0
		}
		if err != nil || out.Flush() != nil {
			return
		}
		last = max(n, 0)
		quiet += eventsEvery
		select {
		case <-tick.C:
		case <-r.Context().Done():
			return
		case <-b.stopped:
			return
		}
	}
}
