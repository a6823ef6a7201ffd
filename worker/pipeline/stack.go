package pipeline

import (
	"context"
	"errors"
	"fmt"
	"math"

	"polyid-trainer/data"
	"polyid-trainer/featurize/smiles"
	"polyid-trainer/featurize/structure"
	"polyid-trainer/nn/ensemble"
	"polyid-trainer/nn/revision"
	"polyid-trainer/nn/stack"
)

// scoreEnsemble completes a revision that holds its models and what they predict of the
// rows they did not see, with intervals and the predictions of the hold-out rows,
// held [fold][hold-out row × target]. Where the job asks for a stack, all of these
// are the stack's.
func (s *stage) scoreEnsemble(ctx context.Context, r *revision.Revision, c *corpus, prep *Preparation, held [][]float64) error {
	var polymers []stack.Polymer
	if s.job.Spec.Stack != nil {
		var err error
		if polymers, err = c.polymers(ctx); err != nil {
			return err
		}
		if err := s.stackUp(ctx, r, c, prep, polymers); err != nil {
			return err
		}
	}
	targets := r.Models[0].Targets
	var err error
	r.Calibration, err = ensemble.Calibrate(targets, len(r.Models), revision.CalibrationRows(r.Predictions), s.job.Spec.Intervals)
	if err != nil {
		return failure("calibration", "%v", err)
	}
	for n, row := range prep.Holdout {
		network := make([][]float64, len(targets)) // [target][fold]
		for t := range network {
			for _, f := range held {
				network[t] = append(network[t], f[n*len(targets)+t])
			}
		}
		at := row
		if row >= c.rows { // counted in its own table
			at -= c.rows
		}
		p := revision.HeldOut(at, prep.Groups[row], c.name(row), c.table.Values(row), combine(r.Calibration, network, nil))
		if r.Stack != nil {
			blended, err := r.Stack.Predict(polymers[row], network)
			if err != nil {
				return fmt.Errorf("hold-out row %d: %w", at, err)
			}
			p = heldOut(p, r.Calibration, blended)
		}
		r.Predictions = append(r.Predictions, p)
	}
	return nil
}

// stackUp fits the job's stack and puts its out-of-fold predictions in the place of
// the network's.
func (s *stage) stackUp(ctx context.Context, r *revision.Revision, c *corpus, prep *Preparation, polymers []stack.Polymer) error {
	table := stackTable(r, c, prep, polymers)
	table.Seed = s.job.Spec.Seed
	var err error
	if table.X, err = table.Space.Matrix(polymers); err != nil {
		return err
	}
	fitted, scores, err := stack.Fit(ctx, table, *s.job.Spec.Stack)
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			return cause
		}
		return failure("stack", "the stack cannot be fitted: %v. Leave it out, or give every property more rows", err)
	}
	r.Stack = fitted
	for i := range r.Predictions {
		p := &r.Predictions[i]
		p.Predicted, p.Difficulty = nil, nil
		p.Members = map[stack.Member][]float64{}
		for t := range table.Names {
			p.Predicted = append(p.Predicted, scores.Blend[t][p.Row])
			p.Difficulty = append(p.Difficulty, scores.Difficulty[t][p.Row])
			for name, of := range scores.Members {
				p.Members[name] = append(p.Members[name], of[t][p.Row])
			}
		}
	}
	return nil
}

