package kernel

import (
	"fmt"
	"math"
	"testing"
)

// shapes are rows, summed, columns: the network's own, every remainder of rows
// and columns by the tiles, single rows, and sums longer than one pass.
func shapes() [][3]int {
	s := [][3]int{
		{15, 128, 256}, {30, 256, 128}, {56, 136, 264}, {93, 128, 768}, {147, 256, 128},
		{1, 128, 8}, {1, 8, 256}, {1, 1, 1}, {3, 3, 5}, {300, 128, 256}, {9, 600, 40}, {600, 24, 48},
	}
	for m := range 27 {
		s = append(s, [3]int{m + 1, 17, 32}, [3]int{m + 1, 16, m + 1})
	}
	for n := range 70 {
		s = append(s, [3]int{7, n + 1, 16}, [3]int{13, 5, n + 1})
	}
	return s
}

// near says whether got is within what n float32 operations can do to a sum of
// want whose terms' absolute values add up to mass: n+1 roundings of a product or
// of a partial sum, each by at most half a unit in the last place of mass.
func near(got float32, want, mass float64, n int) bool {
	const half = 1.0 / (1 << 24)
	return math.Abs(float64(got)-want) <= 1.01*float64(2*n+2)*half*mass+1e-37
}

func pack(a *arena, ks *Kernels[float32], src View[float32], offset int) Panels[float32] {
	w := Panels[float32]{a.vec(ks.PackedLen(src.Rows, src.Cols), offset), src.Rows, src.Cols}
	ks.Pack(w, src)
	return w
}

func unpack(ks *Kernels[float32], w Panels[float32]) View[float32] {
	v := Dense(make([]float32, w.K*w.N), w.K, w.N)
	ks.Unpack(v, w)
	return v
}

// zeroPadding fails when the columns past N of the last panel are not all zero.
func zeroPadding(t testing.TB, ks *Kernels[float32], w Panels[float32]) {
	t.Helper()
	nr := ks.PanelWidth()
	last := w.N / nr * nr
	if last == w.N {
		return
	}
	for i, x := range w.Data[last*w.K:] {
		if i%nr >= w.N-last && x != 0 {
			t.Fatalf("padding element %d is %v", i, x)
		}
	}
}

func TestPack(t *testing.T) {
	paths(t, func(t *testing.T, ks *Kernels[float32]) {
		for k := range 9 {
			for n := range 70 {
				a := newArena(t, uint64(k*100+n))
				src := a.view(k, n, n%3, k%4)
				w := pack(a, ks, src, n%5)
				zeroPadding(t, ks, w)
				dst := a.view(k, n, 2, 1)
				ks.Unpack(dst, w)
				same(t, "unpacked", dst, src)
				a.check()
			}
		}
	})
}

func TestPanelsJoin(t *testing.T) {
	paths(t, func(t *testing.T, ks *Kernels[float32]) {
		a := newArena(t, 1)
		const k, n = 5, 32
		src := a.view(k, 2*n+3, 0, 0)
		whole := pack(a, ks, src, 0)
		one := ks.PackedLen(k, n)
		parts := make([]float32, len(whole.Data))
		ks.Pack(Panels[float32]{parts[:one], k, n}, src.Slice(0, n))
		ks.Pack(Panels[float32]{parts[one : 2*one], k, n}, src.Slice(n, n))
		ks.Pack(Panels[float32]{parts[2*one:], k, 3}, src.Slice(2*n, 3))
		sameVec(t, "joined", parts, whole.Data)
	})
}

// sums is what a product of exact terms comes to: element (i, j) is the sum over
// l of a(i, l)·b(l, j), and the sum of the terms' absolute values.
type sums struct {
	rows, cols, terms int
	sum, mass         []float64
}

func exact(rows, terms, cols int, a, b func(i, l int) float32) *sums {
	s := &sums{rows, cols, terms, make([]float64, rows*cols), make([]float64, rows*cols)}
	for i := range rows {
		for l := range terms {
			x := float64(a(i, l))
			for j := range cols {
				p := x * float64(b(l, j))
				s.sum[i*cols+j] += p
				s.mass[i*cols+j] += math.Abs(p)
			}
		}
	}
	return s
}

// check fails unless got is init(i, j) + sum, relu'd, within rounding.
func (s *sums) check(t testing.TB, what string, got View[float32], relu bool, init func(i, j int) float32) {
	t.Helper()
	for i := range s.rows {
		for j := range s.cols {
			x := float64(init(i, j))
			want, mass := x+s.sum[i*s.cols+j], math.Abs(x)+s.mass[i*s.cols+j]
			if relu {
				want = max(0, want)
			}
			if g := got.Row(i)[j]; !near(g, want, mass, s.terms) {
				t.Fatalf("%s: (%d, %d) is %v, want %v (mass %v)", what, i, j, g, want, mass)
			}
		}
	}
}

func at(v View[float32]) func(i, j int) float32 {
	return func(i, j int) float32 { return v.Data[i*v.Stride+j] }
}

