package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/facilityd/facilityd/devices/mqtt/mosquittotest"
)

const commandRules = "rules:\n" + shakesRule

// reachable starts a daemon that listens beyond loopback, with a shaking pump.
func reachable(t *testing.T) (d *Daemon, pumps *plant, settings string) {
	t.Helper()
	broker := mosquittotest.Start(t, mosquittotest.Options{})
	dir := write(t, map[string]string{
		"rules/commands.yaml": commandRules,
		"site.yaml":           plantSite,
		"facilityd.yaml": fmt.Sprintf("data: {{dir}}/data\nlisten: 0.0.0.0:0\nsites: [site.yaml]\nbroker: {url: %q}\n"+
			"rules: {dir: rules, shipped: false}\njournal: {reserve: 64MB}\n", broker.URL()),
	})
	settings = filepath.Join(dir, "facilityd.yaml")
	d = Start(t, program, "run", "--config", settings)
	pumps = newPlant(t, broker.URL())
	pumps.set("shaky", map[string]float64{"vibration_rms": 9})
	return d, pumps, settings
}

// TestBeyondLoopbackNobodyIsServedWithoutAToken asks for everything that the
// description of the API names, and for the pages.
func TestBeyondLoopbackNobodyIsServedWithoutAToken(t *testing.T) {
	d, _, settings := reachable(t)
	for path, want := range map[string]int{"/healthz": 200, "/readyz": 200} {
		if status, body, err := d.get(path); err != nil || status != want {
			t.Errorf("%s: %d %v\n%s", path, status, err, body)
		}
	}
	token := strings.TrimSpace(facilityd(t, "person", "add", "li.na", "--config", settings))
	d.Token = token
	var api struct {
		Paths map[string]map[string]any `json:"paths"`
	}
	d.Get("/openapi.json", &api)
	asked := map[string][]string{http.MethodGet: {
		"/", "/devices", "/episodes", "/accounting", "/status", "/orders/plant-1", "/events", "/metrics",
		"/openapi.json", "/openapi.yaml", "/nothing",
	}}
	for path, operations := range api.Paths {
		for method := range operations {
			method = strings.ToUpper(method)
			asked[method] = append(asked[method], strings.ReplaceAll(path, "{id}", "plant-1"))
		}
	}
	if len(asked[http.MethodPost]) < 10 || len(asked[http.MethodGet]) < 15 {
		t.Fatalf("the description names too little: %v", asked)
	}
	for _, wrong := range []string{"", "wrong", token + "x"} {
		d.Token = wrong
		for method, paths := range asked {
			for _, path := range paths {
				resp, body, err := d.ask(method, path, nil, nil)
				if err != nil {
					t.Fatal(err)
				}
				if resp.StatusCode != http.StatusUnauthorized || resp.Header.Get("WWW-Authenticate") == "" {
					t.Errorf("%s %s with token %q: %s\n%s", method, path, wrong, resp.Status, body)
				}
			}
		}
		resp, _, err := d.ask(http.MethodGet, "/", http.Header{"Accept": {"text/html"}}, nil)
		if err != nil || resp.StatusCode != http.StatusSeeOther || resp.Header.Get("Location") != "/login?next=%2F" {
			t.Errorf("a browser with token %q: %v %v", wrong, resp, err)
		}
	}
	// What was revoked is as good as none.
	facilityd(t, "person", "revoke", "li.na", "--config", settings)
	d.Token = token
	if status, _, err := d.get("/api/v1/work-orders"); err != nil || status != http.StatusUnauthorized {
		t.Errorf("a revoked token: %d %v", status, err)
	}
}

