package kernel

import "math"

// generic is the reference path, and the only one where there is no assembly.
// Products are converted before they are added, which keeps the compiler from
// fusing them, so that every processor gives the same bits.
type generic[T Float] struct{}

func (generic[T]) name() string    { return Generic }
func (generic[T]) panelWidth() int { return 4 }

func (generic[T]) adam(w, m, v, g []T, s AdamStep[T]) {
	m, v, g = m[:len(w)], v[:len(w)], g[:len(w)]
	for i, x := range w {
		x -= T(T(x*s.Decay) * s.Rate)
		mean := m[i] + T((g[i]-m[i])*s.Mean)
		square := v[i] + T((T(g[i]*g[i])-v[i])*s.Square)
		m[i], v[i] = mean, square
		w[i] = x - T(mean*s.Alpha)/(T(math.Sqrt(float64(square)))+s.Epsilon)
	}
}

// relu0 is max(0, x) where on; NaN stays NaN.
func relu0[T Float](x T, on bool) T {
	if on && x < 0 {
		return 0
	}
	return x
}

func (generic[T]) sum1(dst, a []T, relu bool) {
	for i := range dst {
		dst[i] = relu0(a[i], relu)
	}
}

func (generic[T]) sum2(dst, a, b []T, relu bool) {
	for i := range dst {
		dst[i] = relu0(a[i]+b[i], relu)
	}
}

func (generic[T]) sum3(dst, a, b, c []T, relu bool) {
	for i := range dst {
		dst[i] = relu0(a[i]+b[i]+c[i], relu)
	}
}

func (generic[T]) sum4(dst, a, b, c, d []T, relu bool) {
	for i := range dst {
		dst[i] = relu0(a[i]+b[i]+c[i]+d[i], relu)
	}
}

func (generic[T]) maskReLU(dst, y []T) {
	for i := range dst {
		if !(y[i] > 0) {
			dst[i] = 0
		}
	}
}

func (generic[T]) scale(dst, x []T, s T) {
	for i := range dst {
		dst[i] = s * x[i]
	}
}

func (generic[T]) axpy(dst, x []T, s T) {
	for i := range dst {
		dst[i] += T(s * x[i])
	}
}

func (generic[T]) addMul(dst, x, y []T, s T) {
	for i := range dst {
		dst[i] += T(T(s*x[i]) * y[i])
	}
}

func (generic[T]) dot(x, y []T) T {
	const lanes = 32
	var part [lanes]T
	for len(x) >= lanes {
		for l := range part {
			part[l] += T(x[l] * y[l])
		}
		x, y = x[lanes:], y[lanes:]
	}
	for half := lanes / 2; half > 0; half /= 2 {
		for l := range half {
			part[l] += part[l+half]
		}
	}
	sum := part[0]
	for i := range x {
		sum += T(x[i] * y[i])
	}
	return sum
}

func (generic[T]) peak(turns int) float64 {
	x, y := 1/T(turns+1), T(1)
	s0, s1, s2, s3, s4, s5, s6, s7 := T(0), T(1), T(2), T(3), T(4), T(5), T(6), T(7)
	for range turns {
		s0 = s0*x + y
		s1 = s1*x + y
		s2 = s2*x + y
		s3 = s3*x + y
		s4 = s4*x + y
		s5 = s5*x + y
		s6 = s6*x + y
		s7 = s7*x + y
	}
	// The sums are near y each; used, so that they are computed.
	return float64(turns)*16 + float64(s0+s1+s2+s3+s4+s5+s6+s7-8*y)
}
