package board_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/facilityd/facilityd/rules"
	"github.com/facilityd/facilityd/ticketing"
	"github.com/facilityd/facilityd/ticketing/board"
)

// call makes a request as a program would.
func (s *sample) call(method, path, body string, head ...string) (*http.Response, string) {
	s.Helper()
	r, err := http.NewRequestWithContext(s.Context(), method, s.server.URL+path, strings.NewReader(body))
	if err != nil {
		s.Fatal(err)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(head); i += 2 {
		if head[i] == "Host" {
			r.Host = head[i+1]
		}
		r.Header.Set(head[i], head[i+1])
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(r)
	if err != nil {
		s.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		s.Fatal(err)
	}
	return resp, string(data)
}

// get reads JSON.
func get[T any](s *sample, path string, head ...string) T {
	s.Helper()
	resp, body := s.call("GET", path, "", head...)
	if resp.StatusCode != http.StatusOK {
		s.Fatalf("GET %s: %s\n%s", path, resp.Status, body)
	}
	return decode[T](s, body)
}

func decode[T any](s *sample, body string) T {
	s.Helper()
	var v T
	d := json.NewDecoder(strings.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(&v); err != nil {
		s.Fatalf("%v in %s", err, body)
	}
	return v
}

func TestAPIListsOrdersByUrgency(t *testing.T) {
	s := newSample(t, sampleConfig{})
	list := get[board.List[board.WorkOrder]](s, "/api/v1/work-orders?sort=urgency")
	var got []string
	for _, o := range list.Items {
		got = append(got, o.Tier+" "+o.Asset)
	}
	want := []string{"P1 lift-1", "P2 lift-2", "P2 pump-1", "P3 pump-2", "P3 gate-north", "P3 meter-water", "P4 meter-main"}
	if !slices.Equal(got, want) {
		t.Errorf("orders %q, want %q", got, want)
	}
	if o := list.Items[0]; o.Title.ZH != "电梯困人" || o.AssetName.EN != "Lift 1, Tower A" || !o.Simulated || !o.Holds {
		t.Errorf("%+v", o)
	}
	two := get[board.List[board.WorkOrder]](s, "/api/v1/work-orders?sort=urgency&limit=2")
	rest := get[board.List[board.WorkOrder]](s, "/api/v1/work-orders?sort=urgency&cursor="+url.QueryEscape(two.Next))
	if len(two.Items) != 2 || len(rest.Items) != 5 || rest.Next != "" {
		t.Errorf("pages of %d and %d orders", len(two.Items), len(rest.Items))
	}
	filtered := get[board.List[board.WorkOrder]](s, "/api/v1/work-orders?state=waiting,done&tier=P3")
	if len(filtered.Items) != 2 {
		t.Errorf("%d orders are waiting or done and P3", len(filtered.Items))
	}
}

func TestAPIShowsWhatFollowsFromAFault(t *testing.T) {
	s := newSample(t, sampleConfig{})
	o := get[board.WorkOrderDetail](s, "/api/v1/work-orders/demo-6")
	if o.Explains != 3 || o.Following != 2 || len(o.Consequences) != 3 || o.Consequences[0].Asset != "pump-2" || o.Consequences[0].Phase != "cleared" || !o.Consequences[1].Consequence {
		t.Errorf("%+v", o)
	}
	if last := o.Log[len(o.Log)-1]; last.Kind != ticketing.Cleared || last.Asset != "pump-2" || last.FaultClass != "comms.quality" {
		t.Errorf("%+v", last)
	}
	list := get[board.List[board.Episode]](s, "/api/v1/episodes?consequences=true&phase=active&work_order="+o.ID)
	if len(list.Items) != 2 || list.Items[0].Under == "" {
		t.Errorf("%+v", list)
	}
}

// PAINS 20: an alarm that had been open for longer than the window of time that the
// page showed was not on it. Open orders are shown however old they are, and a list
// of them that would leave some out by time is refused.
func TestPain20OpenOrdersAreNeverHiddenByTime(t *testing.T) {
	s := newSample(t, sampleConfig{empty: true})
	old := s.raise("pump-1", "motor.overload", rules.Low, 900*24*time.Hour, nil)
	for i := range 60 { // newer and more urgent ones
		s.raise(fmt.Sprintf("pump-%d", 100+i), "motor.overload", rules.High, time.Hour, nil)
	}
	var seen []string
	for cursor := ""; ; {
		list := get[board.List[board.WorkOrder]](s, "/api/v1/work-orders?sort=urgency&limit=25&cursor="+url.QueryEscape(cursor))
		for _, o := range list.Items {
			seen = append(seen, o.ID)
		}
		if cursor = list.Next; cursor == "" {
			break
		}
	}
	if len(seen) != 61 || seen[60] != old.ID {
		t.Errorf("%d open orders, the oldest among them: %v", len(seen), slices.Contains(seen, old.ID))
	}
	_, page := s.call("GET", "/?tier=P4", "")
	if !strings.Contains(page, "/orders/"+old.NumberText()) {
		t.Error("the page of open orders does not show the one of two years ago")
	}
	resp, body := s.call("GET", "/api/v1/work-orders?sort=urgency&from=2026-03-02T00:00:00Z", "")
	if resp.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(body, "never hidden") {
		t.Errorf("%s %s", resp.Status, body)
	}
}

func TestAPICommandIsIdempotentAndConflictsSayWhatChanged(t *testing.T) {
	s := newSample(t, sampleConfig{})
	o := get[board.WorkOrderDetail](s, "/api/v1/work-orders/demo-1")
	if len(o.Log) != 1 || len(o.Evidence) != 1 || o.Evidence[0].Threshold == "" {
		t.Fatalf("%+v", o)
	}
	accept := func(head ...string) (*http.Response, string) {
		return s.call("POST", "/api/v1/work-orders/"+o.ID+"/accept", "{}", head...)
	}
	resp, body := accept("Idempotency-Key", "a1", "If-Match", `"1"`)
	if resp.StatusCode != http.StatusOK || resp.Header.Get("ETag") != `"2"` {
		t.Fatalf("%s %s", resp.Status, body)
	}
	if got := decode[board.WorkOrder](s, body); got.State != "accepted" || got.Assignee != "technician" {
		t.Errorf("%+v", got)
	}
	if resp, _ := accept("Idempotency-Key", "a1", "If-Match", `"1"`); resp.StatusCode != http.StatusOK || resp.Header.Get("Idempotent-Replayed") != "true" {
		t.Errorf("a retry: %s, replayed %q", resp.Status, resp.Header.Get("Idempotent-Replayed"))
	}
	resp, body = accept("Idempotency-Key", "b1", "If-Match", `"1"`, "Authorization", "Bearer "+s.tokens["li.na"])
	conflict := decode[board.Conflict](s, body)
	if resp.StatusCode != http.StatusConflict || resp.Header.Get("Content-Type") != "application/problem+json" || conflict.Version != 2 ||
		len(conflict.Changed) != 1 || conflict.Changed[0].By != "technician" || conflict.Changed[0].Kind != "accepted" {
		t.Errorf("%s %s", resp.Status, body)
	}
	for _, x := range []struct {
		verb, body string
		head       []string
		status     int
		says       string
	}{
		{"accept", "{}", []string{"If-Match", `"2"`}, 422, "Idempotency-Key"},
		{"accept", "{}", []string{"Idempotency-Key", "x"}, 428, "version"},
		{"accept", "{}", []string{"Idempotency-Key", "x", "If-Match", "nonsense"}, 400, "If-Match"},
		{"note", `{"version":2}`, []string{"Idempotency-Key", "x"}, 422, "text"},
		{"note", `{"version":2,"text":"x"}`, []string{"Idempotency-Key", "a1"}, 422, "idempotency key"},
		{"wait", `{"version":2,"reason":"tired"}`, []string{"Idempotency-Key", "x"}, 422, "parts"},
		{"done", `{"version":2}`, []string{"Idempotency-Key", "x"}, 409, "still holds"},
		{"resume", `{"version":2}`, []string{"Idempotency-Key", "x"}, 409, "accepted"},
		{"note", `{"version":99,"text":"x"}`, []string{"Idempotency-Key", "x"}, 422, "not happened"},
		{"note", `{"version":2,"text":"x","at":"2031-01-01T00:00:00Z"}`, []string{"Idempotency-Key", "x"}, 422, "clock"},
		{"note", `{"version":2,"text":"x","color":"red"}`, []string{"Idempotency-Key", "x"}, 422, "color"},
		{"cancel", `{"version":2,"reason":"known"}`, []string{"Idempotency-Key", "x"}, 422, "until"},
	} {
		resp, body := s.call("POST", "/api/v1/work-orders/"+o.ID+"/"+x.verb, x.body, x.head...)
		if resp.StatusCode != x.status || !strings.Contains(body, x.says) || resp.Header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s %s %v: %s %s\nwant %d with %q", x.verb, x.body, x.head, resp.Status, body, x.status, x.says)
		}
	}
	resp, body = s.call("POST", "/api/v1/work-orders/demo-1/note", `{"version":2,"text":"belt worn","at":"2026-03-02T06:35:00Z"}`, "Idempotency-Key", "n1")
	if resp.StatusCode != http.StatusOK {
		t.Errorf("%s %s", resp.Status, body)
	}
	done := `{"version":3,"text":"belt replaced","reason":"sensor not back yet"}`
	if resp, body = s.call("POST", "/api/v1/work-orders/demo-1/done", done, "Idempotency-Key", "d1"); resp.StatusCode != http.StatusConflict || !strings.Contains(body, `"lacks":["photo"]`) {
		t.Errorf("done without the photo that the template asks for: %s %s", resp.Status, body)
	}
	resp, body = s.call("POST", "/api/v1/work-orders/demo-1/attach?version=3&name=belt.png", string(png), "Idempotency-Key", "p1", "Content-Type", "application/octet-stream")
	if resp.StatusCode != http.StatusOK {
		t.Errorf("%s %s", resp.Status, body)
	}
	resp, body = s.call("POST", "/api/v1/work-orders/demo-1/done", `{"version":4,"text":"belt replaced","reason":"sensor not back yet"}`, "Idempotency-Key", "d1")
	if resp.StatusCode != http.StatusOK || decode[board.WorkOrder](s, body).State != "done" {
		t.Errorf("%s %s", resp.Status, body)
	}
	if o = get[board.WorkOrderDetail](s, "/api/v1/work-orders/demo-1"); o.Version != 5 || o.Log[2].Text != "belt worn" || o.Log[2].At.Equal(o.Log[2].Arrived) {
		t.Errorf("%+v", o.Log)
	}
}

// png is a picture of one pixel.
var png = []byte("\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x06\x00\x00\x00\x1f\x15\xc4\x89\x00\x00\x00\rIDATx\x9cc\xf8\xcf\xc0\xf0\x1f\x00\x05\x00\x01\xff\x89\x99=\x1d\x00\x00\x00\x00IEND\xaeB`\x82")

// PAINS 21: attachments vanished on the way from the request to the order, and
// orders that were made by a machine asked for no signature.
func TestPain21EvidenceAndAttachmentsStayAndTheTemplateIsEnforced(t *testing.T) {
	s := newSample(t, sampleConfig{})
	attach := func(role, name, content, key string) (*http.Response, string) {
		return s.call("POST", "/api/v1/work-orders/demo-2/attach?version=1&role="+role+"&name="+url.QueryEscape(name), content, "Idempotency-Key", key, "Content-Type", "application/octet-stream")
	}
	done := func(version int) (*http.Response, string) {
		return s.call("POST", "/api/v1/work-orders/demo-2/done", fmt.Sprintf(`{"version":%d,"cleared":true}`, version), "Idempotency-Key", fmt.Sprint("done", version))
	}
	if resp, body := done(1); resp.StatusCode != http.StatusConflict || !strings.Contains(body, `"lacks":["signature","photo"]`) {
		t.Errorf("%s %s", resp.Status, body)
	}
	for _, bad := range []struct{ role, content, says string }{
		{"photo", "<html><script>alert(1)</script>", "JPEG"}, {"photo", "%PDF-1.7 x", "picture"}, {"signature", "", "required"}, {"selfie", string(png), "signature"},
	} {
		if resp, body := attach(bad.role, "x", bad.content, "bad"); resp.StatusCode/100 != 4 || !strings.Contains(body, bad.says) {
			t.Errorf("%q as %s: %s %s", bad.content, bad.role, resp.Status, body)
		}
	}
	for i, role := range []string{"photo", "signature", "photo"} {
		if resp, body := attach(role, `..\..\etc/<pass"wd>.png`, string(png), fmt.Sprint("p", i)); resp.StatusCode != http.StatusOK {
			t.Errorf("%s %s", resp.Status, body)
		}
	}
	o := get[board.WorkOrderDetail](s, "/api/v1/work-orders/demo-2")
	a := o.Log[1].Attachment
	if a == nil || a.Name != "_pass_wd_.png" || a.Type != "image/png" || a.Size != int64(len(png)) {
		t.Fatalf("%+v", a)
	}
	resp, body := s.call("GET", "/api/v1/work-orders/demo-2/files/"+a.Hash, "")
	if resp.StatusCode != http.StatusOK || body != string(png) || resp.Header.Get("Content-Security-Policy") != "default-src 'none'; sandbox" || resp.Header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("%s %v", resp.Status, resp.Header)
	}
	if resp, _ := s.call("GET", "/api/v1/work-orders/demo-1/files/"+a.Hash, ""); resp.StatusCode != http.StatusNotFound {
		t.Errorf("the file of another order: %s", resp.Status)
	}
	if resp, body := done(o.Version); resp.StatusCode != http.StatusOK {
		t.Errorf("%s %s", resp.Status, body)
	}
	if o = get[board.WorkOrderDetail](s, "/api/v1/work-orders/demo-2"); len(o.Evidence) != 1 || len(o.Evidence[0].Inputs) != 2 {
		t.Errorf("%+v", o.Evidence)
	}
	var rows []string
	for _, e := range o.Log {
		rows = append(rows, string(e.Kind))
	}
	if want := "opened attached attached attached done"; strings.Join(rows, " ") != want {
		t.Errorf("log %v", rows)
	}
}

func TestAPIRefusesNobodyAndBrokenRequests(t *testing.T) {
	s := newSample(t, sampleConfig{nobody: true})
	resp, body := s.call("POST", "/api/v1/work-orders/demo-1/accept", `{"version":1}`, "Idempotency-Key", "x")
	if resp.StatusCode != http.StatusForbidden || !strings.Contains(body, "token") {
		t.Errorf("a command of nobody: %s %s", resp.Status, body)
	}
	if resp, _ := s.call("GET", "/api/v1/work-orders", "", "Authorization", "Bearer wrong"); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("a wrong token on loopback: %s", resp.Status)
	}
	if resp, body := s.call("GET", "/api/v1/work-orders/none", ""); resp.StatusCode != http.StatusNotFound || !strings.Contains(body, "not found") {
		t.Errorf("%s %s", resp.Status, body)
	}
	if resp, body := s.call("GET", "/api/v1/nothing", ""); resp.StatusCode != http.StatusNotFound || resp.Header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("%s %s", resp.Status, body)
	}
}