// TestAPersonTakesAnOrderToItsEnd gives commands as a phone without a good
// connection does: twice, late, and with an old version.
func TestAPersonTakesAnOrderToItsEnd(t *testing.T) {
	d, pumps, settings := reachable(t)
	d.Token = strings.TrimSpace(facilityd(t, "person", "add", "li.na", "--name", "Li Na", "--config", settings))
	o := orderOf(d, "shaky", "pump.bearing")

	type answer struct {
		orderView
		Detail  string `json:"detail"`
		Changed []struct {
			Kind, By string
		} `json:"changed"`
	}
	give := func(verb, key string, body map[string]any, want int) (a answer, replayed bool) {
		t.Helper()
		resp, text := d.Command(o.ID, verb, key, body)
		if resp.StatusCode != want {
			t.Fatalf("%s: %s, want %d\n%s", verb, resp.Status, want, text)
		}
		if err := json.Unmarshal(text, &a); err != nil {
			t.Fatal(err)
		}
		if got := resp.Header.Get("Content-Type"); want >= 400 && got != "application/problem+json" {
			t.Errorf("%s: the refusal is %q", verb, got)
		}
		return a, resp.Header.Get("Idempotent-Replayed") == "true"
	}

	accepted, again := give("accept", "k1", map[string]any{"version": o.Version}, 200)
	if again || accepted.State != "accepted" || accepted.Assignee != "li.na" {
		t.Errorf("accepted: %+v, replayed %v", accepted, again)
	}
	if a, again := give("accept", "k1", map[string]any{"version": o.Version}, 200); !again || a.orderView != accepted.orderView {
		t.Errorf("the same key again: %+v, replayed %v", a, again)
	}
	give("note", "k1", map[string]any{"version": accepted.Version, "text": "another command"}, 422)
	give("note", "k2", map[string]any{"text": "no version"}, 428)
	conflict, _ := give("cancel", "k3", map[string]any{"version": o.Version, "reason": "false_alarm"}, 409)
	if len(conflict.Changed) != 1 || conflict.Changed[0].Kind != "accepted" || conflict.Changed[0].By != "li.na" {
		t.Errorf("the conflict says %+v", conflict)
	}
	noted, _ := give("note", "k4", map[string]any{"version": accepted.Version, "text": "coupling worn"}, 200)
	holds, _ := give("done", "k5", map[string]any{"version": noted.Version}, 409)
	if !strings.Contains(holds.Detail, "still") {
		t.Errorf("done while it shakes: %q", holds.Detail)
	}
	pumps.set("shaky", map[string]float64{"vibration_rms": 2})
	d.Until("the pump is calm", func() bool { o = orderOf(d, "shaky", "pump.bearing"); return !o.Holds })

	// The last one through the command line, which asks for the version itself.
	done := exec.Command(program, "order", "done", o.Number, "--text", "coupling replaced", "--code", "repaired", "--url", d.Address("board"))
	done.Env = append(os.Environ(), "FACILITYD_TOKEN="+d.Token)
	if out, err := done.CombinedOutput(); err != nil || !strings.Contains(string(out), o.Number+" is ") {
		t.Fatalf("order done: %v\n%s", err, out)
	}
	var detail struct {
		orderView
		Code string `json:"code"`
		Log  []struct {
			Kind, By, Text string
		} `json:"log"`
	}
	d.Get("/api/v1/work-orders/"+o.ID, &detail)
	var told []string
	for _, e := range detail.Log {
		if e.By != "" {
			told = append(told, strings.TrimSpace(e.By+" "+e.Kind+" "+e.Text))
		}
	}
	if diff := cmp.Diff([]string{"li.na accepted", "li.na note coupling worn", "li.na done coupling replaced"}, told); diff != "" {
		t.Errorf("log of people (-want +got):\n%s", diff)
	}
	if detail.Code != "repaired" || !slices.Contains([]string{"done", "verified", "closed"}, detail.State) {
		t.Errorf("the order is %s at the end, it was %q", detail.State, detail.Code)
	}
	if n := len(All[orderView](d, "/api/v1/work-orders", nil)); n != 1 {
		t.Errorf("%d orders at the end", n)
	}
}
