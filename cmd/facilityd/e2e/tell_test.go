package e2e

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/facilityd/facilityd/devices/mqtt/mosquittotest"
)

// A hook is a webhook of somebody else. While it is down it answers 503.
type hook struct {
	*httptest.Server
	mu     sync.Mutex
	down   bool
	tries  map[string]int    // requests by id
	taken  map[string]string // bodies by id
	errors []string
}

func newHook(t *testing.T, secret string) *hook {
	check, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	h := &hook{tries: map[string]int{}, taken: map[string]string{}}
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		h.mu.Lock()
		defer h.mu.Unlock()
		if err == nil {
			err = check.Verify(body, r.Header)
		}
		if err != nil {
			h.errors = append(h.errors, err.Error())
		}
		id := r.Header.Get("webhook-id")
		h.tries[id]++
		if h.down {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		h.taken[id] = string(body)
	}))
	t.Cleanup(h.Close)
	return h
}

func (h *hook) setDown(down bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.down = down
}

// has counts what was tried, or taken, of a type; ids are those of it.
func (h *hook) has(taken bool, kind string) (ids []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !taken {
		for id := range h.tries {
			ids = append(ids, id)
		}
		return ids
	}
	for id, body := range h.taken {
		var said struct {
			Type string `json:"type"`
		}
		if json.Unmarshal([]byte(body), &said) == nil && said.Type == kind {
			ids = append(ids, id)
		}
	}
	return ids
}

// TestPeopleAndSystemsAreToldAcrossAKill lets an order open while the other side
// is down, and kills the daemon before it is up again: what was decided is still
// delivered, under the same key, once.
func TestPeopleAndSystemsAreToldAcrossAKill(t *testing.T) {
	secret := base64.StdEncoding.EncodeToString([]byte("thirty-two bytes make a good key"))
	broker, other := mosquittotest.Start(t, mosquittotest.Options{}), newHook(t, secret)
	other.setDown(true)
	dir := write(t, map[string]string{
		"rules/steady.yaml": strings.Replace(steadyRules, "severity: high", "severity: critical", 1),
		"site.yaml":         plantSite,
		"hook.secret":       secret + "\n",
		"people.yaml": fmt.Sprintf(`channels:
  - {name: helpdesk, type: webhook, url: %q, secret_file: hook.secret}
persons:
  - {id: li.na, contacts: [{channel: helpdesk, address: li.na}]}
escalation:
  - steps: [{person: li.na}]
subscriptions:
  - {name: cmms, channel: helpdesk, on: [opened, changed]}
`, other.URL),
		"facilityd.yaml": fmt.Sprintf("data: {{dir}}/data\nlisten: 127.0.0.1:0\nsites: [site.yaml]\npeople: people.yaml\nbroker: {url: %q}\n"+
			"rules: {dir: rules, shipped: false}\njournal: {reserve: 64MB}\n", broker.URL()),
	})
	d := Start(t, program, "run", "--config", dir+"/facilityd.yaml")
	pumps := newPlant(t, broker.URL())
	pumps.set("shaky", map[string]float64{"vibration_rms": 9, "winding_temp": 90})
	o := orderOf(d, "shaky", "pump.bearing")
	d.Until("message and event were tried", func() bool { return len(other.has(false, "")) >= 2 })
	d.Until("the metric shows what waits", func() bool {
		return d.Metric("facilityd_outbox_effects", "kind", "message", "state", "queued") == 1 && d.Metric("facilityd_outbox_effects", "kind", "event", "state", "queued") >= 1
	})
	d.Kill()
	other.setDown(false)
	d.Restart()
	d.Until("both were taken", func() bool {
		return len(other.has(true, "message.new")) == 1 && len(other.has(true, "order.opened")) == 1
	})
	other.mu.Lock()
	defer other.mu.Unlock()
	if len(other.errors) > 0 {
		t.Errorf("signatures: %v", other.errors)
	}
	for id, body := range other.taken {
		if other.tries[id] < 2 {
			t.Errorf("%s was taken at the first try, though the other side was down", id)
		}
		if !strings.Contains(body, o.Number) {
			t.Errorf("%s does not name the order: %s", id, body)
		}
	}
}
