package stack

import (
	"math"
	"slices"

	"polyid-trainer/nn/sparse"
)

// linear is a ridge regression on the scaled features.
type linear struct {
	scaling   scaling
	intercept float64
	slope     []float32 // by column
}

// penalties are the strengths of the ridge that are tried, per row.
var penalties = []float64{1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3, 1}

// boundRounds is how often a linear fit asks which bounds it breaks.
const boundRounds = 3

// fitLinear fits to the rows that fold does not validate, with the penalty that
// predicts a fifth of them best of a fit to the rest. Bounds that a fit breaks are
// values of the next one.
func fitLinear(s *Space, x *sparse.Matrix, t *target, fold int) *linear {
	rows := t.outside(t.measured, fold)
	l := &linear{scaling: newScaling(s, x, rows)}
	z := l.scaling.matrix(x)
	fitted, held := t.holdOut(rows)
	best, penalty := math.Inf(1), penalties[len(penalties)-1]
	for _, p := range penalties {
		l.solve(z, t, fitted, p)
		e := 0.0
		for _, r := range held {
			e += t.weightOf(r) * math.Abs(l.of(z.Row(r))-t.value[r])
		}
		if e < best {
			best, penalty = e, p
		}
	}
	l.solve(z, t, rows, penalty)
	bounds := t.outside(t.bounds(), fold)
	for range boundRounds {
		fit := slices.Clone(rows)
		for _, r := range bounds {
			if !t.met(r, l.of(z.Row(r))) {
				fit = append(fit, r)
			}
		}
		if len(fit) == len(rows) {
			break
		}
		l.solve(z, t, fit, penalty)
	}
	return l
}

func (l *linear) of(index []int32, value []float32) float64 {
	y := l.intercept
	for k, c := range index {
		y += float64(l.slope[c]) * float64(value[k])
	}
	return y
}

// predict is the prediction of a row of features; it scales row in place.
func (l *linear) predict(row []float32) float64 {
	l.scaling.apply(row)
	y := l.intercept
	for c, v := range row {
		y += float64(l.slope[c]) * float64(v)
	}
	return y
}

// solve finds intercept and slopes by conjugate gradients (Hestenes and Stiefel,
// J. Res. Natl. Bur. Stand. 1952, 49, 409) on the normal equations of the values
// less their mean.
func (l *linear) solve(z *sparse.Matrix, t *target, rows []int, penalty float64) {
	const steps = 80
	var mean, weight float64
	for _, r := range rows {
		w := t.weightOf(r)
		mean, weight = mean+w*t.value[r], weight+w
	}
	if weight == 0 {
		l.intercept, l.slope = 0, make([]float32, z.Cols)
		return
	}
	mean /= weight
	ridge := penalty * weight
	b := make([]float64, z.Cols+1) // slopes, then the intercept's correction
	residual, q := make([]float64, z.Cols+1), make([]float64, z.Cols+1)
	scatter := func(dst []float64, r int, w float64) {
		index, value := z.Row(r)
		for k, c := range index {
			dst[c] += w * float64(value[k])
		}
		dst[z.Cols] += w
	}
	gather := func(src []float64, r int) float64 {
		index, value := z.Row(r)
		y := src[z.Cols]
		for k, c := range index {
			y += src[c] * float64(value[k])
		}
		return y
	}
	for _, r := range rows {
		scatter(residual, r, t.weightOf(r)*(t.value[r]-mean))
	}
	p := append([]float64(nil), residual...)
	norm := dot(residual, residual)
	if start := norm; start > 0 {
		for range steps {
			clear(q)
			for _, r := range rows {
				scatter(q, r, t.weightOf(r)*gather(p, r))
			}
			for c := range z.Cols {
				q[c] += ridge * p[c]
			}
			step := norm / max(dot(p, q), math.SmallestNonzeroFloat64)
			for c := range b {
				b[c] += step * p[c]
				residual[c] -= step * q[c]
			}
			next := dot(residual, residual)
			if next <= 1e-12*start {
				break
			}
			for c := range p {
				p[c] = residual[c] + next/norm*p[c]
			}
			norm = next
		}
	}
	l.intercept, l.slope = mean+b[z.Cols], make([]float32, z.Cols)
	for c := range l.slope {
		l.slope[c] = float32(b[c])
	}
}

func dot(a, b []float64) (s float64) {
	for i := range a {
		s += a[i] * b[i]
	}
	return s
}
