package train

import (
	"errors"
	"fmt"
	"math"

	"polyid-trainer/nn"
)

// PolyID's published settings.
const (
	DefaultEpochs       = 500
	DefaultBatchSize    = 1
	DefaultLearningRate = 1e-4
	DefaultDecay        = 1e-5
)

// Limits of a Config: far beyond use, and low enough that a mistyped job fails
// at once.
const (
	MaxEpochs    = 1_000_000
	MaxBatchSize = 4096
	maxMinDelta  = 1e6 // of a loss that is about 1 before training
)

// Keras' Adam constants, which PolyID leaves as they are.
const (
	beta1   = 0.9
	beta2   = 0.999
	epsilon = 1e-7
)

// Config is how to train; its JSON fields are a training job's. A zero field
// stands for PolyID's published setting, see WithDefaults.
type Config struct {
	Epochs       int     `json:"epochs"`
	BatchSize    int     `json:"batch_size"`    // rows a step; a ragged batch, nothing is padded
	LearningRate float64 `json:"learning_rate"` // the rate that Schedule varies
	// Decay is decoupled: every step takes rate·Decay of each weight off it. A
	// job that says nothing gets DefaultDecay where the job is read, because 0
	// is a setting of its own.
	Decay         float64        `json:"decay"`
	Seed          uint64         `json:"seed"`
	EarlyStopping *EarlyStopping `json:"early_stopping"` // nil trains every epoch
	Schedule      Schedule       `json:"learning_rate_schedule"`
	// AverageWeights is the decay, a step, of an exponential moving average of
	// the weights, which is validated and published in their place; nil averages
	// nothing.
	AverageWeights *float64 `json:"average_weights"`
	ClipNorm       *float64 `json:"clip_norm"`      // nn.Adam's; nil bounds nothing
	ValidateEvery  int      `json:"validate_every"` // epochs from one validation to the next; the last epoch always has one
}

// DefaultConfig is how PolyID was published.
func DefaultConfig() Config {
	return Config{Decay: DefaultDecay}.WithDefaults()
}

// WithDefaults fills the zero fields, except Decay and Seed, from PolyID's
// published settings.
func (c Config) WithDefaults() Config {
	if c.Epochs == 0 {
		c.Epochs = DefaultEpochs
	}
	if c.BatchSize == 0 {
		c.BatchSize = DefaultBatchSize
	}
	if c.LearningRate == 0 {
		c.LearningRate = DefaultLearningRate
	}
	if c.EarlyStopping != nil {
		es := c.EarlyStopping.withDefaults()
		c.EarlyStopping = &es
	}
	c.Schedule = c.Schedule.WithDefaults()
	if c.ValidateEvery == 0 {
		c.ValidateEvery = 1
	}
	return c
}

// Validate reports every setting that is out of range, each error beginning
// with the field's JSON name.
func (c Config) Validate() error {
	var errs []error
	if c.Epochs < 1 || c.Epochs > MaxEpochs {
		errs = append(errs, fmt.Errorf("epochs: %d is not between 1 and %d", c.Epochs, MaxEpochs))
	}
	if c.BatchSize < 1 || c.BatchSize > MaxBatchSize {
		errs = append(errs, fmt.Errorf("batch_size: %d is not between 1 and %d", c.BatchSize, MaxBatchSize))
	}
	if !(c.LearningRate > 0 && c.LearningRate <= 1) {
		errs = append(errs, fmt.Errorf("learning_rate: %v is not in (0, 1]", c.LearningRate))
	}
	if !(c.Decay >= 0 && c.Decay < 1) {
		errs = append(errs, fmt.Errorf("decay: %v is not in [0, 1)", c.Decay))
	}
	if c.EarlyStopping != nil {
		errs = append(errs, c.EarlyStopping.validate())
	}
	errs = append(errs, c.Schedule.validate())
	if d := c.AverageWeights; d != nil && !(*d > 0 && *d < 1) {
		errs = append(errs, fmt.Errorf("average_weights: %v is not between 0 and 1; 0.999 is usual", *d))
	}
	if n := c.ClipNorm; n != nil && !(*n > 0 && !math.IsInf(*n, 1)) {
		errs = append(errs, fmt.Errorf("clip_norm: %v is not a finite number above 0", *n))
	}
	if c.ValidateEvery < 0 || c.ValidateEvery > MaxEpochs { // 0 is a checkpoint's of before there was one
		errs = append(errs, fmt.Errorf("validate_every: %d is not between 1 and %d", c.ValidateEvery, MaxEpochs))
	}
	return errors.Join(errs...)
}

// validates reports whether epoch n, from 1, ends with a validation.
func (c Config) validates(n int) bool {
	return n == c.Epochs || n%max(1, c.ValidateEvery) == 0
}

// Adam is the optimizer's setting for a step at one learning rate.
func (c Config) Adam(rate float64) nn.Adam {
	o := nn.Adam{LearningRate: rate, Decay: c.Decay, Beta1: beta1, Beta2: beta2, Epsilon: epsilon}
	if c.ClipNorm != nil {
		o.ClipNorm = *c.ClipNorm
	}
	return o
}

// EarlyStopping ends a training whose val_loss no longer falls.
type EarlyStopping struct {
	Patience int     `json:"patience"`  // epochs without improvement to sit out; 0 stands for 50
	MinDelta float64 `json:"min_delta"` // what counts as improvement, in val_loss
}

func (e EarlyStopping) withDefaults() EarlyStopping {
	if e.Patience == 0 {
		e.Patience = 50
	}
	return e
}

func (e EarlyStopping) validate() error {
	var errs []error
	if e.Patience < 1 || e.Patience > MaxEpochs {
		errs = append(errs, fmt.Errorf("early_stopping.patience: %d is not between 1 and %d", e.Patience, MaxEpochs))
	}
	if !(e.MinDelta >= 0 && e.MinDelta <= maxMinDelta) {
		errs = append(errs, fmt.Errorf("early_stopping.min_delta: %v is not between 0 and %v", e.MinDelta, float64(maxMinDelta)))
	}
	return errors.Join(errs...)
}

// stops reports whether history ends in patience epochs, none of which brought
// val_loss more than min_delta below what it had been before. As in Keras, a
// small gain below min_delta does not move the mark.
func (e EarlyStopping) stops(history []Epoch) bool {
	if n := len(history); n > 0 && !history[n-1].Validated() { // known once it is measured
		return false
	}
	mark, since := math.Inf(1), 0
	for _, h := range history {
		if float64(h.ValLoss) < mark-e.MinDelta {
			mark, since = float64(h.ValLoss), 0
		} else {
			since++
		}
	}
	return since >= e.Patience
}
