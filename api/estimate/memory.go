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
	// two moments in the engine, the same in its state, and as a file; the best
	// weights, and those in the file.
	copies = 11
	// copiesOfAverage are those of averaged weights: the average, what it is
	// exchanged with, and those in the file.
	copiesOfAverage = 3
	// textPerRow is the table's own part of a row and of its packed chain, in
	// bytes.
	textPerRow = 1 << 10
	// statesAtOnce bounds the states of a batch, as nn/cpu does: a larger batch
	// goes through the network in parts. In numbers.
	statesAtOnce = 64 << 20
	// slack is what rounding to cache lines adds, as a fraction.
	slack = 1.25
)

// Memory computes what a job takes, without allocating any of it, from its
// network and the largest polymer of a few rows from all over the table. The
// first call of a job costs about a tenth of a second.
func (e *Estimator) Memory(ctx context.Context, s *jobs.Spec, t *data.Table) (Memory, error) {
	x, err := sample(ctx, s, t)
	if err != nil {
		return Memory{}, fmt.Errorf("estimate memory: %w", err)
	}
	return x.memory(s, t), nil
}

func (x *sampled) memory(s *jobs.Spec, t *data.Table) Memory {
	weights := int64(nn.NumParams(s.Model, x.fold.Sizes()))
	n := copies
	if s.BatchSize > 1 || s.ClipNorm != nil {
		n++ // the gradient, which single examples do not store
	}
	if s.AverageWeights != nil {
		n += copiesOfAverage
	}
	var states int64
	for i := range x.examples {
		states = max(states, statesOf(s.Model, x.fold.Sizes(), &x.examples[i]))
	}
	states = max(states, min(states*int64(s.BatchSize), statesAtOnce))
	held, _ := x.held()
	return Memory{
		Fold: int64(slack*float64(float*states)) + int64(n)*float*weights,
		Data: int64(t.Rows())*textPerRow + held,
	}
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
