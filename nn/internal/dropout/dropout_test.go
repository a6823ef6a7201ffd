package dropout

import (
	"math"
	"testing"
)

// The table is the binomial distribution's, for classes and rates that make its
// first terms vanish too.
func TestDropoutTable(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		k int
		p float64
	}{{1, 0.05}, {7, 0.05}, {40, 0.5}, {604, 0.05}, {1500, 0.9}} {
		d := Sampler{P: tc.p}
		mean, square, before := 0.0, 0.0, 0.0
		for n, limit := range d.Table(tc.k) {
			p := float64(limit)/(1<<64) - before
			before += p
			mean += p * float64(n)
			square += p * float64(n) * float64(n)
		}
		k := float64(tc.k)
		want, variance := k*tc.p, k*tc.p*(1-tc.p)
		if math.Abs(mean-want) > 1e-9*want {
			t.Errorf("k %d, p %v: %v dropped on average, want %v", tc.k, tc.p, mean, want)
		}
		if got := square - mean*mean; math.Abs(got-variance) > 1e-6*variance {
			t.Errorf("k %d, p %v: variance %v, want %v", tc.k, tc.p, got, variance)
		}
	}
}
