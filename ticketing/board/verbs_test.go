package board_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/facilityd/facilityd/ticketing"
)

// What can be done with an order can be done by a program and with a browser.
func TestEveryCommandIsInTheAPIAndOnThePage(t *testing.T) {
	s := newSample(t, sampleConfig{})
	_, body := s.call("GET", "/openapi.json", "")
	var api struct {
		Paths map[string]map[string]any `json:"paths"`
	}
	if err := json.Unmarshal([]byte(body), &api); err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("templates/page_order.html")
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range ticketing.Verbs() {
		if api.Paths["/api/v1/work-orders/{id}/"+string(v)]["post"] == nil {
			t.Errorf("the API has no command %s", v)
		}
		if !strings.Contains(string(page), `/`+string(v)+`"`) {
			t.Errorf("the page has no form for %s", v)
		}
	}
}

// A new normal and a sign-off, as a program gives them; the log says from where.
func TestAPINewNormalAndSignOff(t *testing.T) {
	s := newSample(t, sampleConfig{})
	post := func(path, body, key, agent string) (int, string) {
		resp, answer := s.call("POST", "/api/v1/work-orders/"+path, body, "Idempotency-Key", key, "User-Agent", agent)
		return resp.StatusCode, answer
	}
	if status, body := post("demo-1/new_normal", `{"version":1,"text":"larger impeller"}`, "a", ""); status != 422 || !strings.Contains(body, "fixed limits") {
		t.Errorf("of a fixed limit: %d %s", status, body)
	}
	odd := s.raise("gate-south", "barrier.mechanism", 2, 0, nakedLearned())
	if status, body := post(odd.NumberText()+"/new_normal", `{"version":1,"text":"new motor"}`, "b", "facilityd-cli"); status != 200 || !strings.Contains(body, `"reason":"new_normal"`) {
		t.Errorf("of a learned one: %d %s", status, body)
	}
	log, err := s.store.Log(t.Context(), odd.ID, 1)
	if err != nil || len(log) != 1 || log[0].Via != "cli" || log[0].Text != "new motor" || log[0].By != "technician" {
		t.Errorf("%+v, %v", log, err)
	}
	if status, body := post("demo-7/close", `{"version":3}`, "c", ""); status != 409 || !strings.Contains(body, "done") {
		t.Errorf("sign-off before telemetry confirmed it: %d %s", status, body)
	}
}
