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

// near fails unless got is the float64 sum want within what n float32
// operations on terms of absolute sum mass can do: n+1 roundings, each of at
// most half a unit in the last place of a partial sum no larger than mass.
func near(t testing.TB, what string, got float32, want, mass float64, n int) {
	t.Helper()
	const half = 1.0 / (1 << 24)
	if math.Abs(float64(got)-want) > 1.01*float64(2*n+2)*half*mass+1e-37 {
		t.Fatalf("%s: %v, want %v (mass %v, %d terms)", what, got, want, mass, n)
	}
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

func TestGemm(t *testing.T) {
	paths(t, func(t *testing.T, ks *Kernels[float32]) {
		for i, s := range shapes() {
			for mode := range 6 {
				gemmCase(t, ks, uint64(i), s[0], s[1], s[2], mode)
			}
		}
	})
}

func gemmCase(t *testing.T, ks *Kernels[float32], seed uint64, m, k, n, kind int) {
	t.Helper()
	what := fmt.Sprintf("%dx%dx%d mode %d", m, k, n, kind)
	a := newArena(t, seed)
	x, src, c := a.view(m, k, int(seed%3), 1), a.view(k, n, 0, 0), a.view(m, n, int(seed%5), 3)
	w := pack(a, ks, src, 2)
	mode := Mode[float32]{ReLU: kind >= 3}
	switch kind % 3 {
	case 1:
		mode.Add = true
	case 2:
		mode.Bias = a.vec(n, 1)
	}
	old := clone(c)
	ks.Gemm(c, x, w, mode)
	a.check()
	for i := range m {
		for j := range n {
			var sum, mass float64
			if mode.Add {
				sum = float64(old.Row(i)[j])
			}
			if mode.Bias != nil {
				sum = float64(mode.Bias[j])
			}
			mass = math.Abs(sum)
			for l := range k {
				p := float64(x.Row(i)[l]) * float64(src.Row(l)[j])
				sum += p
				mass += math.Abs(p)
			}
			if mode.ReLU {
				sum = max(0, sum)
			}
			near(t, what, c.Row(i)[j], sum, mass, k)
		}
	}
}

func TestGemmT(t *testing.T) {
	paths(t, func(t *testing.T, ks *Kernels[float32]) {
		for i, s := range shapes() {
			m, n, k := s[0], s[1], s[2]
			for _, add := range []bool{false, true} {
				what := fmt.Sprintf("%dx%dx%d add %v", m, k, n, add)
				a := newArena(t, uint64(i))
				dy, src, dx := a.view(m, n, i%3, 1), a.view(k, n, 0, 0), a.view(m, k, i%5, 3)
				w := pack(a, ks, src, 2)
				old := clone(dx)
				ks.GemmT(dx, dy, w, add, a.vec(ks.ScratchLen(k, n), i%7))
				a.check()
				for i := range m {
					for l := range k {
						var sum float64
						if add {
							sum = float64(old.Row(i)[l])
						}
						mass := math.Abs(sum)
						for j := range n {
							p := float64(dy.Row(i)[j]) * float64(src.Row(l)[j])
							sum += p
							mass += math.Abs(p)
						}
						near(t, what, dx.Row(i)[l], sum, mass, n)
					}
				}
			}
		}
	})
}

func TestGemmGrad(t *testing.T) {
	paths(t, func(t *testing.T, ks *Kernels[float32]) {
		for i, s := range append(shapes(), [3]int{5, 0, 33}) {
			k, m, n := s[0], s[1], s[2]
			for _, add := range []bool{false, true} {
				what := fmt.Sprintf("%dx%dx%d add %v", m, k, n, add)
				a := newArena(t, uint64(i))
				x, dy := a.view(m, k, i%3, 1), a.view(m, n, i%5, 2)
				dw := pack(a, ks, a.view(k, n, 0, 0), 3)
				old := unpack(ks, dw)
				ks.GemmGrad(dw, x, dy, add, a.vec(ks.ScratchLen(k, n), i%7))
				a.check()
				zeroPadding(t, ks, dw)
				got := unpack(ks, dw)
				for l := range k {
					for j := range n {
						var sum float64
						if add {
							sum = float64(old.Row(l)[j])
						}
						mass := math.Abs(sum)
						for i := range m {
							p := float64(x.Row(i)[l]) * float64(dy.Row(i)[j])
							sum += p
							mass += math.Abs(p)
						}
						near(t, what, got.Row(l)[j], sum, mass, m)
					}
				}
			}
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
