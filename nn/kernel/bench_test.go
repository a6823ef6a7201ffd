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

// median runs f as the benchmark's loop and is the median time of a call: on a
// shared machine, that of a call that was not interrupted.
func median(b *testing.B, f func()) time.Duration {
	var times []time.Duration
	for b.Loop() {
		start := time.Now()
		f()
		times = append(times, time.Since(start))
	}
	slices.Sort(times)
	return times[len(times)/2]
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
					t := median(b, func() {
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

// BenchmarkStep runs the matrix products of a training step in a step's order,
// each with its own weights: what the share of the peak is that the products
// reach in aggregate, and what a step takes with Adam. Times are sums of each
// call's median over the steps; the peak is the median of samples taken between
// them, under the same clock and neighbours.
func BenchmarkStep(b *testing.B) {
	impls(b, func(b *testing.B, ks *Kernels[float32]) {
		a := newArena(b, 1)
		var ps []*product
		var flops float64
		var n int
		for _, s := range stepProducts() {
			flops += 3 * 2 * float64(s[0]*s[1]*s[2])
			n += ks.PackedLen(s[1], s[2])
		}
		w, m, v := a.vec(n, 0), a.vec(n, 0), a.vec(n, 0)
		for i := range w {
			w[i], m[i], v[i] = 0.1*w[i], 0.001*m[i], 0.001*v[i]*v[i]
		}
		at := 0
		for _, s := range stepProducts() {
			size := ks.PackedLen(s[1], s[2])
			part := func(x []float32) []Panels[float32] { return []Panels[float32]{{x[at : at+size], s[1], s[2]}} }
			ps = append(ps, &product{x: a.view(s[0], s[1], 16, 0), y: a.view(s[0], s[2], 16, 0), w: part(w), m: part(m), v: part(v)})
			at += size
		}
		scratch := make([]float32, ks.ScratchLen(256, 768))
		gradient := make([]float32, ks.PackedLen(256, 768))
		step := NewAdamStep[float32](10, 1e-4, 1e-5, 0.9, 0.999, 1e-7)
		forward, back, grad, update := make([][]time.Duration, len(ps)), make([][]time.Duration, len(ps)), make([][]time.Duration, len(ps)), make([][]time.Duration, len(ps))
		var peaks []float64
		for b.Loop() {
			start := time.Now()
			peaks = append(peaks, ks.path.peak(20000)/time.Since(start).Seconds())
			for i, p := range ps {
				start := time.Now()
				ks.Gemm(p.y, p.x, p.w[0], Mode[float32]{})
				forward[i] = append(forward[i], time.Since(start))
			}
			for i, p := range slices.Backward(ps) {
				w := p.w[0]
				start := time.Now()
				ks.GemmT(p.x, p.y, w, false, scratch)
				back[i] = append(back[i], time.Since(start))
				start = time.Now()
				ks.GemmGrad(Panels[float32]{gradient[:len(w.Data)], w.K, w.N}, p.x, p.y, false, scratch)
				grad[i] = append(grad[i], time.Since(start))
				start = time.Now()
				ks.GradAdam(w, p.m[0], p.v[0], p.x, p.y, step, scratch)
				update[i] = append(update[i], time.Since(start))
			}
		}
		total := func(times [][]time.Duration) (sum float64) {
			for _, t := range times {
				slices.Sort(t)
				sum += t[len(t)/2].Seconds()
			}
			return sum
		}
		slices.Sort(peaks)
		peak, part := peaks[len(peaks)/2], flops/3
		f, t, g, u := total(forward), total(back), total(grad), total(update)
		b.ReportMetric(100*part/f/peak, "%peak-Gemm")
		b.ReportMetric(100*part/t/peak, "%peak-GemmT")
		b.ReportMetric(100*part/g/peak, "%peak-GemmGrad")
		b.ReportMetric(100*flops/(f+t+g)/peak, "%peak")
		b.ReportMetric(peak/1e9, "GFLOP/s-peak")
		b.ReportMetric((f+t+u)*1e3, "ms/step-with-Adam")
	})
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
				t := median(b, func() { ks.Adam(w, m, v, g, step) })
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
				t := median(b, c.f)
				b.ReportMetric(c.rows*4*m*n/t.Seconds()/1e9, "GB/s")
			})
		}
	})
}
