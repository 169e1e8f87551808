package layout

import (
	"fmt"
	"math"
	"math/big"
	"math/bits"
	"strconv"

	"github.com/facilityd/facilityd/devices/profile/codec"
)

// affine is the exact function x → (mul·x + add) / 10^places, or, when the
// divisor has other factors than 2 and 5, (mul·x + add) / div in float64.
type affine struct {
	identity bool
	mul, add int64
	places   int
	div      float64 // of the float path
	exact    bool
}

var identity = affine{identity: true, mul: 1, div: 1, exact: true}

// newAffine compiles a·x + b.
func newAffine(a, b *big.Rat) (affine, error) {
	if a.Cmp(big.NewRat(1, 1)) == 0 && b.Sign() == 0 {
		return identity, nil
	}
	den := lcm(a.Denom(), b.Denom())
	f := affine{exact: true}
	scale := new(big.Int).Set(den)
	ten := big.NewInt(1)
	for ; f.places <= 18; f.places++ {
		if new(big.Int).Rem(ten, den).Sign() == 0 {
			scale = ten
			break
		}
		ten = new(big.Int).Mul(ten, big.NewInt(10))
	}
	if f.places > 18 {
		f.exact, f.places = false, 0
	}
	s := new(big.Rat).SetInt(scale)
	mul, add := new(big.Rat).Mul(a, s), new(big.Rat).Mul(b, s)
	if !mul.Num().IsInt64() || !add.Num().IsInt64() {
		return affine{}, fmt.Errorf("constants are too large")
	}
	f.mul, f.add = mul.Num().Int64(), add.Num().Int64()
	f.div, _ = new(big.Float).SetInt(scale).Float64()
	return f, nil
}

func lcm(a, b *big.Int) *big.Int {
	gcd := new(big.Int).GCD(nil, nil, a, b)
	return new(big.Int).Mul(new(big.Int).Div(a, gcd), b)
}

// appendInt appends f(x) without rounding noise.
func (f *affine) appendInt(dst []byte, x int64) []byte {
	if f.identity {
		return strconv.AppendInt(dst, x, 10)
	}
	if f.exact {
		if n, ok := f.numerator(x); ok {
			return codec.AppendDecimal(dst, n, -f.places)
		}
	}
	return codec.AppendFloat(dst, f.float(float64(x)))
}

// numerator is mul·x + add, ok when it fits.
func (f *affine) numerator(x int64) (int64, bool) {
	hi, lo := bits.Mul64(magnitude(f.mul), magnitude(x))
	if hi != 0 || lo > math.MaxInt64 {
		return 0, false
	}
	n := int64(lo)
	if (f.mul < 0) != (x < 0) {
		n = -n
	}
	sum := n + f.add
	if (sum > n) != (f.add > 0) && f.add != 0 {
		return 0, false
	}
	return sum, true
}

func magnitude(v int64) uint64 {
	if v < 0 {
		return -uint64(v)
	}
	return uint64(v)
}

// appendFloat appends f(x) of a float with 15 digits, which hides the noise of
// the arithmetic; x itself is passed on untouched.
func (f *affine) appendFloat(dst []byte, x float64, single bool) []byte {
	if f.identity {
		if single {
			return codec.AppendFloat32(dst, float32(x))
		}
		return codec.AppendFloat(dst, x)
	}
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return append(dst, "null"...)
	}
	return codec.AppendFloat(dst, round15(f.float(widen(x, single))))
}

// float is f(x) in float64.
func (f *affine) float(x float64) float64 {
	return (float64(f.mul)*x + float64(f.add)) / f.div
}

// widen reads a float32 as the decimal it stands for: 12.1, not 12.100000381.
func widen(x float64, single bool) float64 {
	if !single {
		return x
	}
	var buf [32]byte
	w, err := strconv.ParseFloat(string(strconv.AppendFloat(buf[:0], x, 'g', -1, 32)), 64)
	if err != nil {
		return x
	}
	return w
}

func round15(x float64) float64 {
	var buf [32]byte
	r, err := strconv.ParseFloat(string(strconv.AppendFloat(buf[:0], x, 'g', 15, 64)), 64)
	if err != nil {
		return x
	}
	return r
}
