package board_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/facilityd/facilityd/ticketing/board"
)

// TestAStrangerIsShownAndAdopted: what publishes and is not known is on the page
// and in the API, and a person adopts it; one that no profile reads cannot be.
func TestAStrangerIsShownAndAdopted(t *testing.T) {
	s := newSample(t, sampleConfig{})
	site := s.live.site.ID
	s.live.strangers = []board.Stranger{
		{Site: site, ID: "pump-9", Profile: "facility-pump/1", Class: "pump", Topic: "facility/pump/pump-9/telemetry", Messages: 3, Adoptable: true},
		{Site: site, ID: "who/knows", Topic: "who/knows", Messages: 1},
	}
	if list := get[board.List[board.Stranger]](s, "/api/v1/strangers"); len(list.Items) != 2 {
		t.Errorf("%+v", list)
	}
	_, page := s.call("GET", "/devices", "", "Accept-Language", "zh")
	if !strings.Contains(page, "pump-9") || !strings.Contains(page, "登记") {
		t.Errorf("the page does not offer the stranger:\n%s", page)
	}
	adopt := func(device string) int {
		resp, _ := s.call("POST", "/api/v1/strangers/adopt", `{"site":"`+site+`","device":"`+device+`"}`)
		return resp.StatusCode
	}
	if code := adopt("pump-9"); code != http.StatusNoContent {
		t.Errorf("adopting answers %d", code)
	}
	if code := adopt("who/knows"); code != http.StatusNotFound {
		t.Errorf("adopting what nothing reads answers %d", code)
	}
	if !slices.ContainsFunc(s.live.adopted, func(a string) bool { return strings.HasPrefix(a, site+"/pump-9/ by ") }) {
		t.Errorf("adopted: %v", s.live.adopted)
	}
}
