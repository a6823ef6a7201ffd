package estimate

import (
	"context"
	"fmt"

	"polyid-trainer/data"
	"polyid-trainer/jobs"
	"polyid-trainer/nn"
)

// Memory is what training a job takes, in bytes.
type Memory struct {
	Fold int64 // of each fold that trains: weights, moments, checkpoints, states
	Data int64 // of the job's table, graphs and plans, which its folds share
}

// Job is what a worker needs that trains one fold.
func (m Memory) Job() int64 { return m.Fold + m.Data }

const (
	float = 4 // bytes of a float32
	// copies are those of every weight while a checkpoint is written: weights and
	// two moments in the engine, the same in its state, and as a file.
	copies = 9
	// textPerRow is the table's own part of a row and of its chain, in bytes.
	textPerRow = 4 << 10
	// statesAtOnce bounds the states of a batch, as nn/cpu does: a larger batch
	// goes through the network in parts. In numbers.
	statesAtOnce = 64 << 20
	// slack is what rounding to cache lines adds, as a fraction.
	slack = 1.25
)

// Memory computes what a job takes, without allocating any of it, from its
// network and the largest polymer of a few rows from all over the table. The
// first call of a job costs some milliseconds.
func (e *Estimator) Memory(ctx context.Context, s *jobs.Spec, t *data.Table) (Memory, error) {
	fold, perRow, err := e.sample(ctx, s, t)
	if err != nil {
		return Memory{}, fmt.Errorf("estimate memory: %w", err)
	}
	weights := int64(nn.NumParams(s.Model, fold.Sizes()))
	n := copies
	if s.BatchSize > 1 {
		n++ // the gradient, which single examples do not store
	}
	var states int64
	for i := range fold.Train {
		states = max(states, statesOf(s.Model, fold.Sizes(), &fold.Train[i]))
	}
	states = max(states, min(states*int64(s.BatchSize), statesAtOnce))
	return Memory{
		Fold: int64(slack*float64(float*states)) + int64(n)*float*weights,
		Data: int64(t.Rows()) * int64(perRow+textPerRow),
	}, nil
}

// statesOf is how many numbers a step on one example computes and stores, see
// nn/cpu's arena: the hidden states of every block, and as much work space as
// the largest block needs.
func statesOf(c nn.Config, s nn.Sizes, e *nn.Example) int64 {
	f := int64(c.AtomFeatures)
	var sum, maxA, maxB int64
	for t := range c.NumMessages + 1 {
		var atoms int64
		bonds := int64(e.Plan.BondClasses(t))
		if t < c.NumMessages {
			atoms = int64(e.Plan.AtomClasses(t))
		}
		maxA, maxB = max(maxA, atoms), max(maxB, bonds)
		sum += (atoms+bonds)*(f+2) + int64(c.MolFeatures)
		if t > 0 {
			sum += 4*f*bonds + 5*f*atoms // edge and message; sum, gathered, node
		}
	}
	last := int64(e.Plan.BondClasses(c.NumMessages))
	return sum + last*int64(s.Targets)*f + 6*f*maxB + 11*f*maxA
}
