package simulator

import (
	"math"
	"math/rand/v2"
	"strconv"
	"testing"
)

func TestNumbersAreRoundedToTheirDecimals(t *testing.T) {
	for _, c := range []struct {
		v        float64
		decimals int
		want     string
	}{
		{0, 0, "0"}, {0, 2, "0.00"}, {-0.004, 2, "0.00"}, {-0.006, 2, "-0.01"}, {1.999, 2, "2.00"},
		{12.05, 1, "12.1"}, {-273.15, 2, "-273.15"}, {40961.25, 3, "40961.250"}, {300, 0, "300"},
	} {
		var o object
		o.number("k", c.v, c.decimals)
		if got := string(o.end()); got != `{"k":`+c.want+`}` {
			t.Errorf("%v with %d decimals is %s, not %s", c.v, c.decimals, got, c.want)
		}
	}
	rng := rand.New(rand.NewPCG(3, 3))
	for range 10_000 {
		v, d := rng.NormFloat64()*math.Pow(10, float64(rng.IntN(6))), rng.IntN(4)
		var o object
		o.number("k", v, d)
		got, err := strconv.ParseFloat(string(o.b[len(`{"k":`):]), 64)
		if err != nil || math.Abs(got-v) > .5000001/tens[d] {
			t.Fatalf("%v with %d decimals is %s", v, d, o.b)
		}
	}
}