func TestBeyondLoopbackNothingIsServedWithoutAToken(t *testing.T) {
	s := newSample(t, sampleConfig{beyondLoopback: true})
	for _, x := range []struct {
		path string
		want int
	}{
		{"/healthz", 200}, {"/readyz", 200}, {"/login", 200}, {"/metrics", 401}, {"/openapi.json", 401}, {"/", 401}, {"/orders/demo-1", 401},
		{"/events", 401}, {"/api/v1/work-orders", 401}, {"/api/v1/work-orders/demo-1/chart.svg", 401}, {"/api/v1/devices", 401}, {"/api/v1/status", 401}, {"/nothing", 401},
	} {
		if resp, _ := s.call("GET", x.path, ""); resp.StatusCode != x.want {
			t.Errorf("%s without a token: %s, want %d", x.path, resp.Status, x.want)
		}
		if x.want == 200 || x.path == "/events" || x.path == "/nothing" {
			continue
		}
		if resp, body := s.call("GET", x.path, "", "Authorization", "Bearer "+s.tokens["li.na"]); resp.StatusCode != 200 {
			t.Errorf("%s with a token: %s %s", x.path, resp.Status, body)
		}
	}
	resp, _ := s.call("GET", "/orders/demo-1?x=1", "", "Accept", "text/html")
	if resp.StatusCode != http.StatusSeeOther || resp.Header.Get("Location") != "/login?next=%2Forders%2Fdemo-1%3Fx%3D1" {
		t.Errorf("a browser: %s to %s", resp.Status, resp.Header.Get("Location"))
	}
}

