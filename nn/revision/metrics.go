package revision

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"
	"slices"

	"polyid-trainer/data"
	"polyid-trainer/nn/checkpoint"
	"polyid-trainer/nn/stack"
	"polyid-trainer/nn/train"
)

// Metrics is metrics.json, and a training job's "metrics".
type Metrics struct {
	// OutOfFold scores every row by the model that did not see it.
	OutOfFold Scores `json:"out_of_fold"`
	// Holdout scores the whole ensemble on rows that no fold saw; nil without any.
	Holdout Scores `json:"holdout"`
	// HoldoutID is equal for equal hold-out rows with equal measurements, and
	// only then may two revisions' Holdout be compared.
	HoldoutID string        `json:"holdout_id,omitempty"`
	Folds     []FoldMetrics `json:"folds"`
}

// Scores are the scores of each target, by name.
type Scores map[string]Score

// Score says how far predictions of one target were off, in its own units.
type Score struct {
	MAE      train.Measure `json:"mae"`
	RMSE     train.Measure `json:"rmse"`
	R2       train.Measure `json:"r2"`           // null where all values are equal
	Rows     int           `json:"n_rows"`       // measured
	Polymers int           `json:"n_polymers"`   // groups those belong to
	Baseline train.Measure `json:"baseline_mae"` // of always answering the training rows' median
	Units    string        `json:"units"`
	// Intervals says how intervals did on hold-out rows; nil of others, which are what
	// intervals were made from.
	Intervals *IntervalScore `json:"-"` // see MarshalJSON
	// Members are the scores of what a stack blends, each by itself.
	Members map[stack.Member]MemberScore `json:"members,omitempty"`
}

// MemberScore says how far a stack's member was off by itself.
type MemberScore struct {
	MAE  train.Measure `json:"mae"`
	RMSE train.Measure `json:"rmse"`
}

// FoldMetrics are one fold's own.
type FoldMetrics struct {
	Index       int           `json:"index"`
	Train       int           `json:"train_rows"`
	Validate    int           `json:"validate_rows"`
	Epochs      int           `json:"epochs"`
	BestEpoch   int           `json:"best_epoch"` // whose weights are published
	BestValLoss train.Measure `json:"best_val_loss"`
	OutOfFold   Scores        `json:"out_of_fold"`
}

// Measure scores predictions of table, which was divided into folds; level is what
// their intervals aim at. Epochs and
// losses of the folds are the caller's to add.
func Measure(table *data.Table, folds data.Folds, ps []Prediction, level float64) Metrics {
	targets := make([]checkpoint.Target, len(table.Targets))
	for i, t := range table.Targets {
		targets[i] = checkpoint.Target{Name: t.Name, Units: t.Units}
	}
	in := map[int]bool{}
	medians := make([][]float64, len(folds)) // of each fold's training rows
	for k, f := range folds {
		medians[k] = Baseline(table, f.Train)
		for _, row := range slices.Concat(f.Train, f.Validate) {
			in[row] = true
		}
	}
	var rows []int
	for row := range in {
		rows = append(rows, row)
	}
	overall := Baseline(table, rows)
	median := func(p Prediction) []float64 {
		if p.Fold == Holdout {
			return overall
		}
		return medians[p.Fold]
	}
	m := Metrics{OutOfFold: score(targets, ps, level, median, func(p Prediction) bool { return p.Fold != Holdout })}
	for k, f := range folds {
		m.Folds = append(m.Folds, FoldMetrics{
			Index: k, Train: len(f.Train), Validate: len(f.Validate), BestValLoss: train.Measure(math.NaN()),
			OutOfFold: score(targets, ps, level, median, func(p Prediction) bool { return p.Fold == k }),
		})
	}
	if slices.ContainsFunc(ps, func(p Prediction) bool { return p.Fold == Holdout }) {
		m.Holdout = score(targets, ps, level, median, func(p Prediction) bool { return p.Fold == Holdout })
		m.HoldoutID = holdoutID(targets, ps)
	}
	return m
}

// Compare scores predictions of which no training is known: without a baseline.
// It is nil if there are none.
func Compare(targets []checkpoint.Target, ps []Prediction, level float64) Scores {
	if len(ps) == 0 {
		return nil
	}
	unknown := make([]float64, len(targets))
	for t := range unknown {
		unknown[t] = math.NaN()
	}
	return score(targets, ps, level, func(Prediction) []float64 { return unknown }, func(Prediction) bool { return true })
}

