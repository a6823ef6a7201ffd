package kernel

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// each path, as impl=.
func impls(b *testing.B, f func(b *testing.B, ks *Kernels[float32])) {
	for _, name := range Available() {
		ks, err := For(name)
		if err != nil {
			b.Fatal(err)
		}
		b.Run("impl="+name, func(b *testing.B) { f(b, ks) })
	}
}

// decile is the time below which a tenth of the calls stay: on a shared machine,
// that of a call that neighbours left alone.
func decile(times []time.Duration) time.Duration {
	slices.Sort(times)
	return times[len(times)/10]
}

// timed runs f as the benchmark's loop and is the decile of its calls.
func timed(b *testing.B, f func()) time.Duration {
	var times []time.Duration
	for b.Loop() {
		start := time.Now()
		f()
		times = append(times, time.Since(start))
	}
	return decile(times)
}

// The model's matrix products, rows × summed × columns of the forward one, at
// the mean polymer's row counts over the layers.
var modelShapes = [][3]int{
	{15, 128, 256}, {30, 128, 256}, {56, 128, 256}, {93, 128, 256}, {147, 128, 256},
	{15, 256, 128}, {30, 256, 128}, {56, 256, 128}, {93, 256, 128}, {147, 256, 128},
	{15, 128, 768}, {36, 128, 768}, {75, 128, 768}, {93, 136, 264},
}

type product struct {
	x, y    View[float32]
	w, m, v []Panels[float32] // as many matrices as exceed the caches
	scratch []float32
}

// newProduct makes operands; cold makes 32 MB of weights, used in turn.
func newProduct(b *testing.B, ks *Kernels[float32], m, k, n int, cold bool) *product {
	a := newArena(b, 1)
	p := &product{x: a.view(m, k, 16, 0), y: a.view(m, n, 16, 0), scratch: make([]float32, ks.ScratchLen(k, n))}
	count := 1
	if cold {
		count = 32 << 20 / (4 * k * n)
	}
	size := ks.PackedLen(k, n)
	slab := func() (w []Panels[float32]) {
		data := make([]float32, size*count)
		for i := range data {
			data[i] = a.rand.Float32() * 0.1
		}
		for i := range count {
			w = append(w, Panels[float32]{data[i*size : (i+1)*size], k, n})
		}
		return w
	}
	p.w, p.m, p.v = slab(), slab(), slab()
	return p
}

func benchProduct(b *testing.B, f func(ks *Kernels[float32], p *product, i int)) {
	impls(b, func(b *testing.B, ks *Kernels[float32]) {
		for _, s := range modelShapes {
			for _, cold := range []bool{false, true} {
				memory := "hot"
				if cold {
					memory = "cold"
				}
				b.Run(fmt.Sprintf("weights=%s/m=%d/k=%d/n=%d", memory, s[0], s[1], s[2]), func(b *testing.B) {
					p := newProduct(b, ks, s[0], s[1], s[2], cold)
					i := 0
					t := timed(b, func() {
						f(ks, p, i%len(p.w))
						i++
					})
					rate := 2 * float64(s[0]*s[1]*s[2]) / t.Seconds()
					b.ReportMetric(rate/1e9, "GFLOP/s")
					b.ReportMetric(100*rate/ks.FMAPeak(), "%peak")
				})
			}
		}
	})
}

func BenchmarkGemm(b *testing.B) {
	benchProduct(b, func(ks *Kernels[float32], p *product, i int) {
		ks.Gemm(p.y, p.x, p.w[i], Mode[float32]{})
	})
}

func BenchmarkGemmT(b *testing.B) {
	benchProduct(b, func(ks *Kernels[float32], p *product, i int) {
		ks.GemmT(p.x, p.y, p.w[i], false, p.scratch)
	})
}

func BenchmarkGemmGrad(b *testing.B) {
	benchProduct(b, func(ks *Kernels[float32], p *product, i int) {
		ks.GemmGrad(p.m[i], p.x, p.y, false, p.scratch)
	})
}

func BenchmarkGradAdam(b *testing.B) {
	step := NewAdamStep[float32](10, 1e-3, 1e-5, 0.9, 0.999, 1e-7)
	benchProduct(b, func(ks *Kernels[float32], p *product, i int) {
		ks.GradAdam(p.w[i], p.m[i], p.v[i], p.x, p.y, step, p.scratch)
	})
}