func TestSignInGivesACookieThatOtherSitesCannotUse(t *testing.T) {
	s := newSample(t, sampleConfig{beyondLoopback: true})
	form := func(token, next string, head ...string) *http.Response {
		body := url.Values{"token": {token}, "next": {next}}.Encode()
		resp, _ := s.call("POST", "/login", body, append([]string{"Content-Type", "application/x-www-form-urlencoded", "Accept", "text/html"}, head...)...)
		return resp
	}
	if resp := form("wrong", "/"); resp.StatusCode != http.StatusUnauthorized || len(resp.Cookies()) != 0 {
		t.Errorf("a wrong token: %s %v", resp.Status, resp.Cookies())
	}
	resp := form(s.tokens["li.na"], "//elsewhere.example/")
	if resp.StatusCode != http.StatusSeeOther || resp.Header.Get("Location") != "/" || len(resp.Cookies()) != 1 {
		t.Fatalf("%s to %s, %v", resp.Status, resp.Header.Get("Location"), resp.Cookies())
	}
	c := resp.Cookies()[0]
	if !c.HttpOnly || c.SameSite != http.SameSiteStrictMode {
		t.Errorf("cookie %v", c)
	}
	if me := get[board.Me](s, "/api/v1/me", "Cookie", c.Name+"="+c.Value); me.ID != "li.na" {
		t.Errorf("%+v", me)
	}
	resp, _ = s.call("POST", "/api/v1/work-orders/demo-1/accept", `{"version":1}`, "Cookie", c.Name+"="+c.Value, "Idempotency-Key", "x", "Sec-Fetch-Site", "cross-site")
	if resp.StatusCode != http.StatusForbidden {
		t.Errorf("a form on another site: %s", resp.Status)
	}
}

