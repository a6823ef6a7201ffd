package train

import (
	"context"
	"math"
	"testing"

	"polyid-trainer/nn"
)

// annotatedSet is examples with weights and bounds.
type annotatedSet struct {
	Examples
	weights []float64
	bounds  [][]nn.Bound
}

func (a annotatedSet) Weight(i int) float64    { return a.weights[i] }
func (a annotatedSet) Bounds(i int) []nn.Bound { return a.bounds[i] }

// A row counts what it weighs, and one that weighs nothing is not learned from; a
// bound pulls a prediction that breaks it, and leaves one that keeps it alone.
func TestWeightsAndBounds(t *testing.T) {
	nan := float32(math.NaN())
	rows := fakeExamples(4)
	for i := range rows {
		rows[i].Target = []float32{0, nan}
	}
	rows[2].Target, rows[3].Target = []float32{nan, nan}, []float32{nan, nan}
	set := annotatedSet{rows, []float64{2, 0, 1, 1}, [][]nn.Bound{nil, nil, {{Target: 1, Value: 100, Side: 1}}, {{Target: 1, Value: 100, Side: -1}}}}
	f := newFake(1)
	seen := map[int][]float32{}
	weight := map[int]float32{}
	f.onStep = func(_ int64, b *nn.Batch) (float64, bool, error) {
		for _, ex := range b.Examples {
			seen[ex.Row] = append([]float32(nil), ex.Target...)
			weight[ex.Row] = ex.Weight
		}
		return 0, false, nil
	}
	c := DefaultConfig()
	c.Epochs = 1
	if _, err := Fit(context.Background(), f, Data{Train: set, Validate: rows[:2], Scale: []float64{1, 1}}, c, Options{}); err != nil {
		t.Fatal(err)
	}
	if weight[rows[0].Row] != 2 {
		t.Errorf("weights in steps %v", weight)
	}
	if _, learned := seen[rows[1].Row]; learned {
		t.Error("a row of weight 0 was learned from")
	}
	if y := seen[rows[2].Row]; len(y) != 2 || y[1] != 100 {
		t.Errorf("a bound that is broken is learned as %v", y)
	}
	if y, learned := seen[rows[3].Row]; learned {
		t.Errorf("a bound that is kept is learned as %v", y)
	}
}

// The validation loss is a weighted mean, the errors of targets are not.
func TestValidationWeighs(t *testing.T) {
	rows := fakeExamples(2)
	for i := range rows {
		rows[i].Target = []float32{float32(i), float32(i)}
	}
	v := newEvaluator(newFake(1), annotatedSet{rows, []float64{3, 1}, make([][]nn.Bound, 2)}, 2)
	for i := range v.graphs { // both predicted as 0, whatever the weights
		v.graphs[i] = 0
	}
	s, _, _ := v.score(1e6)
	if math.Abs(s.loss-0.25) > 1e-9 || math.Abs(float64(s.mae[0])-0.5) > 1e-9 {
		t.Errorf("loss %v, errors %v", s.loss, s.mae)
	}
}

// fakeExamples are the first training rows of tiny.
func fakeExamples(n int) Examples {
	return append(Examples(nil), tiny().Train.(Examples)[:n]...)
}
