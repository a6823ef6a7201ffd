package kernel

import (
	"math"
	"testing"
)

// TestAdamIsKeras follows Keras' update in float64, twenty steps long.
func TestAdamIsKeras(t *testing.T) {
	paths(t, func(t *testing.T, ks *Kernels[float32]) {
		const n, rate, decay, b1, b2, eps = 53, 1e-3, 1e-2, 0.9, 0.999, 1e-7
		a := newArena(t, 5)
		w, m, v, g := a.vec(n, 1), a.vec(n, 2), a.vec(n, 3), a.vec(n, 0)
		clear(m)
		clear(v)
		w[50], g[50] = 0, 0 // as padding
		W, M, V := make([]float64, n), make([]float64, n), make([]float64, n)
		for i := range w {
			W[i] = float64(w[i])
		}
		for step := int64(1); step <= 20; step++ {
			ks.Adam(w, m, v, g, NewAdamStep[float32](step, rate, decay, b1, b2, eps))
			for i := range W {
				G := float64(g[i])
				W[i] -= W[i] * decay * rate
				M[i] = b1*M[i] + (1-b1)*G
				V[i] = b2*V[i] + (1-b2)*G*G
				alpha := rate * math.Sqrt(1-math.Pow(b2, float64(step))) / (1 - math.Pow(b1, float64(step)))
				W[i] -= M[i] * alpha / (math.Sqrt(V[i]) + eps)
				if d := math.Abs(W[i] - float64(w[i])); d > 2e-7*float64(step) {
					t.Fatalf("step %d: w[%d] = %v, want %v", step, i, w[i], W[i])
				}
				if i != 50 {
					g[i] = a.rand.Float32()*2 - 1
				}
			}
		}
		if w[50] != 0 || m[50] != 0 || v[50] != 0 {
			t.Fatal("padding moved")
		}
		a.check()
	})
}

// TestAdamBits holds every path to the reference to the bit, at every length
// that leaves another remainder, zeros and extremes included.
func TestAdamBits(t *testing.T) {
	ref := Reference[float32]()
	paths(t, func(t *testing.T, ks *Kernels[float32]) {
		for n := range 150 {
			a := newArena(t, uint64(n))
			w, m, v, g := a.vec(n, n%4), a.vec(n, n%3), a.vec(n, n%5), a.vec(n, n%2)
			for i := range v {
				v[i] *= v[i]
				if i%7 == 3 {
					w[i], m[i], v[i], g[i] = 0, 0, 0, 0
				}
				if i%11 == 5 {
					g[i] = odd[i%len(odd)]
				}
			}
			c := func(x []float32) []float32 { return append([]float32(nil), x...) }
			w1, m1, v1 := c(w), c(m), c(v)
			step := NewAdamStep[float32](2, 1e-3, 1e-4, 0.9, 0.999, 1e-7)
			ks.Adam(w, m, v, g, step)
			ref.Adam(w1, m1, v1, g, step)
			sameVec(t, "w", w, w1)
			sameVec(t, "m", m, m1)
			sameVec(t, "v", v, v1)
			a.check()
		}
	})
}
