package detect_test

import (
	"fmt"
	"math"
	"time"

	"github.com/facilityd/facilityd/rules/detect"
)

// A pump gives a steady flow with a daily course, until a valve is half closed.
func ExampleSignal() {
	flow := detect.NewSignal(detect.Config{})
	orders := detect.NewBudget(1) // one false order a month is acceptable
	names := detect.Naming{Points: []string{"flow"}, Unit: "m³/h"}
	start := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	for i := range 31 * 288 {
		at := start.Add(time.Duration(i) * 5 * time.Minute)
		value := 11.8 + 0.6*math.Sin(2*math.Pi*float64(i)/288) + 0.1*float64(i*7919%13-6)/6
		if i >= 30*288+26 {
			value /= 2
		}
		verdict := flow.Add(at, value)
		if order := orders.Add(at, verdict); order.Due {
			fmt.Println(at.Format("2006-01-02 15:04"), verdict.Reason.Text(detect.English, names))
			break
		}
	}
	// Output:
	// 2026-03-31 02:10 flow jumped down to 6.04 m³/h; normal 11.80 ± 0.75 m³/h; since 2026-03-31 02:10
}
