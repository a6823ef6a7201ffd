package data

import (
	"fmt"
	"math"
	"slices"
)

// Scaler is scikit-learn's RobustScaler: a value less its target's median, over
// the distance between the quartiles. Fitted on the same values it agrees with
// scikit-learn to the last bit.
type Scaler struct {
	Center []float64 `json:"center"` // median, one per target
	Scale  []float64 `json:"scale"`  // interquartile range, one per target; 1 where that is 0
}

// FitScaler fits one target per column of y, which is [rows × targets] row by
// row, on the given rows; NaN is unmeasured. Fit on training rows only. A target
// without values there is an error. The cost is a sort of each target.
func FitScaler(y []float64, targets int, rows []int) (Scaler, error) {
	s := Scaler{Center: make([]float64, targets), Scale: make([]float64, targets)}
	values := make([]float64, 0, len(rows))
	for t := range targets {
		values = values[:0]
		for _, r := range rows {
			if v := y[r*targets+t]; !math.IsNaN(v) {
				values = append(values, v)
			}
		}
		if len(values) == 0 {
			return Scaler{}, fmt.Errorf("fit scaler: target %d has no value in the %d training rows", t, len(rows))
		}
		slices.Sort(values)
		s.Center[t] = median(values)
		s.Scale[t] = quantile(values, 0.75) - quantile(values, 0.25)
		// scikit-learn takes what rounding leaves of a constant for 0.
		const epsilon = 0x1p-52
		if s.Scale[t] < 10*epsilon {
			s.Scale[t] = 1
		}
	}
	return s, nil
}

// FitScaler fits the table's targets on the given rows.
func (t *Table) FitScaler(rows []int) (Scaler, error) {
	return FitScaler(t.Y, len(t.Targets), rows)
}

// Transform scales values laid out [rows × targets]; NaN stays NaN.
func (s Scaler) Transform(y []float64) []float64 {
	out := make([]float64, len(y))
	for i, v := range y {
		t := i % len(s.Center)
		out[i] = (v - s.Center[t]) / s.Scale[t]
	}
	return out
}

// Inverse gives scaled values, laid out [rows × targets], their units back.
func (s Scaler) Inverse(y []float64) []float64 {
	out := make([]float64, len(y))
	for i, v := range y {
		t := i % len(s.Center)
		out[i] = float64(v*s.Scale[t]) + s.Center[t] // the conversion forbids a fused multiply-add
	}
	return out
}

// median of sorted values.
func median(sorted []float64) float64 {
	n := len(sorted)
	if n%2 == 1 {
		return sorted[n/2]
	}
	return (sorted[n/2-1] + sorted[n/2]) / 2
}

// quantile of sorted values by numpy's default, linear interpolation, from the
// nearer neighbour as numpy does.
func quantile(sorted []float64, q float64) float64 {
	at := float64(len(sorted)-1) * q
	i := int(at)
	if i == len(sorted)-1 {
		return sorted[i]
	}
	a, b, t := sorted[i], sorted[i+1], at-math.Floor(at)
	if t >= 0.5 {
		return b - float64((b-a)*(1-t))
	}
	return a + float64((b-a)*t)
}