func transposed(v View[float32]) func(i, j int) float32 {
	return func(i, j int) float32 { return v.Data[j*v.Stride+i] }
}

func nothing(int, int) float32 { return 0 }

func TestGemm(t *testing.T) {
	paths(t, func(t *testing.T, ks *Kernels[float32]) {
		for i, s := range append(shapes(), [3]int{5, 0, 33}) {
			m, k, n := s[0], s[1], s[2]
			a := newArena(t, uint64(i))
			x, src, c, bias := a.view(m, k, i%3, 1), a.view(k, n, 0, 0), a.view(m, n, i%5, 3), a.vec(n, 1)
			w := pack(a, ks, src, 2)
			want := exact(m, k, n, at(x), at(src))
			for _, relu := range []bool{false, true} {
				what := fmt.Sprintf("%dx%dx%d relu %v", m, k, n, relu)
				old := clone(c)
				ks.Gemm(c, x, w, Mode[float32]{Add: true, ReLU: relu})
				want.check(t, what+" add", c, relu, at(old))
				ks.Gemm(c, x, w, Mode[float32]{Bias: bias, ReLU: relu})
				want.check(t, what+" bias", c, relu, func(_, j int) float32 { return bias[j] })
				ks.Gemm(c, x, w, Mode[float32]{ReLU: relu})
				want.check(t, what, c, relu, nothing)
			}
			a.check()
		}
	})
}

func TestGemmT(t *testing.T) {
	paths(t, func(t *testing.T, ks *Kernels[float32]) {
		for i, s := range append(shapes(), [3]int{5, 0, 33}) {
			m, n, k := s[0], s[1], s[2]
			what := fmt.Sprintf("%dx%dx%d", m, k, n)
			a := newArena(t, uint64(i))
			dy, src, dx := a.view(m, n, i%3, 1), a.view(k, n, 0, 0), a.view(m, k, i%5, 3)
			w, scratch := pack(a, ks, src, 2), a.vec(ks.ScratchLen(k, n), i%7)
			want := exact(m, n, k, at(dy), transposed(src))
			ks.GemmT(dx, dy, w, false, scratch)
			want.check(t, what, dx, false, nothing)
			old := clone(dx)
			ks.GemmT(dx, dy, w, true, scratch)
			want.check(t, what+" add", dx, false, at(old))
			a.check()
		}
	})
}

func TestGemmGrad(t *testing.T) {
	paths(t, func(t *testing.T, ks *Kernels[float32]) {
		for i, s := range append(shapes(), [3]int{5, 0, 33}) {
			k, m, n := s[0], s[1], s[2]
			what := fmt.Sprintf("%dx%dx%d", m, k, n)
			a := newArena(t, uint64(i))
			x, dy := a.view(m, k, i%3, 1), a.view(m, n, i%5, 2)
			dw, scratch := pack(a, ks, a.view(k, n, 0, 0), 3), a.vec(ks.ScratchLen(k, n), i%7)
			want := exact(k, m, n, transposed(x), at(dy))
			ks.GemmGrad(dw, x, dy, false, scratch)
			old := unpack(ks, dw)
			want.check(t, what, old, false, nothing)
			ks.GemmGrad(dw, x, dy, true, scratch)
			want.check(t, what+" add", unpack(ks, dw), false, at(old))
			zeroPadding(t, ks, dw)
			a.check()
		}
	})
}

// TestGradAdam holds the fused form to the bits of its parts.
func TestGradAdam(t *testing.T) {
	paths(t, func(t *testing.T, ks *Kernels[float32]) {
		for i, s := range append(shapes(), [3]int{5, 0, 33}) {
			k, rows, n := s[0], s[1], s[2]
			a := newArena(t, uint64(i))
			x, dy := a.view(rows, k, i%3, 1), a.view(rows, n, i%5, 2)
			w, m, v := pack(a, ks, a.view(k, n, 0, 0), 1), pack(a, ks, a.view(k, n, 0, 0), 2), pack(a, ks, a.view(k, n, 0, 0), 3)
			for i, x := range v.Data {
				v.Data[i] = x * x
			}
			scratch := a.vec(ks.ScratchLen(k, n), i%7)
			step := NewAdamStep[float32](3, 1e-3, 1e-2, 0.9, 0.999, 1e-7)

			copyOf := func(p Panels[float32]) Panels[float32] {
				return Panels[float32]{append([]float32(nil), p.Data...), p.K, p.N}
			}
			w1, m1, v1, g1 := copyOf(w), copyOf(m), copyOf(v), copyOf(v)
			ks.GemmGrad(g1, x, dy, false, scratch)
			ks.Adam(w1.Data, m1.Data, v1.Data, g1.Data, step)

			ks.GradAdam(w, m, v, x, dy, step, scratch)
			a.check()
			what := fmt.Sprintf("%dx%dx%d", rows, k, n)
			sameVec(t, what+" w", w.Data, w1.Data)
			sameVec(t, what+" m", m.Data, m1.Data)
			sameVec(t, what+" v", v.Data, v1.Data)
			zeroPadding(t, ks, w)
		}
	})
}