func TestLoopbackServesOnlyItsOwnNames(t *testing.T) {
	s := newSample(t, sampleConfig{})
	for host, want := range map[string]int{"localhost:8080": 200, "127.0.0.1": 200, "[::1]:8080": 200, "evil.example": 421, "10.0.0.5:8080": 421} {
		if resp, _ := s.call("GET", "/api/v1/me", "", "Host", host); resp.StatusCode != want {
			t.Errorf("host %s: %s, want %d", host, resp.Status, want)
		}
	}
}

func TestReadyzSaysWhyNot(t *testing.T) {
	s := newSample(t, sampleConfig{})
	s.ready = errors.New("the clock is absurd")
	if resp, body := s.call("GET", "/readyz", ""); resp.StatusCode != http.StatusServiceUnavailable || !strings.Contains(body, "the clock is absurd") {
		t.Errorf("%s %s", resp.Status, body)
	}
}

func TestAPIShowsTheEstate(t *testing.T) {
	s := newSample(t, sampleConfig{})
	if list := get[board.List[board.Device]](s, "/api/v1/devices?class=pump&availability=online"); len(list.Items) != 2 {
		t.Errorf("%d pumps are online", len(list.Items))
	}
	page := get[board.List[board.Device]](s, "/api/v1/devices?limit=3")
	if len(page.Items) != 3 || page.Next != "demo/gate-north" {
		t.Errorf("%d devices, next %s", len(page.Items), page.Next)
	}
	d := get[board.Device](s, "/api/v1/devices/pump-1")
	if len(d.Points) != 4 || d.Points[2].Value != nil || d.Points[2].Quality != "bad" || d.Points[1].Age == 0 {
		t.Errorf("%+v", d)
	}
	if list := get[board.List[board.Asset]](s, "/api/v1/assets?site=demo"); len(list.Items) != 8 || list.Items[0].Criticality != "vital" {
		t.Errorf("%+v", list.Items)
	}
	if list := get[board.List[board.Episode]](s, "/api/v1/episodes?phase=active&limit=100"); len(list.Items) != 8 {
		t.Errorf("%d active episodes", len(list.Items))
	}
	if a := get[map[string]board.Accounting](s, "/api/v1/accounting"); a["demo"].Sources[0].Rejected["too_large"] != 3 {
		t.Errorf("%+v", a)
	}
	f := get[ticketing.Figures](s, "/api/v1/figures?from=2026-02-01T00:00:00Z&to=2026-04-01T00:00:00Z")
	if f.Orders != 8 || len(f.Tiers) != 4 || f.Rules[0].Rule != "E01" {
		t.Errorf("%+v", f)
	}
	// A day is the site's: an order of 21:40 UTC belongs to the next one in Shanghai.
	if f := get[ticketing.Figures](s, "/api/v1/figures?from=2026-03-02&to=2026-03-03"); f.Orders != 4 {
		t.Errorf("%d orders of 2 March", f.Orders)
	}
	for _, wrong := range []string{"from=2026-03-02&to=2026-03-02", "from=yesterday&to=2026-03-02", "from=2026-03-02", "from=2026-03-02&to=2026-03-03&site=dmeo"} {
		if resp, body := s.call("GET", "/api/v1/figures?"+wrong, ""); resp.StatusCode != 422 {
			t.Errorf("%s: %s %s", wrong, resp.Status, body)
		}
	}
	if st := get[board.Status](s, "/api/v1/status"); st.Configuration == "" || st.Lags[0].Consumer != "history" {
		t.Errorf("%+v", st)
	}
	if me := get[board.Me](s, "/api/v1/me"); me.ID != "technician" || !me.Local {
		t.Errorf("%+v", me)
	}
}

