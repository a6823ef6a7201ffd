package searches

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"

	"polyid-trainer/jobs"
)

// propertyError is the errors of one property.
type propertyError struct {
	MAE      *float64 `json:"mae"`
	RMSE     *float64 `json:"rmse"`
	Baseline *float64 `json:"baseline_mae"`
}

// of is the objective of the errors of each property; NaN where it cannot be told.
func (o Objective) of(errs map[string]propertyError) float64 {
	metric := func(e propertyError) float64 {
		x := e.MAE
		if o.Metric == RMSE {
			x = e.RMSE
		}
		if x == nil {
			return math.NaN()
		}
		return *x
	}
	if o.Target != "" {
		return metric(errs[o.Target])
	}
	sum, n := 0.0, 0
	for _, name := range slices.Sorted(maps.Keys(errs)) { // sums depend on their order
		e := errs[name]
		x := metric(e)
		if math.IsNaN(x) || e.Baseline == nil || !(*e.Baseline > 0) {
			continue
		}
		sum += x / *e.Baseline
		n++
	}
	if n == 0 {
		return math.NaN()
	}
	return sum / float64(n)
}

// ofFolds is the objective of folds that have reached a rung or their end; NaN
// before.
func (o Objective) ofFolds(folds []*jobs.Fold) float64 {
	sums := map[string]jobs.TargetScore{}
	for _, f := range folds {
		if f.Score == nil {
			return math.NaN()
		}
		for _, t := range f.Score.Targets {
			s := sums[t.Target]
			s.Rows, s.Absolute, s.Squares, s.Baseline = s.Rows+t.Rows, s.Absolute+t.Absolute, s.Squares+t.Squares, s.Baseline+t.Baseline
			sums[t.Target] = s
		}
	}
	errs := map[string]propertyError{}
	for name, s := range sums {
		if s.Rows == 0 {
			continue
		}
		n := float64(s.Rows)
		mae, rmse, base := s.Absolute/n, math.Sqrt(s.Squares/n), s.Baseline/n
		errs[name] = propertyError{&mae, &rmse, &base}
	}
	return o.of(errs)
}

// metrics are what a finished job has measured.
type metrics struct {
	OutOfFold json.RawMessage `json:"out_of_fold"`
	Holdout   json.RawMessage `json:"holdout"`
}

func readMetrics(raw json.RawMessage) (m metrics, err error) {
	if err := json.Unmarshal(raw, &m); err != nil {
		return m, fmt.Errorf("read the metrics of a trial: %w", err)
	}
	return m, nil
}

// ofMetrics is the objective of metrics by property, as a finished job has them.
func (o Objective) ofMetrics(raw json.RawMessage) (float64, error) {
	var errs map[string]propertyError
	if err := json.Unmarshal(raw, &errs); err != nil {
		return math.NaN(), fmt.Errorf("read the metrics of a trial: %w", err)
	}
	return o.of(errs), nil
}
