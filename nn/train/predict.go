package train

import (
	"context"
	"fmt"
	"slices"

	"polyid-trainer/nn"
	"polyid-trainer/nn/plan"
)

// groups numbers the distinct graphs among examples: of[i] is example i's and
// first[g] the first example of graph g. Two graphs are equal when they share a
// plan and their classes carry the same tokens; many rows of a table differ in
// tacticity only, which features of version 1 do not see.
func groups(examples []nn.Example) (of, first []int) {
	of = make([]int, len(examples))
	byPlan := map[*plan.Plan][]int{} // graphs of a plan
	for i, x := range examples {
		same := byPlan[x.Plan]
		g := slices.IndexFunc(same, func(g int) bool {
			y := &examples[first[g]]
			return slices.Equal(x.Atom, y.Atom) && slices.Equal(x.Bond, y.Bond)
		})
		if g >= 0 {
			of[i] = same[g]
			continue
		}
		of[i] = len(first)
		byPlan[x.Plan] = append(same, len(first))
		first = append(first, i)
	}
	return of, first
}

// DistinctGraphs is the number of distinct graphs among examples: the forward
// passes that Predict, or a validation of Fit, takes.
func DistinctGraphs(examples []nn.Example) int {
	_, first := groups(examples)
	return len(first)
}

// evaluator predicts a fixed set of examples again and again, each distinct
// graph once a pass.
type evaluator struct {
	engine    nn.Engine
	examples  []nn.Example
	of, first []int
	targets   int
	graphs    []float32 // [len(first), targets]
}

func newEvaluator(e nn.Engine, examples []nn.Example, targets int) *evaluator {
	of, first := groups(examples)
	return &evaluator{engine: e, examples: examples, of: of, first: first,
		targets: targets, graphs: make([]float32, len(first)*targets)}
}

// together is how many graphs the evaluator hands an engine at once: enough that
// it need not fetch its weights for each of them, few enough that a training stops
// within some tens of milliseconds.
const together = 4

// run predicts every graph, looking at ctx between a few of them.
func (v *evaluator) run(ctx context.Context) error {
	b := nn.Batch{Examples: make([]nn.Example, 0, together)}
	for at := 0; at < len(v.first); at += len(b.Examples) {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		b.Examples = b.Examples[:0]
		for _, i := range v.first[at:min(at+together, len(v.first))] {
			b.Examples = append(b.Examples, v.examples[i])
		}
		if err := v.engine.Predict(&b, v.graphs[at*v.targets:][:len(b.Examples)*v.targets]); err != nil {
			return fmt.Errorf("predicting rows %v: %w", rows(&b), err)
		}
	}
	return nil
}

// row is the last run's prediction of example i, scaled.
func (v *evaluator) row(i int) []float32 {
	return v.graphs[v.of[i]*v.targets:][:v.targets]
}

// Predict returns the scaled predictions of examples, [len(examples), targets]
// row-major, without dropout, with the engine's weights as they are. Equal
// graphs are computed once.
func Predict(ctx context.Context, e nn.Engine, examples []nn.Example, targets int) ([]float32, error) {
	v := newEvaluator(e, examples, targets)
	if err := v.run(ctx); err != nil {
		return nil, err
	}
	out := make([]float32, 0, len(examples)*v.targets)
	for i := range examples {
		out = append(out, v.row(i)...)
	}
	return out, nil
}
