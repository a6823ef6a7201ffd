package ensemble

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"polyid-trainer/featurize"
	"polyid-trainer/nn"
	"polyid-trainer/nn/checkpoint"
	"polyid-trainer/nn/plan"
)

// Ensemble is k folds' models on their engines. It is safe for concurrent use:
// all folds run at once, with one copy of the weights, and callers take turns on
// each.
type Ensemble struct {
	targets    []checkpoint.Target
	featurizer *featurize.Featurizer
	folds      []*fold
	blocks     int
	calibrated *Calibration
}

// New makes an Ensemble of models, which must predict the same targets from the
// same features with as many blocks, on engines of its own. c may be nil: then
// predictions have no interval. The models' weights are not kept.
func New(models []*checkpoint.Model, newEngine nn.NewEngine, c *Calibration) (*Ensemble, error) {
	if len(models) == 0 {
		return nil, errors.New("an ensemble of no models")
	}
	first := models[0]
	f, err := featurize.New(first.Features)
	if err != nil {
		return nil, err
	}
	e := &Ensemble{targets: first.Targets, featurizer: f, blocks: first.Config.NumMessages, calibrated: c}
	if c != nil {
		if err := c.Fits(first.Targets, len(models)); err != nil {
			return nil, fmt.Errorf("calibration: %w", err)
		}
	}
	for i, m := range models {
		if err := e.add(m, newEngine); err != nil {
			return nil, errors.Join(fmt.Errorf("fold %d: %w", i, err), e.Close())
		}
	}
	return e, nil
}

func (e *Ensemble) add(m *checkpoint.Model, newEngine nn.NewEngine) error {
	switch {
	case !slices.Equal(m.Targets, e.targets):
		return fmt.Errorf("it predicts %v, the first fold %v", m.Targets, e.targets)
	case m.Features.WithDefaults() != e.featurizer.Config():
		return fmt.Errorf("it reads features %v, the first fold %v", m.Features, e.featurizer.Config())
	case m.Config.NumMessages != e.blocks:
		return fmt.Errorf("it has %d blocks, the first fold %d", m.Config.NumMessages, e.blocks)
	}
	engine, err := newEngine(m.Config, m.Sizes(), 0)
	if err != nil {
		return err
	}
	e.folds = append(e.folds, &fold{
		number: len(e.folds), engine: engine, binding: e.featurizer.Bind(m.Vocab),
		center: m.Scaler.Center, scale: m.Scaler.Scale,
	})
	return engine.SetState(&nn.State{Weights: m.Weights})
}

// Close releases the engines.
func (e *Ensemble) Close() error {
	var errs []error
	for _, f := range e.folds {
		errs = append(errs, f.engine.Close())
	}
	return errors.Join(errs...)
}

// Targets are what the ensemble predicts, in the order of Prediction.Values.
func (e *Ensemble) Targets() []checkpoint.Target { return e.targets }

// Featurizer makes the graphs that Plan takes.
func (e *Ensemble) Featurizer() *featurize.Featurizer { return e.featurizer }

// Folds is the number of models.
func (e *Ensemble) Folds() int { return len(e.folds) }

// Prediction is the ensemble's answer for one polymer.
type Prediction struct {
	Values []Value // one per target
	// Unknown is the number of distinct features of the polymer, of atoms and of
	// bonds, that at least one fold's vocabulary does not have.
	Unknown int
}

// Value is the prediction of one target, in its own units.
type Value struct {
	Mean    float64
	Std     float64 // NaN with a single fold
	PerFold []float64
	// Interval is nil without a calibration, or with too few polymers in it.
	Interval *Interval
}

// Interval is where the target is expected to lie at the calibration's level.
type Interval struct{ Low, High float64 }

// Plan plans a graph of Featurizer for Predict. A plan may be used many times.
func (e *Ensemble) Plan(g *featurize.Graph) *plan.Plan {
	return new(plan.Builder).Build(g, e.blocks)
}

// Predict runs every fold on one polymer. It costs k forward passes.
func (e *Ensemble) Predict(p *plan.Plan) (*Prediction, error) {
	out, err := e.PredictAll([]*plan.Plan{p}, nil)
	if err != nil {
		return nil, err
	}
	return out[0], nil
}

// PredictAll predicts several polymers, each as Predict does to the bit. It takes
// them through each fold together, also with those of other callers that wait for
// it, which costs less than one by one: 5.1 ms a polymer and fold in place of 5.5
// on one core. Before a fold computes it calls enter, and leave
// afterwards; nil is no limit.
func (e *Ensemble) PredictAll(plans []*plan.Plan, enter func() (leave func())) ([]*Prediction, error) {
	if len(plans) == 0 {
		return nil, nil
	}
	out := make([]*pending, len(plans))
	for i, p := range plans {
		out[i] = newPending(p, len(e.targets), len(e.folds))
	}
	var group errgroup.Group
	for _, f := range e.folds {
		group.Go(func() error {
			if err := f.predict(out, enter); err != nil {
				return fmt.Errorf("fold %d: %w", f.number, err)
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	predictions := make([]*Prediction, len(plans))
	for i, x := range out {
		p := x.Prediction // a copy: whoever keeps it does not keep the plan
		for t := range p.Values {
			v := &p.Values[t]
			v.Mean, v.Std = meanStd(v.PerFold)
			if e.calibrated != nil {
				v.Interval = e.calibrated.Interval(t, v.PerFold)
			}
		}
		p.Unknown = count(x.unknownAtom) + count(x.unknownBond)
		predictions[i] = &p
	}
	return predictions, nil
}

// meanStd is the mean and the standard deviation with divisor n−1, as pandas
// has it: NaN for a single value.
func meanStd(x []float64) (mean, std float64) {
	for _, v := range x {
		mean += v
	}
	mean /= float64(len(x))
	for _, v := range x {
		std += (v - mean) * (v - mean)
	}
	return mean, math.Sqrt(std / float64(len(x)-1))
}

// Path names what the ensemble computes with; see [PathOf].
func (e *Ensemble) Path() string { return PathOf(e.folds[0].engine) }

// PathOf names an engine's kernels, and the model of its device where that is not the
// CPU: predictions are reproducible to the bit where it is the same.
func PathOf(e nn.Engine) string {
	path := e.Path()
	if placed, ok := e.(nn.Placed); ok {
		if _, model, ok := strings.Cut(placed.Device(), ", "); ok {
			path += " " + model
		}
	}
	return path
}
