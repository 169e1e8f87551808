package e2e

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
	"github.com/google/go-cmp/cmp"

	"github.com/facilityd/facilityd/cmd/facilityd/daemon"
	"github.com/facilityd/facilityd/devices/history/influxtest"
	"github.com/facilityd/facilityd/devices/mqtt/mosquittotest"
	"github.com/facilityd/facilityd/rules/backtest"
)

// boilerProfile reads a temperature register that counts in tenths. bar is the
// field that the pressure is read from.
func boilerProfile(scale, bar string) string {
	return fmt.Sprintf(`profile: boiler/1
title: {en: Boiler pump, zh: 锅炉泵}
class: pump
source: the test
sources:
  - topic: "boiler/{device}/data"
    decode: json
    time: [{path: t, format: unix_ms}]
    points:
      bearing: {role: bearing_temp, path: b, unit: °C, scale: %s, range: [-50, 500]}
      pressure: {role: discharge_pressure, path: %s, unit: bar}
      state: {path: s}
`, scale, bar)
}

const boilerRules = `
rules:
  - id: hot
    title: {en: Bearing hot, zh: 轴承温度高}
    fault_class: pump.bearing
    class: pump
    source: {text: the test says when, mark: j}
    severity: high
    when: bearing_temp > 80 °C
    for: 3s
    clear: bearing_temp < 70 °C
`

