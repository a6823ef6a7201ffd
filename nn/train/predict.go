package train

import (
	"context"
	"fmt"

	"polyid-trainer/nn"
)

// DistinctGraphs is the number of distinct graphs among examples: the forward
// passes that Predict, or a validation of Fit, takes.
func DistinctGraphs(examples Set) int {
	_, first := examples.Graphs()
	return len(first)
}

// evaluator predicts a fixed set of examples again and again, each distinct
// graph once a pass.
type evaluator struct {
	engine    nn.Engine
	examples  Set
	of, first []int32
	targets   int
	graphs    []float32 // [len(first), targets]
	batch     []nn.Example
	unweighed bool // all examples count the same
}

func newEvaluator(e nn.Engine, examples Set, targets int) *evaluator {
	of, first := examples.Graphs()
	v := &evaluator{engine: e, examples: examples, of: of, first: first,
		targets: targets, graphs: make([]float32, len(first)*targets), batch: make([]nn.Example, together), unweighed: true}
	for i := range examples.Len() {
		v.unweighed = v.unweighed && weightOf(examples, i) == 0
	}
	return v
}

// weight is what example i counts in the loss. Where none counts for anything, all
// count the same.
func (v *evaluator) weight(i int) float64 {
	if v.unweighed {
		return 1
	}
	return weightOf(v.examples, i)
}

// rowOf is the row of example i.
func (v *evaluator) rowOf(i int) int {
	row, _ := v.examples.Label(i)
	return row
}

// together is how many graphs the evaluator hands an engine at once: enough that
// it need not fetch its weights for each of them, few enough that a training stops
// within some tens of milliseconds.
const together = 4

// run predicts every graph, looking at ctx between a few of them.
func (v *evaluator) run(ctx context.Context) error {
	var b nn.Batch
	for at := 0; at < len(v.first); at += len(b.Examples) {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		graphs := v.first[at:min(at+together, len(v.first))]
		b.Examples = v.batch[:len(graphs)]
		for k, i := range graphs {
			v.examples.Example(int(i), &b.Examples[k])
		}
		if err := v.engine.Predict(&b, v.graphs[at*v.targets:][:len(b.Examples)*v.targets]); err != nil {
			return fmt.Errorf("predicting rows %v: %w", rows(&b), err)
		}
	}
	return nil
}

// row is the last run's prediction of example i, scaled.
func (v *evaluator) row(i int) []float32 {
	return v.graphs[int(v.of[i])*v.targets:][:v.targets]
}

// Predict returns the scaled predictions of examples, [len(examples), targets]
// row-major, without dropout, with the engine's weights as they are. Equal
// graphs are computed once.
func Predict(ctx context.Context, e nn.Engine, examples Set, targets int) ([]float32, error) {
	v := newEvaluator(e, examples, targets)
	if err := v.run(ctx); err != nil {
		return nil, err
	}
	out := make([]float32, 0, examples.Len()*v.targets)
	for i := range examples.Len() {
		out = append(out, v.row(i)...)
	}
	return out, nil
}
