package kernel

import "math"

// AdamStep is the coefficients of one update, the same for all parameters.
type AdamStep[T Float] struct {
	Rate    T // learning rate, for the decay
	Decay   T // weight decay per unit of learning rate; 0 for none
	Mean    T // 1 − β1
	Square  T // 1 − β2
	Alpha   T // rate·√(1−β2^t)/(1−β1^t)
	Epsilon T
}

// NewAdamStep is the coefficients of step t = 1, 2, … Everything is computed in
// float64 and rounded once.
func NewAdamStep[T Float](t int64, rate, decay, beta1, beta2, epsilon float64) AdamStep[T] {
	n := float64(t)
	return AdamStep[T]{
		Rate:    T(rate),
		Decay:   T(decay),
		Mean:    T(1 - beta1),
		Square:  T(1 - beta2),
		Alpha:   T(rate * math.Sqrt(1-math.Pow(beta2, n)) / (1 - math.Pow(beta1, n))),
		Epsilon: T(epsilon),
	}
}

// Adam updates weights w and moments m and v by the gradient g, as Keras' Adam
// with decoupled decay does, operation by operation:
//
//	w[i] -= (w[i]·Decay)·Rate
//	m[i] += (g[i] − m[i])·Mean
//	v[i] += (g[i]² − v[i])·Square
//	w[i] -= (m[i]·Alpha)/(√v[i] + Epsilon)
//
// The layout of the slices is any; elements that are zero in all four stay so.
func (ks *Kernels[T]) Adam(w, m, v, g []T, s AdamStep[T]) {
	if len(m) != len(w) || len(v) != len(w) || len(g) != len(w) {
		panic(badLength)
	}
	ks.path.adam(w, m, v, g, s)
}