// score is the score of those of ps that pick chooses.
func score(targets []checkpoint.Target, ps []Prediction, level float64, median func(Prediction) []float64, pick func(Prediction) bool) Scores {
	out := Scores{}
	for t, target := range targets {
		var n int
		var abs, square, base, sum, sumSquare float64
		groups := map[int32]bool{}
		for _, p := range ps {
			y := p.Measured[t]
			if !pick(p) || math.IsNaN(y) {
				continue
			}
			d := p.Predicted[t] - y
			n++
			groups[p.Group] = true
			abs, square = abs+math.Abs(d), square+d*d
			base += math.Abs(y - median(p)[t])
			sum += y
		}
		for _, p := range ps { // about the mean: a difference of squares loses digits
			if y := p.Measured[t]; pick(p) && !math.IsNaN(y) {
				d := y - sum/float64(n)
				sumSquare += d * d
			}
		}
		s := Score{Rows: n, Polymers: len(groups), Units: target.Units,
			MAE: ratio(abs, n), RMSE: train.Measure(math.Sqrt(float64(ratio(square, n)))), Baseline: ratio(base, n),
			R2: train.Measure(math.NaN())}
		if sumSquare > 0 {
			s.R2 = train.Measure(1 - square/sumSquare)
		}
		s.Intervals = scoreIntervals(t, ps, level, pick)
		s.Members = memberScores(t, ps, pick)
		out[target.Name] = s
	}
	return out
}

// memberScores are those of target t's members; nil without a stack.
func memberScores(t int, ps []Prediction, pick func(Prediction) bool) map[stack.Member]MemberScore {
	var out map[stack.Member]MemberScore
	for _, name := range stack.Members() {
		n := 0
		var abs, square float64
		for _, p := range ps {
			y := p.Measured[t]
			of := p.Members[name]
			if !pick(p) || math.IsNaN(y) || of == nil || math.IsNaN(of[t]) {
				continue
			}
			d := of[t] - y
			n++
			abs, square = abs+math.Abs(d), square+d*d
		}
		if n == 0 {
			continue
		}
		if out == nil {
			out = map[stack.Member]MemberScore{}
		}
		out[name] = MemberScore{MAE: ratio(abs, n), RMSE: train.Measure(math.Sqrt(float64(ratio(square, n))))}
	}
	return out
}

// ratio is sum/n, missing where there is nothing.
func ratio(sum float64, n int) train.Measure {
	if n == 0 {
		return train.Measure(math.NaN())
	}
	return train.Measure(sum / float64(n))
}

// Baseline is what predicts best without a model: each target's median over rows;
// NaN where none is measured.
func Baseline(table *data.Table, rows []int) []float64 {
	out := make([]float64, len(table.Targets))
	for t := range out {
		var ys []float64
		for _, row := range rows {
			if y := table.Values(row)[t]; !math.IsNaN(y) {
				ys = append(ys, y)
			}
		}
		out[t] = math.NaN()
		if n := len(ys); n > 0 {
			slices.Sort(ys)
			out[t] = (ys[(n-1)/2] + ys[n/2]) / 2
		}
	}
	return out
}

// holdoutID hashes the hold-out rows' polymers and measurements, in any order.
func holdoutID(targets []checkpoint.Target, ps []Prediction) string {
	var lines []string
	for _, p := range ps {
		if p.Fold == Holdout {
			line := fmt.Sprintf("%q", p.Polymer)
			for t, target := range targets {
				line += fmt.Sprintf(" %q:%s", target.Name, number(p.Measured[t]))
			}
			lines = append(lines, line)
		}
	}
	slices.Sort(lines)
	h := sha256.New()
	for _, line := range lines {
		fmt.Fprintln(h, line)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// Better reports whether m does better than other on one and the same hold-out
// set: its errors are smaller on average over the targets, each taken relative
// to the other's. comparable is false, with the reason, where that cannot be
// told.
func (m Metrics) Better(other Metrics) (better, comparable bool, reason string) {
	if m.HoldoutID == "" || other.HoldoutID == "" {
		return false, false, "one of the two was not scored on a hold-out set"
	}
	if m.HoldoutID != other.HoldoutID {
		return false, false, "the two were scored on different hold-out sets"
	}
	mean, ok := Relative(m.Holdout, other.Holdout)
	if !ok {
		return false, false, "no target was measured in the hold-out set"
	}
	return mean < 1, true, fmt.Sprintf("its hold-out error is %.3g times that of the published revision", mean)
}
