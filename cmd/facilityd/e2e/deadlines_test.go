package e2e

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/facilityd/facilityd/devices/mqtt/mosquittotest"
)

// TestDeadlinesOfTheSiteFileAreInForce starts with a deadline that nobody can meet,
// which is missed at once, and gives more time by a reload: the same order is in
// time then, and what its log says stays.
func TestDeadlinesOfTheSiteFileAreInForce(t *testing.T) {
	shanghai := strings.Replace(plantSite, "UTC", "Asia/Shanghai", 1)
	broker := mosquittotest.Start(t, mosquittotest.Options{})
	dir := write(t, map[string]string{
		"rules/commands.yaml": commandRules,
		"site.yaml":           shanghai + "sla: {P2: {accept: 1s}}\n",
		"facilityd.yaml": fmt.Sprintf("data: {{dir}}/data\nlisten: 127.0.0.1:0\nsites: [site.yaml]\nbroker: {url: %q}\n"+
			"rules: {dir: rules, shipped: false}\njournal: {reserve: 64MB}\n", broker.URL()),
	})
	settings := filepath.Join(dir, "facilityd.yaml")
	d := Start(t, program, "run", "--config", settings)
	pumps := newPlant(t, broker.URL())
	pumps.set("shaky", map[string]float64{"vibration_rms": 9})
	o := orderOf(d, "shaky", "pump.bearing")
	type view struct {
		Next struct {
			Target string
			Due    time.Time
			Missed bool
		}
		Log []struct {
			Kind, Target string
			Level        int
		}
	}
	look := func() (v view) {
		d.Get("/api/v1/work-orders/"+o.ID, &v)
		return v
	}
	said := func(v view) (out []string) {
		for _, e := range v.Log {
			if e.Level > 0 {
				out = append(out, fmt.Sprint(e.Kind, " ", e.Target, " ", e.Level))
			}
		}
		return out
	}
	want := "sla_warned accept 50, sla_warned accept 80, sla_missed accept 100"
	d.Until("the deadline is missed", func() bool { return strings.Join(said(look()), ", ") == want })
	if v := look(); !v.Next.Missed || v.Next.Target != "accept" {
		t.Errorf("next is %+v", v.Next)
	} else if _, offset := v.Next.Due.Zone(); offset != 8*3600 {
		t.Errorf("due %s is not at the site's time", v.Next.Due)
	}
	if n := d.Metric("facilityd_ticketing_overdue_orders", "site", "plant", "tier", "P2"); n != 1 {
		t.Errorf("%g overdue orders", n)
	}
	writeIn(t, dir, map[string]string{"site.yaml": shanghai + "sla: {P2: {accept: 1h}}\n"})
	facilityd(t, "reload", "--config", settings)
	d.Until("there is more time", func() bool { return !look().Next.Missed })
	if got := strings.Join(said(look()), ", "); got != want {
		t.Errorf("the log says %s", got)
	}
	day := time.Now().In(time.FixedZone("CST", 8*3600))
	report := facilityd(t, "report", "--from", day.AddDate(0, 0, -1).Format(time.DateOnly), "--to", day.AddDate(0, 0, 2).Format(time.DateOnly), "--url", d.Address("board"))
	if !strings.Contains(report, "shakes") || !strings.Contains(report, ": 1\n") {
		t.Errorf("the report says\n%s", report)
	}
}
