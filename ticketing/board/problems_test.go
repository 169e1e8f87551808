package board_test

import (
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/facilityd/facilityd/rules"
	"github.com/facilityd/facilityd/ticketing"
	"github.com/facilityd/facilityd/ticketing/board"
)

// A fault that came three times in 30 days is a problem: it is listed with the
// orders that hold its evidence, and said on the order itself.
func TestProblemIsListedWithTheOrdersThatHoldItsEvidence(t *testing.T) {
	s := newSample(t, sampleConfig{})
	day := 24 * time.Hour
	var last *ticketing.Order
	for _, ago := range []time.Duration{200 * day, 20 * day, 10 * day, time.Hour} {
		last = s.raise("gate-south", "barrier.mechanism", rules.Medium, ago, nakedReason("Opens slowly", "开启缓慢"))
		if ago > time.Hour {
			s.do(last, ticketing.Command{Verb: ticketing.DoCancel, Reason: "false_alarm"}, ago-time.Minute)
		}
	}
	list := get[board.List[board.Problem]](s, "/api/v1/problems?site=demo")
	if len(list.Items) != 1 {
		t.Fatalf("%+v", list)
	}
	p := list.Items[0]
	if p.Asset != "gate-south" || p.Count != 3 || len(p.Orders) != 3 || p.Orders[0].Number != last.NumberText() || p.Orders[0].Why.ZH != "开启缓慢" || p.Orders[1].Code != "false_alarm" {
		t.Errorf("%+v", p)
	}
	if _, page := s.call("GET", "/orders/"+last.NumberText(), ""); !strings.Contains(page, "3 times in 30 days") {
		t.Error("the order does not say that its fault keeps coming back")
	}
	tab := newBrowser(t).tab(360, 740, "en", false)
	var said string
	tab.run(chromedp.Navigate(s.server.URL+"/figures"), chromedp.Click("#problems summary", chromedp.ByQuery), chromedp.Text("#problems", &said, chromedp.ByQuery))
	if !strings.Contains(said, last.NumberText()) || !strings.Contains(said, "Opens slowly") || !strings.Contains(said, "false alarm") {
		t.Errorf("the page says %q", said)
	}
	tab.sound("/figures")
	tab.picture("phone-en-problems")
}
