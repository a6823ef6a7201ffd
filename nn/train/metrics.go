package train

import (
	"math"

	"polyid-trainer/nn"
)

// finite counts the measured values of a row.
func finite(target []float32) (n int) {
	for _, y := range target {
		if isFinite(y) {
			n++
		}
	}
	return n
}

func isFinite(y float32) bool { return !math.IsNaN(float64(y)) && !math.IsInf(float64(y), 0) }

// measured returns the examples with a finite target, and the largest magnitude
// of one. It shares examples where it can.
func measured(examples []nn.Example) (kept []nn.Example, largest float64) {
	for i, x := range examples {
		if finite(x.Target) == 0 {
			if kept == nil {
				kept = append(kept, examples[:i]...)
				if kept == nil {
					kept = []nn.Example{}
				}
			}
			continue
		}
		if kept != nil {
			kept = append(kept, x)
		}
		for _, y := range x.Target {
			if isFinite(y) {
				largest = max(largest, math.Abs(float64(y)))
			}
		}
	}
	if kept == nil {
		kept = examples
	}
	return kept, largest
}

// scores is the outcome of a validation pass.
type scores struct {
	loss float64   // mean of the rows' masked MAE
	mae  []Measure // per target, scaled
}

// score compares the last run of v with its examples' targets. A row whose loss
// is lost ends it with the row's index and loss.
func (v *evaluator) score(limit float64) (s scores, at int, rowLoss float64) {
	sum := make([]float64, v.targets)
	n := make([]int, v.targets)
	for i := range v.examples {
		row, count := 0.0, 0
		p := v.row(i)
		for t, y := range v.examples[i].Target {
			if !isFinite(y) {
				continue
			}
			d := math.Abs(float64(p[t]) - float64(y))
			row, count = row+d, count+1
			sum[t], n[t] = sum[t]+d, n[t]+1
		}
		row /= float64(count)
		if lost(row, limit) {
			return s, i, row
		}
		s.loss += row
	}
	s.loss /= float64(len(v.examples))
	s.mae = make([]Measure, v.targets)
	for t := range s.mae {
		s.mae[t] = Measure(sum[t] / float64(n[t])) // 0/0 is NaN: missing
	}
	return s, -1, 0
}

// inUnits takes scaled errors to the targets' own units.
func inUnits(mae []Measure, scale []float64) []Measure {
	out := make([]Measure, len(mae))
	for t := range out {
		out[t] = mae[t] * Measure(scale[t])
	}
	return out
}
