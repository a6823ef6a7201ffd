package kernel

import (
	"math"
	"testing"
)

func TestFor(t *testing.T) {
	names := Available()
	if names[len(names)-1] != Generic {
		t.Fatalf("no generic path in %v", names)
	}
	if Best().Path() != names[0] {
		t.Fatalf("best of %v is %s", names, Best().Path())
	}
	for _, name := range names {
		if ks, err := For(name); err != nil || ks.Path() != name {
			t.Fatalf("For(%q) is %v, %v", name, ks, err)
		}
	}
	if _, err := For("mmx"); err == nil {
		t.Fatal("For took an unknown path")
	}
}

// all runs every matrix product and answers what came out.
func all(t testing.TB, ks *Kernels[float32], m, k, n int) map[string]View[float32] {
	a := newArena(t, 9)
	x, y, src, c, bias := a.view(m, k, 3, 1), a.view(m, n, 0, 1), a.view(k, n, 0, 0), a.view(m, n, 2, 1), a.vec(n, 0)
	dx := a.view(m, k, 1, 1)
	// From here on lengths, and with them random numbers, depend on the path.
	w, mean, square, g := pack(a, ks, src, 0), pack(a, ks, src, 0), pack(a, ks, src, 0), pack(a, ks, src, 0)
	for i, x := range square.Data {
		square.Data[i] = x * x
	}
	scratch := a.vec(ks.ScratchLen(k, n), 0)
	out := map[string]View[float32]{}
	ks.Gemm(c, x, w, Mode[float32]{Bias: bias, ReLU: true})
	out["Gemm"] = clone(c)
	ks.GemmT(dx, y, w, true, scratch)
	out["GemmT"] = clone(dx)
	ks.GemmGrad(g, x, y, true, scratch)
	out["GemmGrad"] = unpack(ks, g)
	ks.GradAdam(w, mean, square, x, y, NewAdamStep[float32](2, 1e-3, 1e-4, 0.9, 0.999, 1e-7), scratch)
	out["w"], out["m"], out["v"] = unpack(ks, w), unpack(ks, mean), unpack(ks, square)
	return out
}

// TestDeterminism repeats every product, and holds the assembly paths to each
// other: both must give the same bits.
func TestDeterminism(t *testing.T) {
	var assembly map[string]View[float32]
	paths(t, func(t *testing.T, ks *Kernels[float32]) {
		one, two := all(t, ks, 93, 136, 264), all(t, ks, 93, 136, 264)
		for name := range one {
			same(t, name, two[name], one[name])
		}
		if ks.Path() == Generic {
			return
		}
		if assembly == nil {
			assembly = one
		}
		for name := range one {
			same(t, name+" across paths", one[name], assembly[name])
		}
	})
}

// TestNaN puts a NaN or infinity into one element of one operand: exactly the
// results that depend on it must not be finite.
func TestNaN(t *testing.T) {
	paths(t, func(t *testing.T, ks *Kernels[float32]) {
		const m, k, n = 13, 21, 37
		for _, bad := range []float32{float32(math.NaN()), float32(math.Inf(1))} {
			a := newArena(t, 2)
			finite := func(x float32) bool { return !math.IsNaN(float64(x)) && !math.IsInf(float64(x), 0) }
			x, y, src, c := a.view(m, k, 0, 0), a.view(m, n, 0, 0), a.view(k, n, 0, 0), a.view(m, n, 0, 0)
			w, g, scratch := pack(a, ks, src, 0), pack(a, ks, src, 0), a.vec(ks.ScratchLen(k, n), 0)
			expect := func(what string, v View[float32], bad func(i, j int) bool) {
				t.Helper()
				for i := range v.Rows {
					for j := range v.Cols {
						if finite(v.Row(i)[j]) == bad(i, j) {
							t.Fatalf("%s: (%d, %d) is %v", what, i, j, v.Row(i)[j])
						}
					}
				}
			}
			x.Row(4)[7] = bad
			ks.Gemm(c, x, w, Mode[float32]{})
			expect("Gemm", c, func(i, _ int) bool { return i == 4 })
			ks.GemmGrad(g, x, y, false, scratch)
			expect("GemmGrad", unpack(ks, g), func(i, _ int) bool { return i == 7 })
			x.Row(4)[7] = 0

			y.Row(5)[36] = bad
			ks.GemmT(x, y, w, false, scratch)
			expect("GemmT", x, func(i, _ int) bool { return i == 5 })

			c.Row(3)[2] = float32(math.NaN())
			zero := Dense(make([]float32, m*k), m, k)
			ks.Gemm(c, zero, w, Mode[float32]{Add: true, ReLU: true})
			if !math.IsNaN(float64(c.Row(3)[2])) {
				t.Fatal("relu hid a NaN")
			}
		}
	})
}

