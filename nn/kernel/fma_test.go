package kernel

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
)

// TestInterpreterFMA holds the interpreter's fused multiply-add to exact
// arithmetic, on operands that make both roundings matter.
func TestInterpreterFMA(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	number := func(span int) float32 {
		return float32(math.Ldexp(float64(r.Uint32N(1<<24))-1<<23, r.IntN(2*span)-span-23))
	}
	for range 200000 {
		x, y := number(4), number(4)
		z := float32(-float64(x) * float64(y) * (1 + float64(r.IntN(3))/(1<<23)))
		if r.IntN(2) == 0 {
			z = number(60)
		}
		exact := func(v float32) *big.Float { return big.NewFloat(float64(v)).SetPrec(400) }
		sum := new(big.Float).SetPrec(400).Mul(exact(x), exact(y))
		want, _ := sum.Add(sum, exact(z)).Float32()
		if got := fma(x, y, z); got != want {
			t.Fatalf("%v·%v + %v = %v, want %v", x, y, z, got, want)
		}
	}
}