// BenchmarkGradThenAdam is what GradAdam replaces.
func BenchmarkGradThenAdam(b *testing.B) {
	step := NewAdamStep[float32](10, 1e-3, 1e-5, 0.9, 0.999, 1e-7)
	var g []float32
	benchProduct(b, func(ks *Kernels[float32], p *product, i int) {
		w := p.w[i]
		if len(g) < len(w.Data) {
			g = make([]float32, len(w.Data))
		}
		dw := Panels[float32]{g[:len(w.Data)], w.K, w.N}
		ks.GemmGrad(dw, p.x, p.y, false, p.scratch)
		ks.Adam(w.Data, p.m[i].Data, p.v[i].Data, dw.Data, step)
	})
}

func BenchmarkFMAPeak(b *testing.B) {
	impls(b, func(b *testing.B, ks *Kernels[float32]) {
		var flops float64
		for b.Loop() {
			flops += ks.path.peak(20000)
		}
		b.ReportMetric(flops/b.Elapsed().Seconds()/1e9, "GFLOP/s")
		b.ReportMetric(ks.FMAPeak()/1e9, "best-GFLOP/s")
	})
}

// stepProducts is the matrix products of one step of the default job on the mean
// polymer: for each block, rows × summed × columns of each weight's forward one.
// Rows are the mean classes of atoms and bonds per layer.
func stepProducts() [][3]int {
	atoms := []int{6, 12, 17, 24, 30, 36, 41, 48, 54, 61, 68, 75}
	bonds := []int{7, 15, 30, 43, 56, 68, 79, 93, 105, 119, 133, 147, 161}
	var s [][3]int
	for j, a := range atoms {
		s = append(s,
			[3]int{bonds[j], 128, 256},   // the bond's own part of the edge update
			[3]int{a, 128, 768},          // its atoms' parts, and the message's
			[3]int{bonds[j+1], 256, 128}) // edge update, second layer
		if j == len(atoms)-1 {
			break
		}
		s = append(s,
			[3]int{bonds[j+1], 128, 256}, // the bond's part of the message
			[3]int{a, 256, 128},          // message, second layer, after the sum
			[3]int{a, 128, 256}, [3]int{a, 256, 128})
	}
	return s
}

// BenchmarkStep runs the matrix products of a training step in a step's order:
// what share of the peak they reach in aggregate, and what a step takes with
// Adam. weights=hot gives all of them the same weights, weights=own each its own,
// as a step has them: some 50 MB with the moments, most of it fetched from memory.
// Times are sums of each call's fastest decile, and so is the peak they are held
// to.
func BenchmarkStep(b *testing.B) {
	impls(b, func(b *testing.B, ks *Kernels[float32]) {
		for _, memory := range []string{"hot", "own"} {
			b.Run("weights="+memory, func(b *testing.B) { benchStep(b, ks, memory == "own") })
		}
	})
}

