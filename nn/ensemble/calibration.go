package ensemble

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"

	"polyid-trainer/nn/checkpoint"
)

// Level is the coverage that intervals aim at unless another is asked for.
const Level = 0.9

// Methods of making intervals.
const (
	CVPlus = "cv+"   // residuals as they are
	Local  = "local" // residuals divided by how large each was to be expected
)

// Intervals says how intervals are made; its JSON is a training job's "intervals".
type Intervals struct {
	Method string  `json:"method"`
	Level  float64 `json:"level"`
}

// WithDefaults fills what is empty.
func (i Intervals) WithDefaults() Intervals {
	if i.Method == "" {
		i.Method = CVPlus
	}
	if i.Level == 0 {
		i.Level = Level
	}
	return i
}

// Validate reports what cannot be.
func (i Intervals) Validate() error {
	var errs []error
	if i.Method != CVPlus && i.Method != Local {
		errs = append(errs, fmt.Errorf("method: %q is neither %q nor %q", i.Method, CVPlus, Local))
	}
	if !(i.Level >= 0.5 && i.Level <= 0.99) {
		errs = append(errs, fmt.Errorf("level: %v is not between 0.5 and 0.99", i.Level))
	}
	return errors.Join(errs...)
}

// LevelName names a level in the fields and columns of answers: 90 of 0.9, 97.5 of
// 0.975.
func LevelName(level float64) string {
	return strconv.FormatFloat(math.Round(1e4*level)/100, 'f', -1, 64)
}

// methods name in a Calibration how it was made, for readers of its file.
var methods = map[string]string{
	CVPlus: "cv+, groups of rows weighing as one",
	Local:  "local: cv+ of residuals over their expected size, groups of rows weighing as one",
}

// OutOfFold is one row with the prediction of the fold that did not see it.
type OutOfFold struct {
	Fold      int
	Group     int32     // rows of one polymer share it, see data.Partition
	Measured  []float64 // one per target; NaN = unmeasured
	Predicted []float64 // in the targets' units
	// Difficulty is how large the error of each target was to be expected, above 0;
	// only Local looks at it.
	Difficulty []float64
}

// Calibration is the residuals that intervals come from; its JSON is
// calibration.json.
type Calibration struct {
	Method  string              `json:"method"`
	Level   float64             `json:"level"`
	Targets []TargetCalibration `json:"targets"`
}

// TargetCalibration is one target's residuals.
type TargetCalibration struct {
	Name   string `json:"name"`
	Units  string `json:"units"`
	Rows   int    `json:"rows"`   // with a residual
	Groups int    `json:"groups"` // that they belong to
	// HalfWidth is the corrected quantile of all residuals: about half the width
	// of the interval where the folds agree. Missing where the level asks for more
	// groups than there are: 9 at 90 %.
	HalfWidth *float64        `json:"half_width"`
	Folds     []FoldResiduals `json:"folds"`
}

// FoldResiduals are the residuals of the rows that one fold did not see, from
// the largest down, with the part of its group that each row stands for.
type FoldResiduals struct {
	Residuals []float64 `json:"residuals"`
	Weights   []float64 `json:"weights"`
}

// Calibrate makes the Calibration of an ensemble of folds models from its
// out-of-fold rows. It fails on rows that do not fit the targets or folds, or
// whose predictions are no numbers. Residuals of Local are in units of the
// difficulty.
func Calibrate(targets []checkpoint.Target, folds int, rows []OutOfFold, how Intervals) (*Calibration, error) {
	how = how.WithDefaults()
	if err := how.Validate(); err != nil {
		return nil, fmt.Errorf("calibrating: intervals: %w", err)
	}
	local := how.Method == Local
	c := &Calibration{Method: methods[how.Method], Level: how.Level}
	for i, r := range rows {
		if r.Fold < 0 || r.Fold >= folds || len(r.Measured) != len(targets) || len(r.Predicted) != len(targets) {
			return nil, fmt.Errorf("calibrating: row %d is of fold %d with %d values and %d predictions; there are %d folds and %d targets",
				i, r.Fold, len(r.Measured), len(r.Predicted), folds, len(targets))
		}
		if local && len(r.Difficulty) != len(targets) {
			return nil, fmt.Errorf("calibrating: row %d has no difficulty, which %q intervals need", i, Local)
		}
	}
	for t, target := range targets {
		tc := TargetCalibration{Name: target.Name, Units: target.Units, Folds: make([]FoldResiduals, folds)}
		size := map[int32]float64{}
		for _, r := range rows {
			if !math.IsNaN(r.Measured[t]) {
				size[r.Group]++
			}
		}
		for i, r := range rows {
			if math.IsNaN(r.Measured[t]) {
				continue
			}
			d := math.Abs(r.Measured[t] - r.Predicted[t])
			if local {
				d /= r.Difficulty[t]
			}
			if math.IsNaN(d) || math.IsInf(d, 0) {
				return nil, fmt.Errorf("calibrating %s: row %d is predicted as %v", target.Name, i, r.Predicted[t])
			}
			f := &tc.Folds[r.Fold]
			f.Residuals = append(f.Residuals, d)
			f.Weights = append(f.Weights, 1/size[r.Group])
			tc.Rows++
		}
		for i := range tc.Folds {
			tc.Folds[i].sort()
		}
		tc.Groups = len(size)
		if q := tc.quantile(c.Level, make([]float64, folds), 1); !math.IsInf(q, 0) {
			tc.HalfWidth = &q
		}
		c.Targets = append(c.Targets, tc)
	}
	return c, nil
}

