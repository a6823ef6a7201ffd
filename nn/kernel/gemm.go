package kernel

// Mode says what Gemm does with the destination: by default it is overwritten.
type Mode[T Float] struct {
	Add  bool // c's old values are added
	Bias []T  // [N] added to each row; not together with Add
	ReLU bool // max(0, ·) of the sum; NaN stays NaN
}

// depth bounds the summed index of one pass over a panel, so that the panel, or
// the panel's worth of activations, stays in the L1 cache.
const depth = 256

// ScratchLen is the scratch, in elements, that GemmT, GemmGrad and GradAdam need
// for weights of up to k×n. It grows with k and n and does not depend on the
// number of rows.
func (ks *Kernels[T]) ScratchLen(k, n int) int {
	// One transposed block or one panel of activations, then one panel of
	// gradient.
	return (depth + k) * ks.PanelWidth()
}

// Gemm multiplies activations by weights:
//
//	c[i, j] = relu(Σ_k a[i, k]·w[k, j] + (c[i, j] | bias[j] | 0))
//
// with the sum in ascending k. c must not overlap a.
func (ks *Kernels[T]) Gemm(c, a View[T], w Panels[T], mode Mode[T]) {
	c.check()
	a.check()
	w.check(ks.PanelWidth())
	if a.Rows != c.Rows || a.Cols != w.K || c.Cols != w.N {
		panic(badShape)
	}
	if mode.Bias != nil {
		if mode.Add {
			panic(badMode)
		}
		if len(mode.Bias) != w.N {
			panic(badLength)
		}
	}
	if c.Rows > 0 && w.N > 0 {
		ks.path.gemm(c, a, w, mode)
	}
}

// GemmT multiplies gradients by the transposed weights:
//
//	dx[i, k] = Σ_j dy[i, j]·w[k, j] + (dx[i, k] if add)
//
// with the sum in ascending j. dx must not overlap dy; scratch holds
// ScratchLen(w.K, w.N) elements.
func (ks *Kernels[T]) GemmT(dx, dy View[T], w Panels[T], add bool, scratch []T) {
	dx.check()
	dy.check()
	w.check(ks.PanelWidth())
	if dx.Rows != dy.Rows || dx.Cols != w.K || dy.Cols != w.N {
		panic(badShape)
	}
	if len(scratch) < ks.ScratchLen(w.K, w.N) {
		panic(badScratch)
	}
	if dx.Rows > 0 && w.K > 0 {
		ks.path.gemmT(dx, dy, w, add, scratch)
	}
}

// GemmGrad is the gradient of Gemm's weights, in panels:
//
//	dw[k, j] = Σ_i x[i, k]·dy[i, j] + (dw[k, j] if add)
//
// with the sum in ascending i. scratch holds ScratchLen(dw.K, dw.N) elements.
func (ks *Kernels[T]) GemmGrad(dw Panels[T], x, dy View[T], add bool, scratch []T) {
	ks.checkGrad(dw, x, dy, scratch)
	if dw.K > 0 && dw.N > 0 {
		ks.path.gemmGrad(dw, x, dy, add, scratch)
	}
}

// GradAdam is GemmGrad followed by Adam on the gradient, panel by panel, so that
// the gradient never leaves the cache and the weights and moments are fetched
// from memory while the gradient is computed:
//
//	g[k, j] = Σ_i x[i, k]·dy[i, j]
//	w, m, v = Adam(w, m, v, g)
//
// with the bits of the two calls. scratch holds ScratchLen(w.K, w.N) elements.
func (ks *Kernels[T]) GradAdam(w, m, v Panels[T], x, dy View[T], s AdamStep[T], scratch []T) {
	ks.checkGrad(w, x, dy, scratch)
	if m.K != w.K || m.N != w.N || v.K != w.K || v.N != w.N {
		panic(badShape)
	}
	if len(m.Data) != len(w.Data) || len(v.Data) != len(w.Data) {
		panic(badPanels)
	}
	if w.K > 0 && w.N > 0 {
		ks.path.gradAdam(w, m, v, x, dy, s, scratch)
	}
}

func (ks *Kernels[T]) checkGrad(w Panels[T], x, dy View[T], scratch []T) {
	w.check(ks.PanelWidth())
	x.check()
	dy.check()
	if x.Rows != dy.Rows || x.Cols != w.K || dy.Cols != w.N {
		panic(badShape)
	}
	if len(scratch) < ks.ScratchLen(w.K, w.N) {
		panic(badScratch)
	}
}
