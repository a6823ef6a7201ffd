package train

import (
	"errors"
	"fmt"
	"math"

	"polyid-trainer/nn"
)

// polymersPerAverage is how many polymers a training sees, at least, between two
// updates of its averaged weights: an update is a pass over all weights, which at
// batch 1 would cost as much as a third of a step.
const polymersPerAverage = 8

// average is an exponential moving average of a training's weights. It is taken
// every stride steps, with the decay of as many; its first updates weigh less of
// what the training began with, as TensorFlow's do with a number of updates.
type average struct {
	engine nn.Weighted
	decay  float64 // of one update
	stride int
	mean   *nn.Params
	live   *nn.Params // the engine's own weights while it has the mean, and scratch
}

// newAverage begins at the weights that e has, or at those of a snapshot.
func newAverage(e nn.Engine, c Config, resumed *nn.Params) (*average, error) {
	w, ok := e.(nn.Weighted)
	if !ok {
		return nil, fmt.Errorf("average_weights: kernels %q do not average weights", e.Path())
	}
	a := &average{engine: w, stride: max(1, polymersPerAverage/c.BatchSize)}
	a.decay = math.Pow(*c.AverageWeights, float64(a.stride))
	live, err := w.Weights(nil)
	if err != nil {
		return nil, fmt.Errorf("reading the weights: %w", err)
	}
	a.live, a.mean = live, live.Clone()
	if resumed != nil {
		if err := a.mean.CopyFrom(resumed); err != nil {
			return nil, fmt.Errorf("the averaged weights: %w", err)
		}
	}
	return a, nil
}

// stepped updates the average after a training's step number n, from 1.
func (a *average) stepped(n int) error {
	if n%a.stride != 0 {
		return nil
	}
	if _, err := a.engine.Weights(a.live); err != nil {
		return fmt.Errorf("averaging the weights: %w", err)
	}
	updates := float64(n / a.stride)
	part := float32(1 - min(a.decay, (1+updates)/(10+updates)))
	mean, live := a.mean.Slab, a.live.Slab
	live = live[:len(mean)]
	for i, w := range live {
		mean[i] += part * (w - mean[i])
	}
	return nil
}

// during runs do while the engine has the averaged weights.
func (a *average) during(do func() error) (err error) {
	if _, err := a.engine.Weights(a.live); err != nil {
		return fmt.Errorf("exchanging the weights: %w", err)
	}
	if err := a.engine.SetWeights(a.mean); err != nil {
		return fmt.Errorf("exchanging the weights: %w", err)
	}
	defer func() {
		if back := a.engine.SetWeights(a.live); back != nil {
			err = errors.Join(err, fmt.Errorf("exchanging the weights: %w", back))
		}
	}()
	return do()
}
