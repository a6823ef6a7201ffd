package enginetest

import (
	"math"

	"polyid-trainer/nn"
)

// matrix is a row-major matrix with its gradient.
type matrix struct {
	rows, cols int
	v, d       []float64
}

func newMatrix(rows, cols int) *matrix {
	return &matrix{rows, cols, make([]float64, rows*cols), make([]float64, rows*cols)}
}

// A tape differentiates by recording, for each operation, how to undo it. It
// is the plainest reverse mode there is: slow, and easy to believe.
type tape []func()

// gradients runs the tape backwards.
func (t tape) gradients() {
	for i := len(t) - 1; i >= 0; i-- {
		t[i]()
	}
}

func (t *tape) undo(f func()) { *t = append(*t, f) }

// dense is y = x·Kernel + Bias; g receives the gradients of w.
func (t *tape) dense(x *matrix, w, g nn.Dense[float64]) *matrix {
	in, out := x.cols, len(w.Bias)
	y := newMatrix(x.rows, out)
	for r := range x.rows {
		row := y.v[r*out : (r+1)*out]
		copy(row, w.Bias)
		for k := range in {
			xk := x.v[r*in+k]
			for c, wkc := range w.Kernel[k*out : (k+1)*out] {
				row[c] += xk * wkc
			}
		}
	}
	t.undo(func() {
		for r := range x.rows {
			dy := y.d[r*out : (r+1)*out]
			for c, d := range dy {
				g.Bias[c] += d
			}
			for k := range in {
				xk, dx := x.v[r*in+k], 0.0
				gk := g.Kernel[k*out : (k+1)*out]
				for c, wkc := range w.Kernel[k*out : (k+1)*out] {
					gk[c] += xk * dy[c]
					dx += wkc * dy[c]
				}
				x.d[r*in+k] += dx
			}
		}
	})
	return y
}

func (t *tape) relu(x *matrix) *matrix {
	y := newMatrix(x.rows, x.cols)
	for i, v := range x.v {
		y.v[i] = max(v, 0)
	}
	t.undo(func() {
		for i, v := range x.v {
			if v > 0 {
				x.d[i] += y.d[i]
			}
		}
	})
	return y
}

func (t *tape) add(a, b *matrix) *matrix {
	y := newMatrix(a.rows, a.cols)
	for i := range y.v {
		y.v[i] = a.v[i] + b.v[i]
	}
	t.undo(func() {
		for i, d := range y.d {
			a.d[i] += d
			b.d[i] += d
		}
	})
	return y
}

// gather is y[i] = x[index[i]].
func (t *tape) gather(x *matrix, index []int32) *matrix {
	n := x.cols
	y := newMatrix(len(index), n)
	for i, r := range index {
		copy(y.v[i*n:(i+1)*n], x.v[int(r)*n:])
	}
	t.undo(func() {
		for i, r := range index {
			for c := range n {
				x.d[int(r)*n+c] += y.d[i*n+c]
			}
		}
	})
	return y
}

// segmentSum is y[r] = Σ x[i] over the i with index[i] = r.
func (t *tape) segmentSum(x *matrix, index []int32, rows int) *matrix {
	n := x.cols
	y := newMatrix(rows, n)
	for i, r := range index {
		for c := range n {
			y.v[int(r)*n+c] += x.v[i*n+c]
		}
	}
	t.undo(func() {
		for i, r := range index {
			for c := range n {
				x.d[i*n+c] += y.d[int(r)*n+c]
			}
		}
	})
	return y
}

// concat puts matrices of as many rows side by side.
func (t *tape) concat(xs ...*matrix) *matrix {
	cols := 0
	for _, x := range xs {
		cols += x.cols
	}
	y := newMatrix(xs[0].rows, cols)
	each := func(f func(x *matrix, from, at int)) {
		for r := range y.rows {
			at := r * cols
			for _, x := range xs {
				f(x, r*x.cols, at)
				at += x.cols
			}
		}
	}
	each(func(x *matrix, from, at int) { copy(y.v[at:at+x.cols], x.v[from:]) })
	t.undo(func() {
		each(func(x *matrix, from, at int) {
			for c := range x.cols {
				x.d[from+c] += y.d[at+c]
			}
		})
	})
	return y
}

// stack puts a on top of b.
func (t *tape) stack(a, b *matrix) *matrix {
	y := newMatrix(a.rows+b.rows, a.cols)
	copy(y.v, a.v)
	copy(y.v[len(a.v):], b.v)
	t.undo(func() {
		for i := range a.d {
			a.d[i] += y.d[i]
		}
		for i := range b.d {
			b.d[i] += y.d[len(a.d)+i]
		}
	})
	return y
}

// attend is softmax(q)ᵀ·x, for q a column of as many rows as x.
func (t *tape) attend(q, x *matrix) *matrix {
	p := make([]float64, q.rows)
	top, sum := math.Inf(-1), 0.0
	for _, v := range q.v {
		top = max(top, v)
	}
	for i, v := range q.v {
		p[i] = math.Exp(v - top)
		sum += p[i]
	}
	y := newMatrix(1, x.cols)
	for i := range p {
		p[i] /= sum
		for c := range x.cols {
			y.v[c] += p[i] * x.v[i*x.cols+c]
		}
	}
	t.undo(func() {
		dp, mean := make([]float64, len(p)), 0.0
		for i := range p {
			for c, d := range y.d {
				dp[i] += d * x.v[i*x.cols+c]
				x.d[i*x.cols+c] += p[i] * d
			}
			mean += p[i] * dp[i]
		}
		for i := range p {
			q.d[i] += p[i] * (dp[i] - mean)
		}
	})
	return y
}

// mean is the mean of x's rows, each element first multiplied by keep (nil:
// one).
func (t *tape) mean(x *matrix, keep []float64) *matrix {
	y := newMatrix(1, x.cols)
	factor := func(i int) float64 {
		if keep == nil {
			return 1 / float64(x.rows)
		}
		return keep[i] / float64(x.rows)
	}
	for i, v := range x.v {
		y.v[i%x.cols] += v * factor(i)
	}
	t.undo(func() {
		for i := range x.d {
			x.d[i] += y.d[i%x.cols] * factor(i)
		}
	})
	return y
}
