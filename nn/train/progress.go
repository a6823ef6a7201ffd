package train

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"

	"polyid-trainer/nn"
)

// Measure is a number that may be missing: NaN here, null in JSON.
type Measure float64

// MarshalJSON writes null for what is not a finite number.
func (m Measure) MarshalJSON() ([]byte, error) {
	if f := float64(m); math.IsNaN(f) || math.IsInf(f, 0) {
		return []byte("null"), nil
	}
	return json.Marshal(float64(m))
}

// UnmarshalJSON reads null as NaN.
func (m *Measure) UnmarshalJSON(b []byte) error {
	f := math.NaN()
	if string(b) != "null" {
		if err := json.Unmarshal(b, &f); err != nil {
			return err
		}
	}
	*m = Measure(f)
	return nil
}

// Epoch is what one finished epoch measured.
type Epoch struct {
	Epoch        int       `json:"epoch"`          // from 1
	Loss         Measure   `json:"loss"`           // mean over the rows stepped on, as it was descended
	ValLoss      Measure   `json:"val_loss"`       // mean over the validation rows of their masked MAE, scaled; missing where the epoch had no validation
	ValMAE       []Measure `json:"val_mae"`        // per target, in the target's own units; missing where no row has it
	ValMAEScaled []Measure `json:"val_mae_scaled"` // per target, in scaled units
	LearningRate float64   `json:"learning_rate"`  // of its last step
	Seconds      float64   `json:"seconds"`        // spent on it, validation included
}

// Validated reports whether the epoch ended with a validation.
func (e Epoch) Validated() bool { return !math.IsNaN(float64(e.ValLoss)) }

// Progress is how far a training has come, apart from the engine's weights. It
// is a value between two steps: the same Progress, State and configuration go
// on to the same bits.
type Progress struct {
	History []Epoch `json:"history"`  // the epochs that are finished
	Step    int     `json:"step"`     // steps done of the epoch in progress
	Rows    int     `json:"rows"`     // rows stepped on in it
	LossSum float64 `json:"loss_sum"` // of their losses
	Seconds float64 `json:"seconds"`  // spent on it so far
	// Paths are the kernel paths that took the steps, in order. With more than
	// one, the training equals one on a single path within float noise only.
	Paths []string `json:"kernel_paths"`
}

// Best is the validated epoch with the lowest val_loss, the first one of equals.
func (p *Progress) Best() (best Epoch, ok bool) {
	for _, h := range p.History {
		if h.Validated() && (!ok || h.ValLoss < best.ValLoss) {
			best, ok = h, true
		}
	}
	return best, ok
}

// LastValidated is the newest epoch that ended with a validation.
func (p *Progress) LastValidated() (last Epoch, ok bool) {
	for _, h := range slices.Backward(p.History) {
		if h.Validated() {
			return h, true
		}
	}
	return last, false
}

// clone copies p so that a later epoch cannot show through.
func (p *Progress) clone() Progress {
	q := *p
	q.History = append([]Epoch(nil), p.History...)
	q.Paths = append([]string(nil), p.Paths...)
	return q
}

// check refuses a Progress that no training with these steps an epoch can have
// made.
func (p *Progress) check(steps, rows, epochs int) error {
	var errs []error
	if p.Step < 0 || p.Step > steps {
		errs = append(errs, fmt.Errorf("it stands at step %d of an epoch of %d", p.Step, steps))
	}
	if p.Rows < 0 || p.Rows > rows {
		errs = append(errs, fmt.Errorf("it has seen %d rows of %d in its epoch", p.Rows, rows))
	}
	if len(p.History) > epochs || len(p.History) == epochs && p.Step > 0 {
		errs = append(errs, fmt.Errorf("it has finished %d epochs and stands at step %d of the next, of %d epochs", len(p.History), p.Step, epochs))
	}
	for i, h := range p.History {
		if h.Epoch != i+1 {
			errs = append(errs, fmt.Errorf("epoch %d of its history says it is %d", i+1, h.Epoch))
			break
		}
	}
	return errors.Join(errs...)
}

// Snapshot is everything a training needs to go on to the bit.
type Snapshot struct {
	Progress Progress
	State    nn.State
	Best     *nn.Params // weights of Progress.Best; nil before the first validation
	Average  *nn.Params // of the weights; nil unless Config.AverageWeights
}

// Checkpointer decides when a training is saved, and saves it. It is called
// between steps, on the goroutine of Fit.
type Checkpointer interface {
	// Due reports whether to save now. It is asked after every step.
	Due() bool
	// Save writes s, which is only valid during the call. An error ends the
	// training; one that should go on without having been saved returns nil.
	Save(ctx context.Context, s *Snapshot) error
}
