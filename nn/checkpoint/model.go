package checkpoint

import (
	"errors"
	"fmt"
	"slices"

	"polyid-trainer/data"
	"polyid-trainer/featurize"
	"polyid-trainer/nn"
	"polyid-trainer/nn/train"
)

// Model is one fold's network with what it takes to predict with it.
type Model struct {
	Config   nn.Config
	Features featurize.Config
	Vocab    *featurize.Vocab
	Targets  []Target
	Scaler   data.Scaler // one center and scale per target
	Origin   Origin
	Weights  *nn.Params
	Training *Training // nil in a published model
}

// Target is one predicted property.
type Target struct {
	Name  string `json:"name"`
	Units string `json:"units"` // "" if unknown
}

// Origin says where a model comes from.
type Origin struct {
	Fold        int      `json:"fold"`
	Seed        uint64   `json:"seed"`         // of the job
	DataHash    string   `json:"data_hash"`    // of the table and the split it learned from
	KernelPaths []string `json:"kernel_paths"` // that took its steps, in order
	CodeVersion string   `json:"code_version"`
	BestEpoch   int      `json:"best_epoch"` // the weights are of; 0 before the first one ended
}

// Training is what a training needs besides the weights to go on to the bit.
type Training struct {
	Config   train.Config
	Progress train.Progress
	Step     int64
	M, V     *nn.Params // Adam moments
	Best     *nn.Params // nil before the first validation
	Average  *nn.Params // of the weights; nil unless Config.AverageWeights
}

// Sizes is what the data adds to m.Config.
func (m *Model) Sizes() nn.Sizes {
	return nn.Sizes{AtomClasses: m.Vocab.Atom.Classes(), BondClasses: m.Vocab.Bond.Classes(), Targets: len(m.Targets)}
}

// Published is the model with its best weights, without training state. It
// shares m's memory. A training that has not
// validated an epoch has none.
func (m *Model) Published() (*Model, error) {
	p := *m
	if m.Training != nil {
		best, ok := m.Training.Progress.Best()
		if !ok || m.Training.Best == nil {
			return nil, errors.New("the training has not validated an epoch, so there is no best model yet")
		}
		p.Weights, p.Training = m.Training.Best, nil
		p.Origin.BestEpoch = best.Epoch
	}
	return &p, nil
}

// Keep puts a training's snapshot into m, sharing its memory.
func (m *Model) Keep(c train.Config, s *train.Snapshot) {
	m.Weights = s.State.Weights
	m.Training = &Training{Config: c, Progress: s.Progress, Step: s.State.Step, M: s.State.M, V: s.State.V, Best: s.Best, Average: s.Average}
	m.Origin.KernelPaths = s.Progress.Paths
	if best, ok := s.Progress.Best(); ok {
		m.Origin.BestEpoch = best.Epoch
	}
}

// Snapshot is the training's state, for train.Options.Resume, sharing m's
// memory; an error if m is a published model.
func (m *Model) Snapshot() (*train.Snapshot, error) {
	t := m.Training
	if t == nil {
		return nil, errors.New("a published model holds no training state to resume from")
	}
	return &train.Snapshot{
		Progress: t.Progress,
		State:    nn.State{Step: t.Step, Weights: m.Weights, M: t.M, V: t.V},
		Best:     t.Best,
		Average:  t.Average,
	}, nil
}

// Validate reports everything that makes m no model, weights apart.
func (m *Model) Validate() error {
	errs := []error{m.Config.Validate(), m.Features.Validate()}
	if m.Vocab == nil {
		errs = append(errs, errors.New("vocab: missing"))
	} else if err := m.Vocab.Validate(); err != nil {
		errs = append(errs, err)
	} else if len(m.Targets) > 0 {
		errs = append(errs, m.Sizes().Validate())
	}
	if len(m.Targets) == 0 {
		errs = append(errs, errors.New("targets: there are none"))
	}
	for i, t := range m.Targets {
		if t.Name == "" || slices.IndexFunc(m.Targets, func(o Target) bool { return o.Name == t.Name }) != i {
			errs = append(errs, fmt.Errorf("targets: %q is empty or comes twice", t.Name))
		}
	}
	if len(m.Scaler.Center) != len(m.Targets) || len(m.Scaler.Scale) != len(m.Targets) {
		errs = append(errs, fmt.Errorf("scaler: %d centers and %d scales for %d targets", len(m.Scaler.Center), len(m.Scaler.Scale), len(m.Targets)))
	}
	for _, s := range m.Scaler.Scale {
		if !(s > 0) {
			errs = append(errs, fmt.Errorf("scaler: a scale of %v", s))
		}
	}
	if t := m.Training; t != nil {
		if err := t.Config.Validate(); err != nil {
			errs = append(errs, fmt.Errorf("training configuration: %w", err))
		}
		if t.Step < 0 {
			errs = append(errs, fmt.Errorf("training: step %d", t.Step))
		}
		if _, ok := t.Progress.Best(); (t.Best != nil) != ok {
			errs = append(errs, errors.New("training: it has best weights and no validated epoch, or the other way round"))
		}
		if (t.Average != nil) != (t.Config.AverageWeights != nil) {
			errs = append(errs, errors.New("training: it has averaged weights and averages none, or the other way round"))
		}
	}
	return errors.Join(errs...)
}
