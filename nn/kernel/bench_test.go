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