func TestShapePanics(t *testing.T) {
	ks := Best()
	v := func(m, n int) View[float32] { return Dense(make([]float32, m*n), m, n) }
	w := Panels[float32]{make([]float32, ks.PackedLen(5, 7)), 5, 7}
	scratch := make([]float32, ks.ScratchLen(5, 7))
	cases := map[string]func(){
		"gemm rows":     func() { ks.Gemm(v(2, 7), v(3, 5), w, Mode[float32]{}) },
		"gemm columns":  func() { ks.Gemm(v(3, 6), v(3, 5), w, Mode[float32]{}) },
		"gemm short":    func() { ks.Gemm(View[float32]{make([]float32, 20), 3, 7, 7}, v(3, 5), w, Mode[float32]{}) },
		"gemm stride":   func() { ks.Gemm(View[float32]{make([]float32, 21), 3, 7, 6}, v(3, 5), w, Mode[float32]{}) },
		"gemm weights":  func() { ks.Gemm(v(3, 7), v(3, 5), Panels[float32]{w.Data[1:], 5, 7}, Mode[float32]{}) },
		"gemm bias":     func() { ks.Gemm(v(3, 7), v(3, 5), w, Mode[float32]{Bias: make([]float32, 6)}) },
		"gemm mode":     func() { ks.Gemm(v(3, 7), v(3, 5), w, Mode[float32]{Bias: make([]float32, 7), Add: true}) },
		"gemmT":         func() { ks.GemmT(v(3, 4), v(3, 7), w, false, scratch) },
		"gemmT scratch": func() { ks.GemmT(v(3, 5), v(3, 7), w, false, scratch[1:]) },
		"grad":          func() { ks.GemmGrad(w, v(3, 5), v(4, 7), false, scratch) },
		"gradAdam": func() {
			ks.GradAdam(w, w, Panels[float32]{w.Data, 7, 5}, v(3, 5), v(3, 7), AdamStep[float32]{}, scratch)
		},
		"adam":          func() { ks.Adam(w.Data, w.Data, w.Data, w.Data[1:], AdamStep[float32]{}) },
		"axpy":          func() { ks.Axpy(make([]float32, 3), make([]float32, 2), 1) },
		"addRows none":  func() { ks.AddRows(v(2, 2), false, nil) },
		"addRows index": func() { ks.AddRows(v(1, 2), false, nil, Rows[float32]{v(2, 2), []int32{2}}) },
		"scatter index": func() { ks.ScatterAdd(v(2, 2), []int32{2}, v(1, 2)) },
		"segment index": func() { ks.SegmentSum(v(1, 2), CSR[float32]{[]int32{0, 1}, []int32{2}, nil}, v(2, 2), false) },
	}
	for name, f := range cases {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Fatal("no panic")
				}
			}()
			f()
		})
	}
}

// TestNoAllocations runs what a training step does.
func TestNoAllocations(t *testing.T) {
	paths(t, func(t *testing.T, ks *Kernels[float32]) {
		const m, k, n = 17, 24, 40
		a := newArena(t, 1)
		x, y, src := a.view(m, k, 0, 0), a.view(m, n, 0, 0), a.view(k, n, 0, 0)
		w, mean, square, g := pack(a, ks, src, 0), pack(a, ks, src, 0), pack(a, ks, src, 0), pack(a, ks, src, 0)
		scratch, bias, weight := a.vec(ks.ScratchLen(k, n), 0), a.vec(n, 0), a.vec(m, 0)
		idx := make([]int32, m)
		csr := CSR[float32]{Off: make([]int32, m+1)}
		step := NewAdamStep[float32](1, 1e-3, 0, 0.9, 0.999, 1e-7)
		allocs := testing.AllocsPerRun(5, func() {
			ks.Gemm(y, x, w, Mode[float32]{Bias: bias, ReLU: true})
			ks.GemmT(x, y, w, false, scratch)
			ks.GemmGrad(g, x, y, false, scratch)
			ks.GradAdam(w, mean, square, x, y, step, scratch)
			ks.Adam(w.Data, mean.Data, square.Data, g.Data, step)
			ks.AddRows(y, true, bias, Rows[float32]{y, idx}, Rows[float32]{y, nil})
			ks.SegmentSum(y, csr, y, false)
			ks.ColSum(bias, y, weight, false)
			ks.Softmax(weight, weight, nil)
		})
		if allocs != 0 {
			t.Fatalf("%v allocations", allocs)
		}
	})
}

// TestReference64 is the float64 twin against sums in another order.
func TestReference64(t *testing.T) {
	ks := Reference[float64]()
	const m, k, n = 5, 9, 11
	data := make([]float64, m*k+k*n)
	for i := range data {
		data[i] = math.Sin(float64(i))
	}
	x, src := Dense(data[:m*k], m, k), Dense(data[m*k:], k, n)
	w := Panels[float64]{make([]float64, ks.PackedLen(k, n)), k, n}
	ks.Pack(w, src)
	c := Dense(make([]float64, m*n), m, n)
	ks.Gemm(c, x, w, Mode[float64]{})
	for i := range m {
		for j := range n {
			var sum float64
			for l := k - 1; l >= 0; l-- {
				sum += x.Row(i)[l] * src.Row(l)[j]
			}
			if math.Abs(sum-c.Row(i)[j]) > 1e-14 {
				t.Fatalf("(%d, %d) is %v, want %v", i, j, c.Row(i)[j], sum)
			}
		}
	}
}

func TestFMAPeak(t *testing.T) {
	paths(t, func(t *testing.T, ks *Kernels[float32]) {
		if p := ks.FMAPeak(); p < 1e7 || p > 1e13 || math.IsNaN(p) {
			t.Fatalf("peak %v", p)
		}
	})
}
