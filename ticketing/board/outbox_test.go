package board_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/facilityd/facilityd/ticketing/board"
	"github.com/facilityd/facilityd/ticketing/dispatch"
	"github.com/facilityd/facilityd/ticketing/notify"
	"github.com/facilityd/facilityd/ticketing/outbox"
	"github.com/facilityd/facilityd/ticketing/store/storetest"
)

// words writes a message as the daemon would, in fewer words.
func words(m *dispatch.Message) (json.RawMessage, error) {
	return json.Marshal(notify.Message{Title: "About " + m.Notices[0].Now.NumberText(), Body: []notify.Line{{Label: "Where", Text: m.Notices[0].Now.Asset}}})
}

// tellAll lets everybody be told about the orders of the sample.
func (s *sample) tellAll() {
	s.Helper()
	if err := s.store.AdoptDispatch(s.Context(), "demo"); err != nil {
		s.Fatal(err)
	}
	for _, at := range []time.Time{now, now.Add(time.Minute)} {
		if _, err := s.store.Dispatch(s.Context(), "demo", 1, at, storetest.Desk(), 1000); err != nil {
			s.Fatal(err)
		}
		if _, err := s.store.Mail(s.Context(), at, storetest.Desk(), words); err != nil {
			s.Fatal(err)
		}
	}
}

func TestMessagesAreListedRetriedAndDroppedByPersonsOnly(t *testing.T) {
	s := newSample(t, sampleConfig{beyondLoopback: true})
	s.tellAll()
	ask := func(method, path, token string, into any) int {
		t.Helper()
		var head []string
		if token != "" {
			head = []string{"Authorization", "Bearer " + token}
		}
		resp, body := s.call(method, path, "", head...)
		if into != nil {
			if err := json.Unmarshal([]byte(body), into); err != nil {
				t.Fatalf("%s %s: %v\n%s", method, path, err, body)
			}
		}
		return resp.StatusCode
	}
	token := s.tokens["li.na"]
	if got := ask("GET", "/api/v1/outbox", "", nil); got != http.StatusUnauthorized {
		t.Errorf("without a token the list is answered with %d", got)
	}
	var list board.List[board.Effect]
	if got := ask("GET", "/api/v1/outbox?state=queued&to=li.na", token, &list); got != http.StatusOK || len(list.Items) == 0 {
		t.Fatalf("%d, %d items", got, len(list.Items))
	}
	key := list.Items[0].Key
	if got := ask("POST", "/api/v1/outbox/"+key+"/drop", "", nil); got != http.StatusUnauthorized {
		t.Errorf("without a token a message is dropped with %d", got)
	}
	var e board.Effect
	if got := ask("POST", "/api/v1/outbox/"+key+"/retry", token, &e); got != http.StatusOK || e.State != outbox.Queued {
		t.Errorf("retry: %d, %+v", got, e)
	}
	if got := ask("POST", "/api/v1/outbox/"+key+"/drop", token, &e); got != http.StatusOK || e.State != outbox.Dropped {
		t.Errorf("drop: %d, %+v", got, e)
	}
	if got := ask("POST", "/api/v1/outbox/"+key+"/drop", token, nil); got != http.StatusNotFound {
		t.Errorf("dropped twice: %d", got)
	}
	var again board.List[board.Effect]
	if ask("GET", "/api/v1/outbox?state=dropped", token, &again); len(again.Items) != 1 {
		t.Errorf("%d are dropped, want 1", len(again.Items))
	}
}

func TestThePageOfMessagesShowsWhoWasToldWhat(t *testing.T) {
	s := newSample(t, sampleConfig{})
	s.tellAll()
	_, page := s.call("GET", "/messages?to=li.na&state=queued", "")
	for _, want := range []string{"Li Na", "waiting", "About demo-", "Where: ", "Send now", "Do not send"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if _, empty := s.call("GET", "/messages?to=nobody", ""); !strings.Contains(empty, "Nothing was sent.") {
		t.Error("the empty page does not say so")
	}
}

func TestEveryPageSaysThatNobodyCanBeTold(t *testing.T) {
	s := newSample(t, sampleConfig{})
	if _, page := s.call("GET", "/", ""); strings.Contains(page, "Nobody can be told") {
		t.Error("before anything was decided the page says that nobody can be told")
	}
	if err := s.store.AdoptDispatch(t.Context(), "demo"); err != nil {
		t.Fatal(err)
	}
	desk := storetest.Desk()
	desk.Roster.Chains = nil
	if _, err := s.store.Dispatch(t.Context(), "demo", 1, now, desk, 1000); err != nil {
		t.Fatal(err)
	}
	for lang, want := range map[string]string{"en": "Nobody can be told of", "zh-CN": "通知不到任何人"} {
		if _, page := s.call("GET", "/devices", "", "Accept-Language", lang); !strings.Contains(page, want) {
			t.Errorf("the page in %s does not say that nobody can be told", lang)
		}
	}
}