func benchStep(b *testing.B, ks *Kernels[float32], own bool) {
	var flops float64
	var n, at int
	products := stepProducts()
	for _, s := range products {
		flops += 2 * float64(s[0]*s[1]*s[2])
		n += ks.PackedLen(s[1], s[2])
	}
	a := newArena(b, 1)
	w, m, v := a.vec(n, 0), a.vec(n, 0), a.vec(n, 0)
	for i := range w {
		w[i], m[i], v[i] = 0.1*w[i], 0.001*m[i], 0.001*v[i]*v[i]
	}
	xs, ys := a.view(161, 256, 16, 0), a.view(161, 768, 16, 0) // fresh from the product before: hot
	var ps []*product
	for _, s := range products {
		size := ks.PackedLen(s[1], s[2])
		part := func(x []float32) []Panels[float32] { return []Panels[float32]{{x[at : at+size], s[1], s[2]}} }
		x := View[float32]{xs.Data, s[0], s[1], s[1] + 16}
		y := View[float32]{ys.Data, s[0], s[2], s[2] + 16}
		ps = append(ps, &product{x: x, y: y, w: part(w), m: part(m), v: part(v)})
		if own {
			at += size
		}
	}
	scratch := make([]float32, ks.ScratchLen(256, 768))
	gradient := make([]float32, ks.PackedLen(256, 768))
	step := NewAdamStep[float32](10, 1e-4, 1e-5, 0.9, 0.999, 1e-7)

	const forward, back, grad, update = 0, 1, 2, 3
	var times [4][][]time.Duration
	for kind := range times {
		times[kind] = make([][]time.Duration, len(ps))
	}
	clock := func(kind, i int, f func()) {
		start := time.Now()
		f()
		times[kind][i] = append(times[kind][i], time.Since(start))
	}
	var peaks []time.Duration
	var perRun float64
	for b.Loop() {
		start := time.Now()
		perRun = ks.path.peak(20000)
		peaks = append(peaks, time.Since(start))
		for i, p := range ps {
			clock(forward, i, func() { ks.Gemm(p.y, p.x, p.w[0], Mode[float32]{}) })
		}
		for i, p := range slices.Backward(ps) {
			w := p.w[0]
			g := Panels[float32]{gradient[:len(w.Data)], w.K, w.N}
			clock(back, i, func() { ks.GemmT(p.x, p.y, w, false, scratch) })
			clock(grad, i, func() { ks.GemmGrad(g, p.x, p.y, false, scratch) })
			clock(update, i, func() { ks.GradAdam(w, p.m[0], p.v[0], p.x, p.y, step, scratch) })
		}
	}
	total := func(kind int) (sum float64) {
		for _, t := range times[kind] {
			sum += decile(t).Seconds()
		}
		return sum
	}
	peak := perRun / decile(peaks).Seconds()
	f, t, g, u := total(forward), total(back), total(grad), total(update)
	b.ReportMetric(100*flops/f/peak, "%peak-Gemm")
	b.ReportMetric(100*flops/t/peak, "%peak-GemmT")
	b.ReportMetric(100*flops/g/peak, "%peak-GemmGrad")
	b.ReportMetric(100*3*flops/(f+t+g)/peak, "%peak")
	b.ReportMetric(peak/1e9, "GFLOP/s-peak")
	b.ReportMetric((f+t+u)*1e3, "ms/step-with-Adam")
}

func BenchmarkAdam(b *testing.B) {
	step := NewAdamStep[float32](10, 1e-3, 1e-5, 0.9, 0.999, 1e-7)
	impls(b, func(b *testing.B, ks *Kernels[float32]) {
		for _, n := range []int{2048, 32768, 4361359} {
			b.Run(fmt.Sprintf("n=%d", n), func(b *testing.B) {
				a := newArena(b, 1)
				w, m, v, g := a.vec(n, 0), a.vec(n, 0), a.vec(n, 0), a.vec(n, 0)
				for i, x := range v {
					v[i] = x * x
				}
				t := timed(b, func() { ks.Adam(w, m, v, g, step) })
				b.ReportMetric(28*float64(n)/t.Seconds()/1e9, "GB/s") // four read, three written
			})
		}
	})
}

func BenchmarkRows(b *testing.B) {
	impls(b, func(b *testing.B, ks *Kernels[float32]) {
		const m, n = 93, 256
		a := newArena(b, 1)
		h, p, q, s, bias := a.view(m, n, 16, 0), a.view(48, n, 16, 0), a.view(48, n, 16, 0), a.view(m, n, 16, 0), a.vec(n, 0)
		pi, qi := make([]int32, m), make([]int32, m)
		csr := CSR[float32]{Off: []int32{0}, Cnt: make([]float32, 2*m), Col: make([]int32, 2*m)}
		for i := range m {
			pi[i], qi[i] = int32(a.rand.IntN(48)), int32(a.rand.IntN(48))
			csr.Off = append(csr.Off, int32(2*i+2))
			csr.Col[2*i], csr.Col[2*i+1] = pi[i], qi[i]
			csr.Cnt[2*i], csr.Cnt[2*i+1] = 1, 2
		}
		for _, c := range []struct {
			name string
			rows float64 // read and written
			f    func()
		}{
			{"AddRows", 5, func() {
				ks.AddRows(h, true, bias, Rows[float32]{p, pi}, Rows[float32]{q, qi}, Rows[float32]{s, nil})
			}},
			{"MaskReLU", 3, func() { ks.MaskReLU(h, s) }},
			{"SegmentSum", 5, func() { ks.SegmentSum(h, csr, p, false) }},
			{"ColSum", 1, func() { ks.ColSum(bias, h, nil, false) }},
			{"RowDots", 1, func() { ks.RowDots(h.Data[:m], s, bias) }},
		} {
			b.Run(fmt.Sprintf("op=%s/m=%d/n=%d", c.name, m, n), func(b *testing.B) {
				t := timed(b, c.f)
				b.ReportMetric(c.rows*4*m*n/t.Seconds()/1e9, "GB/s")
			})
		}
	})
}
