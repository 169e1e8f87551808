package detect_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/facilityd/facilityd/rules/detect"
)

// year runs quiet verdicts with now and then a chance oddity through a budget and counts orders.
func year(rng *rand.Rand, perMonth float64, days int) (orders int) {
	b := detect.NewBudget(perMonth)
	due := false
	level := 0.0
	for i := range days * perDay {
		level = 0.95*level + 0.05*rng.ExpFloat64()
		v := detect.Verdict{Known: true, Strength: 0.3 * level * rng.ExpFloat64(), Anomalous: true}
		o := b.AddUnix(int64(i)*5*minute, v)
		if o.Due && !due {
			orders++
		}
		due = o.Due
		if o.Due {
			// The episode ends: what counts here is how often one begins.
			b.AddUnix(int64(i)*5*minute, detect.Verdict{Known: true})
			due = false
		}
	}
	return orders
}

// The larger the budget, the more false orders, and never more than were granted.
func TestFalseOrdersStayWithinTheBudget(t *testing.T) {
	const days, signals = 180, 12
	last := -1.0
	for _, budget := range []float64{0.1, 1, 3} {
		total := 0
		for k := range signals {
			total += year(rand.New(rand.NewPCG(1, uint64(k))), budget, days)
		}
		rate := float64(total) / signals / (days / 30)
		t.Logf("budget %g: %.3f false orders per month", budget, rate)
		if rate > budget {
			t.Errorf("budget of %g a month gave %.2f", budget, rate)
		}
		if rate < last {
			t.Errorf("a budget of %g gives fewer orders (%.2f) than a smaller one (%.2f)", budget, rate, last)
		}
		last = rate
	}
}

func TestBudgetWaitsUntilItHasSeenEnough(t *testing.T) {
	b := detect.NewBudget(3)
	violent := detect.Verdict{Known: true, Strength: 50, Anomalous: true}
	if o := b.AddUnix(0, violent); o.Due || o.Known {
		t.Errorf("an order on the first row: %+v", o)
	}
	for i := range 11 * perDay {
		b.AddUnix(int64(i)*5*minute, detect.Verdict{Known: true, Strength: 0.2})
	}
	o := b.AddUnix(11*24*60*minute, violent)
	if !o.Known || !o.Due {
		t.Errorf("no order for a violent fault after eleven quiet days: %+v", o)
	}
	if o := b.AddUnix(11*24*60*minute+minute, detect.Verdict{}); o.Due {
		t.Error("an order stays due though the signal is not known any more and nothing is odd")
	}
}

// The same oddity is cheap before it was dismissed and dear after.
func TestDismissedOrderMakesItsLikeDearer(t *testing.T) {
	b := detect.NewBudget(1)
	rng := rand.New(rand.NewPCG(1, 7))
	at := int64(0)
	quiet := func(days int) {
		for range days * perDay {
			b.AddUnix(at, detect.Verdict{Known: true, Strength: 0.3 * rng.Float64()})
			at += 5 * minute
		}
	}
	odd := detect.Verdict{Known: true, Strength: 2, Anomalous: true}
	quiet(30)
	first := b.AddUnix(at, odd)
	if !first.Due {
		t.Fatalf("no order: %+v", first)
	}
	b.Hold(true)
	b.AddUnix(at+minute, detect.Verdict{Known: true})
	b.Hold(false)
	b.Dismiss(first)
	quiet(1)
	again := b.AddUnix(at, odd)
	if again.Limit < odd.Strength || again.LastingLimit < first.Lasting {
		t.Errorf("limits were %.2f and %.2f, are %.2f and %.2f", first.Limit, first.LastingLimit, again.Limit, again.LastingLimit)
	}
}

func TestNoBudgetNoOrders(t *testing.T) {
	for _, perMonth := range []float64{0, -1, math.NaN()} {
		b := detect.NewBudget(perMonth)
		for i := range 20 * perDay {
			if b.AddUnix(int64(i)*5*minute, detect.Verdict{Known: true, Strength: float64(i % 100), Anomalous: true}).Due {
				t.Fatalf("budget %v gave an order", perMonth)
			}
		}
	}
}