// stackTable is what the stack learns from: the job's rows with the fold that
// validated each and what that predicts; hold-out rows have no fold.
func stackTable(r *revision.Revision, c *corpus, prep *Preparation, polymers []stack.Polymer) *stack.Table {
	n := c.table.Rows()
	t := &stack.Table{Group: prep.Groups, Fold: make([]int32, n), Weight: c.table.Weight}
	for row := range t.Fold {
		t.Fold[row] = -1
	}
	for k, target := range r.Models[0].Targets {
		t.Names = append(t.Names, target.Name)
		t.Values, t.Network = append(t.Values, make([]float64, n)), append(t.Network, make([]float64, n))
		for row := range n {
			t.Values[k][row], t.Network[k][row] = c.table.Values(row)[k], math.NaN()
		}
		if c.table.Side != nil {
			t.Bound = append(t.Bound, withBounds(c.table, k, t.Values[k]))
		}
	}
	for _, p := range r.Predictions {
		t.Fold[p.Row] = int32(p.Fold)
		for k, y := range p.Predicted {
			t.Network[k][p.Row] = y
		}
	}
	var learned []stack.Polymer
	var groups []int32
	for row, f := range t.Fold {
		if f >= 0 {
			learned, groups = append(learned, polymers[row]), append(groups, prep.Groups[row])
		}
	}
	t.Space = stack.NewSpace(learned, groups, c.table.Conditions)
	return t
}

// withBounds puts the bounds of a target among its values, and gives their sides.
func withBounds(t *data.Table, target int, values []float64) []int8 {
	sides := make([]int8, t.Rows())
	for row := range sides {
		at := row*len(t.Targets) + target
		if sides[row] = t.Side[at]; sides[row] != 0 {
			values[row] = t.Bound[at]
		}
	}
	return sides
}

// polymers describes the first chain of every row.
func (c *corpus) polymers(ctx context.Context) ([]stack.Polymer, error) {
	out := make([]stack.Polymer, 0, c.table.Rows())
	for grown, err := range c.grown.each() {
		if err := errors.Join(err, context.Cause(ctx)); err != nil {
			return nil, err
		}
		chain := structure.Chain{SMILES: c.table.Structures[len(out)].Polymer}
		if grown != nil {
			chain = grown[0]
		}
		m, err := smiles.Read(chain.SMILES)
		if err != nil {
			return nil, fmt.Errorf("row %d: %w", len(out), err)
		}
		var conditions []float32
		for _, v := range c.table.ConditionsOf(len(out)) {
			conditions = append(conditions, float32(v))
		}
		out = append(out, stack.Describe(m, chain.DP, conditions))
	}
	return out, nil
}

// heldOut is the prediction of a hold-out row with the stack's values in the place
// of the network's.
func heldOut(p revision.Prediction, c *ensemble.Calibration, blended []stack.Prediction) revision.Prediction {
	values := make([][]float64, len(blended))
	difficulty := make([]float64, len(blended))
	p.Members = map[stack.Member][]float64{}
	for t, b := range blended {
		values[t], difficulty[t] = b.PerFold, b.Difficulty
	}
	for _, name := range stack.Members() {
		of := make([]float64, len(blended))
		known := false
		for t, b := range blended {
			y, ok := b.Members[name]
			if of[t] = y; !ok {
				of[t] = math.NaN()
			}
			known = known || ok
		}
		if known {
			p.Members[name] = of
		}
	}
	out := revision.HeldOut(p.Row, p.Group, p.Polymer, p.Measured, combine(c, values, difficulty))
	out.Members, out.Difficulty = p.Members, difficulty
	return out
}

// combine is the ensemble's prediction of which each fold predicts perFold,
// [target][fold]. difficulty is by target; nil is 1 for all.
func combine(c *ensemble.Calibration, perFold [][]float64, difficulty []float64) *ensemble.Prediction {
	out := &ensemble.Prediction{}
	for t, folds := range perFold {
		v := ensemble.Value{PerFold: folds}
		for _, y := range folds {
			v.Mean += y / float64(len(folds))
		}
		for _, y := range folds {
			v.Std += (y - v.Mean) * (y - v.Mean)
		}
		v.Std = math.Sqrt(v.Std / float64(len(folds)-1))
		hard := 1.0
		if difficulty != nil {
			hard = difficulty[t]
		}
		v.Interval = c.IntervalAt(t, folds, hard)
		out.Values = append(out.Values, v)
	}
	return out
}
