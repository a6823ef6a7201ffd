package train

import (
	"math"
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
// of one. Those to learn from may have a bound in place of it, and must weigh
// something.
func measured(examples Set, learn bool) (of Set, largest float64) {
	var at []int32
	for i := range examples.Len() {
		_, target := examples.Label(i)
		known := finite(target) > 0
		if learn {
			known = (known || len(boundsOf(examples, i)) > 0) && weightOf(examples, i) > 0
		}
		if !known {
			continue
		}
		at = append(at, int32(i))
		for _, y := range target {
			if isFinite(y) {
				largest = max(largest, math.Abs(float64(y)))
			}
		}
	}
	if len(at) == examples.Len() {
		return examples, largest
	}
	return part{examples, at}, largest
}

// scores is the outcome of a validation pass.
type scores struct {
	loss float64   // weighted mean of the rows' masked MAE
	mae  []Measure // per target, scaled
}

// score compares the last run of v with its examples' targets. A row whose loss
// is lost ends it with the row's index and loss.
func (v *evaluator) score(limit float64) (s scores, at int, rowLoss float64) {
	sum := make([]float64, v.targets)
	n := make([]int, v.targets)
	weights := 0.0
	for i := range v.examples.Len() {
		row, count := 0.0, 0
		p := v.row(i)
		_, target := v.examples.Label(i)
		for t, y := range target {
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
		w := v.weight(i)
		s.loss, weights = s.loss+w*row, weights+w
	}
	s.loss /= weights
	s.mae = make([]Measure, v.targets)
	for t := range s.mae {
		s.mae[t] = Measure(sum[t] / float64(n[t])) // 0/0 is NaN: missing
	}
	return s, -1, 0
}

// missing is the errors of an epoch without a validation.
func missing(targets int) []Measure {
	out := make([]Measure, targets)
	for t := range out {
		out[t] = Measure(math.NaN())
	}
	return out
}

// inUnits takes scaled errors to the targets' own units.
func inUnits(mae []Measure, scale []float64) []Measure {
	out := make([]Measure, len(mae))
	for t := range out {
		out[t] = mae[t] * Measure(scale[t])
	}
	return out
}