func TestAPIChartIsADrawingInBothLanguages(t *testing.T) {
	s := newSample(t, sampleConfig{})
	for lang, want := range map[string]string{"en": "limit 36.8", "zh": "限值 36.8"} {
		resp, body := s.call("GET", "/api/v1/work-orders/demo-1/chart.svg?lang="+lang, "")
		if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "image/svg+xml" || !strings.Contains(body, want) || !strings.Contains(body, "14:2") {
			t.Errorf("%s %v %s", resp.Status, resp.Header, body)
		}
		if err := xml.NewDecoder(bytes.NewReader([]byte(body))).Decode(new(struct{})); err != nil {
			t.Error(err)
		}
	}
	if resp, body := s.call("GET", "/api/v1/work-orders/demo-3/chart.svg", ""); resp.StatusCode != 200 || !strings.Contains(body, "no readings") {
		t.Errorf("%s %s", resp.Status, body)
	}
}

func TestOpenAPIDescribesEveryOperation(t *testing.T) {
	s := newSample(t, sampleConfig{})
	doc := get[map[string]any](s, "/openapi.json")
	if doc["openapi"] != "3.1.0" {
		t.Errorf("openapi %v", doc["openapi"])
	}
	paths := doc["paths"].(map[string]any)
	for _, p := range []string{
		"/api/v1/work-orders", "/api/v1/work-orders/{id}", "/api/v1/work-orders/{id}/chart.svg", "/api/v1/work-orders/{id}/accept", "/api/v1/work-orders/{id}/note",
		"/api/v1/work-orders/{id}/done", "/api/v1/work-orders/{id}/wait", "/api/v1/work-orders/{id}/merge", "/api/v1/episodes", "/api/v1/devices", "/api/v1/devices/{id}",
		"/api/v1/assets", "/api/v1/accounting", "/api/v1/status", "/api/v1/me",
	} {
		if paths[p] == nil {
			t.Errorf("%s is not described", p)
		}
	}
	accept := paths["/api/v1/work-orders/{id}/note"].(map[string]any)["post"].(map[string]any)
	text, err := json.Marshal(accept)
	if err != nil || !strings.Contains(string(text), "Idempotency-Key") || accept["responses"].(map[string]any)["409"] == nil {
		t.Errorf("%s", text)
	}
	schemas, _ := json.Marshal(doc["components"])
	for _, want := range []string{`"version"`, `"idempot`} {
		if !strings.Contains(strings.ToLower(string(schemas)+string(text)), want) {
			t.Errorf("the description lacks %s", want)
		}
	}
}
