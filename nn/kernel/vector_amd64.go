//go:build amd64 && !purego

package kernel

import "math"

// vector is the assembly paths. It hands each method through to its instruction
// set; matrix products are cut up in tiles_amd64.go.
type vector struct {
	wide bool // AVX-512 rather than AVX2
}

func (v vector) name() string {
	if v.wide {
		return AVX512
	}
	return AVX2
}

// first is where s begins, for assembly that is told how much to take.
func first(s []float32) *float32 {
	if len(s) == 0 {
		return nil
	}
	return &s[0]
}

// floor is what max raises a sum to.
func floor(relu bool) float32 {
	if relu {
		return 0
	}
	return float32(math.Inf(-1))
}

func (v vector) adam(w, m, x, g []float32, s AdamStep[float32]) {
	if len(w) == 0 {
		return
	}
	if v.wide {
		adamAVX512(&w[0], &m[0], &x[0], &g[0], len(w), s.Rate, s.Decay, s.Mean, s.Square, s.Alpha, s.Epsilon)
	} else {
		adamAVX2(&w[0], &m[0], &x[0], &g[0], len(w), s.Rate, s.Decay, s.Mean, s.Square, s.Alpha, s.Epsilon)
	}
}

func (v vector) sum1(dst, a []float32, relu bool) {
	if len(dst) == 0 {
		return
	}
	if v.wide {
		sum1AVX512(&dst[0], &a[0], len(dst), floor(relu))
	} else {
		sum1AVX2(&dst[0], &a[0], len(dst), floor(relu))
	}
}

func (v vector) sum2(dst, a, b []float32, relu bool) {
	if len(dst) == 0 {
		return
	}
	if v.wide {
		sum2AVX512(&dst[0], &a[0], &b[0], len(dst), floor(relu))
	} else {
		sum2AVX2(&dst[0], &a[0], &b[0], len(dst), floor(relu))
	}
}

func (v vector) sum3(dst, a, b, c []float32, relu bool) {
	if len(dst) == 0 {
		return
	}
	if v.wide {
		sum3AVX512(&dst[0], &a[0], &b[0], &c[0], len(dst), floor(relu))
	} else {
		sum3AVX2(&dst[0], &a[0], &b[0], &c[0], len(dst), floor(relu))
	}
}

func (v vector) sum4(dst, a, b, c, d []float32, relu bool) {
	if len(dst) == 0 {
		return
	}
	if v.wide {
		sum4AVX512(&dst[0], &a[0], &b[0], &c[0], &d[0], len(dst), floor(relu))
	} else {
		sum4AVX2(&dst[0], &a[0], &b[0], &c[0], &d[0], len(dst), floor(relu))
	}
}

func (v vector) maskReLU(dst, y []float32) {
	if len(dst) == 0 {
		return
	}
	if v.wide {
		maskReLUAVX512(&dst[0], &y[0], len(dst))
	} else {
		maskReLUAVX2(&dst[0], &y[0], len(dst))
	}
}

func (v vector) scale(dst, x []float32, s float32) {
	if len(dst) == 0 {
		return
	}
	if v.wide {
		scaleAVX512(&dst[0], &x[0], len(dst), s)
	} else {
		scaleAVX2(&dst[0], &x[0], len(dst), s)
	}
}

func (v vector) axpy(dst, x []float32, s float32) {
	if len(dst) == 0 {
		return
	}
	if v.wide {
		axpyAVX512(&dst[0], &x[0], len(dst), s)
	} else {
		axpyAVX2(&dst[0], &x[0], len(dst), s)
	}
}

func (v vector) addMul(dst, x, y []float32, s float32) {
	if len(dst) == 0 {
		return
	}
	if v.wide {
		addMulAVX512(&dst[0], &x[0], &y[0], len(dst), s)
	} else {
		addMulAVX2(&dst[0], &x[0], &y[0], len(dst), s)
	}
}

func (v vector) dot(x, y []float32) float32 {
	if len(x) == 0 {
		return 0
	}
	var sum float32
	if v.wide {
		dotAVX512(&x[0], &y[0], len(x), &sum)
	} else {
		dotAVX2(&x[0], &y[0], len(x), &sum)
	}
	return sum
}

func (v vector) peak(turns int) float64 {
	lanes := 8
	if v.wide {
		peakAVX512(turns)
		lanes = 16
	} else {
		peakAVX2(turns)
	}
	return float64(turns) * 24 * 2 * float64(lanes)
}