// sort brings the residuals in order, the largest first.
func (f *FoldResiduals) sort() {
	order := make([]int, len(f.Residuals))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(f.Residuals[b], f.Residuals[a]) })
	residuals, weights := make([]float64, len(order)), make([]float64, len(order))
	for i, from := range order {
		residuals[i], weights[i] = f.Residuals[from], f.Weights[from]
	}
	f.Residuals, f.Weights = residuals, weights
}

// Local reports whether the intervals need the difficulty of a prediction.
func (c *Calibration) Local() bool { return c.Method == methods[Local] }

// Interval is the interval of target t where the folds predict perFold: nil if
// there are too few groups for a finite one. It holds the mean of perFold. Where
// the calibration is Local it is that of a prediction of difficulty 1. The cost is
// proportional to a tenth of the rows.
func (c *Calibration) Interval(t int, perFold []float64) *Interval {
	return c.IntervalAt(t, perFold, 1)
}

// IntervalAt is Interval of a prediction whose error is to be expected as large as
// difficulty, which counts if the calibration is Local.
func (c *Calibration) IntervalAt(t int, perFold []float64, difficulty float64) *Interval {
	if !c.Local() || difficulty == 1 {
		return c.interval(t, perFold)
	}
	scaled := make([]float64, len(perFold))
	for k, y := range perFold {
		scaled[k] = y / difficulty
	}
	i := c.interval(t, scaled)
	if i != nil {
		i.Low, i.High = i.Low*difficulty, i.High*difficulty
	}
	return i
}

func (c *Calibration) interval(t int, perFold []float64) *Interval {
	tc := &c.Targets[t]
	low, high := -tc.quantile(c.Level, perFold, -1), tc.quantile(c.Level, perFold, 1)
	if math.IsInf(low, 0) || math.IsInf(high, 0) {
		return nil
	}
	mean, _ := meanStd(perFold)
	return &Interval{Low: min(low, mean), High: max(high, mean)}
}

// quantile is the level quantile of sign·perFold[k] + r over the residuals r of
// all folds k, each with its weight, and of infinity with the weight of one
// group more. It merges the folds from their largest residuals down until no
// more than 1−level of the weight lies above.
func (tc *TargetCalibration) quantile(level float64, perFold []float64, sign float64) float64 {
	total := float64(tc.Groups + 1)
	allowed := (1-level)*total + 1e-9*total // weights are sums of fractions
	above := 1.0                            // the infinite one
	if above > allowed {
		return math.Inf(1)
	}
	at := make([]int, len(tc.Folds))
	for {
		best, value := -1, math.Inf(-1)
		for k := range tc.Folds {
			if at[k] < len(tc.Folds[k].Residuals) {
				if v := sign*perFold[k] + tc.Folds[k].Residuals[at[k]]; best < 0 || v > value {
					best, value = k, v
				}
			}
		}
		if best < 0 {
			return math.Inf(1)
		}
		if above += tc.Folds[best].Weights[at[best]]; above > allowed {
			return value
		}
		at[best]++
	}
}

// Fits reports why c is not of an ensemble of folds models with these targets.
func (c *Calibration) Fits(targets []checkpoint.Target, folds int) error {
	if err := c.validate(); err != nil {
		return err
	}
	if len(c.Targets) != len(targets) {
		return fmt.Errorf("it has %d targets, the ensemble %d", len(c.Targets), len(targets))
	}
	for t, tc := range c.Targets {
		if tc.Name != targets[t].Name || len(tc.Folds) != folds {
			return fmt.Errorf("it is of %s by %d folds, the ensemble of %s by %d", tc.Name, len(tc.Folds), targets[t].Name, folds)
		}
	}
	return nil
}

func (c *Calibration) validate() error {
	if c.Method != methods[CVPlus] && c.Method != methods[Local] {
		return fmt.Errorf("its method is %.80q, this program knows %q", c.Method, methods)
	}
	if !(c.Level > 0 && c.Level < 1) {
		return fmt.Errorf("its level is %v", c.Level)
	}
	for _, tc := range c.Targets {
		for _, f := range tc.Folds {
			if len(f.Residuals) != len(f.Weights) {
				return fmt.Errorf("%.80s: %d residuals with %d weights", tc.Name, len(f.Residuals), len(f.Weights))
			}
			for i, r := range f.Residuals {
				if w := f.Weights[i]; !(r >= 0) || !(w > 0 && w <= 1) || i > 0 && r > f.Residuals[i-1] {
					return fmt.Errorf("%.80s: residual %d is %v with weight %v, or out of order", tc.Name, i, r, w)
				}
			}
		}
	}
	return nil
}

// ParseCalibration reads calibration.json.
func ParseCalibration(b []byte) (*Calibration, error) {
	c := &Calibration{}
	if err := json.Unmarshal(b, c); err != nil {
		return nil, fmt.Errorf("reading a calibration: %w", err)
	}
	if err := c.validate(); err != nil {
		return nil, fmt.Errorf("reading a calibration: %w", err)
	}
	if len(c.Targets) == 0 {
		return nil, errors.New("reading a calibration: it has no targets")
	}
	return c, nil
}