// TestRedecodingMendsTheHistoryAndOpensNothing: a profile took tenths of a degree
// for hundredths. Corrected, the readings that were stored are those that the
// device meant, at their times and in their series, the values between are left
// alone, and the order that should have been opened is shown and not opened.
func TestRedecodingMendsTheHistoryAndOpensNothing(t *testing.T) {
	influx := influxtest.Start(t)
	bucket := influx.Bucket(t)
	broker := mosquittotest.Start(t, mosquittotest.Options{})
	dir := write(t, map[string]string{
		"rules/hot.yaml":       boilerRules,
		"profiles/boiler.yaml": boilerProfile("0.01", "wrong"),
		"site.yaml":            "site: house\nname: {en: House, zh: 楼}\ntime_zone: UTC\n",
		"facilityd.yaml": fmt.Sprintf("data: {{dir}}/data\nlisten: 127.0.0.1:0\nsites: [site.yaml]\nbroker: {url: %q}\n"+
			"rules: {dir: rules, shipped: false}\nprofiles: {dir: profiles, shipped: false}\njournal: {reserve: 64MB}\n"+
			"influxdb: {url: %q, org: %s, bucket: %s, token: %q}\n", broker.URL(), influx.URL, influxtest.Org, bucket, influx.Token),
	})
	settings := filepath.Join(dir, "facilityd.yaml")
	d := Start(t, program, "run", "--config", settings)

	client := paho.NewClient(paho.NewClientOptions().AddBroker(broker.URL()).SetClientID("boiler").SetConnectTimeout(patience))
	if token := client.Connect(); !token.WaitTimeout(patience) || token.Error() != nil {
		t.Fatal(token.Error())
	}
	defer client.Disconnect(0)
	start := time.Now().Add(-time.Minute).Truncate(time.Second).UTC()
	var want []string // what the device meant: time, °C, bar
	for k := range 20 {
		at, tenths := start.Add(time.Duration(k)*time.Second), 600
		if k >= 10 {
			tenths = 900
		}
		if k == 19 {
			tenths = 9000 // beyond the range once it is read rightly
		}
		payload := fmt.Sprintf(`{"t": %d, "b": %d, "p": 2, "s": "on"}`, at.UnixMilli(), tenths)
		if token := client.Publish("boiler/b1/data", 1, false, payload); !token.WaitTimeout(patience) || token.Error() != nil {
			t.Fatal(token.Error())
		}
		if k < 19 {
			want = append(want, fmt.Sprintf("%s %d 2", at.Format(time.TimeOnly), tenths/10))
		}
	}
	d.Until("the history has what was read wrongly", func() bool { return influx.Count(t, bucket, "pump", "bearing") == 20 })

	writeIn(t, dir, map[string]string{"profiles/boiler.yaml": boilerProfile("0.1", "p")})
	facilityd(t, "reload", "--config", settings)
	from := start.Add(-time.Hour).Format(time.RFC3339)

	// Shown first: nothing is written, and what would have been opened is there.
	decoded := func(args ...string) (r daemon.Redecoded) {
		t.Helper()
		out := facilityd(t, append([]string{"redecode", "--json", "--config", settings}, args...)...)
		if err := json.Unmarshal([]byte(out), &r); err != nil {
			t.Fatal(err)
		}
		return r
	}
	if out := facilityd(t, "redecode", "--from", from, "--dry-run", "--config", settings, "--lang", "en"); !strings.Contains(out, "b1") ||
		!strings.Contains(out, "1 order only with the corrected profiles") || !strings.Contains(out, "Nothing was opened or closed by this.") {
		t.Errorf("redecode --dry-run says\n%s", out)
	}
	dry := decoded("--from", from, "--dry-run")
	if dry.Mended.Changed != 20 || dry.Mended.New != 20 || dry.Mended.NowBad != 1 || dry.Mended.Written != 0 || dry.Mended.Gone != 0 {
		t.Errorf("shown: %+v", dry.Mended)
	}
	if n := influx.Count(t, bucket, "pump", "pressure"); n != 0 {
		t.Errorf("--dry-run wrote %d pressures", n)
	}

	// Then done. What the history wrote last is not safe from being written again
	// until it has noted so; the command says up to when it mended.
	var r daemon.Redecoded
	d.Until("everything is mended", func() bool {
		r = decoded("--from", from)
		return r.Mended.Readings >= 60
	})
	if o := r.Report.Difference; o == nil || len(o.OnlyTrial) != 1 || o.OnlyTrial[0].Asset != "b1" || !o.OnlyTrial[0].Onset.Equal(start.Add(10*time.Second)) {
		t.Errorf("would have been opened: %+v", r.Report.Difference)
	}
	var got []string
	for _, row := range influx.Query(t, fmt.Sprintf(`from(bucket: %q) |> range(start: 0)
	|> filter(fn: (r) => r._measurement == "pump" and r.device == "b1" and r.site == "house" and r.asset == "b1" and (r._field == "bearing" or r._field == "pressure" or r._field == "bearing_quality"))
	|> pivot(rowKey: ["_time"], columnKey: ["_field"], valueColumn: "_value") |> sort(columns: ["_time"])`, bucket)) {
		at := row["_time"].(time.Time).UTC()
		if row["bearing_quality"] == "bad" {
			got = append(got, at.Format(time.TimeOnly)+" bad")
			continue
		}
		got = append(got, fmt.Sprintf("%s %.0f %.0f", at.Format(time.TimeOnly), row["bearing"], row["pressure"]))
	}
	want = append(want, start.Add(19*time.Second).Format(time.TimeOnly)+" bad")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the history (-want +got):\n%s", diff)
	}
	if n := influx.Count(t, bucket, "pump", "state_text"); n != 20 {
		t.Errorf("%d states, want the 20 that were there", n)
	}
	if n := len(All[orderView](d, "/api/v1/work-orders", nil)); n != 0 {
		t.Errorf("%d orders were opened", n)
	}

	// From the mended history the rules find what they would have found.
	var report backtest.Report
	out := facilityd(t, "backtest", "--influx", "--json", "--config", settings, "--from", from)
	if err := json.Unmarshal([]byte(out), &report); err != nil {
		t.Fatal(err)
	}
	if o := report.Orders; !report.Approximate || len(o) != 1 || o[0].Asset != "b1" || !o[0].Onset.Equal(start.Add(10*time.Second)) || !o[0].At.Equal(start.Add(13*time.Second)) {
		t.Errorf("from InfluxDB: %s", out)
	}
}
