package enginetest

import (
	"slices"
	"testing"

	"polyid-trainer/nn"
	"polyid-trainer/nn/plan"
)

// batchSizes are those that the suite trains with: one polymer, a few, and more
// than a fold of newTraining has.
var batchSizes = []int{1, 7, 32}

// sumOfSingles checks that the gradient of a batch is the sum of its rows'
// gradients, each weighted by the row's share of the batch's measured targets,
// whichever rows share a graph, with dropout and without.
func (x exerciser) sumOfSingles(t *testing.T) {
	const tolerance = 1e-5 // over the largest element of a tensor
	for _, dropout := range []float64{0, 0.1} {
		c := nn.Config{AtomFeatures: 20, MolFeatures: 5, NumMessages: 3, Dropout: dropout}.WithDefaults()
		params := RandomParams(c, ShippedSizes, 6)
		examples := ShippedExamples(t, c)
		for _, size := range batchSizes {
			b := &nn.Batch{Epoch: 3, Examples: spread(examples, size)}
			wantLoss, want := x.singles(t, c, params, b)
			loss, got := gradient(t, x.engine(t, c, ShippedSizes, params), b)
			if d := loss/wantLoss - 1; d > tolerance || d < -tolerance {
				t.Errorf("dropout %v, batch of %d: loss %v, its rows have %v", dropout, size, loss, wantLoss)
			}
			worst := 0.0
			for _, s := range nn.Layout(c, ShippedSizes) {
				if Undetermined(s.Name) {
					continue
				}
				d := Apart(widen(got.Slab[s.Off:s.Off+s.Size()]), want[s.Off:s.Off+s.Size()])
				if worst = max(worst, d); d > tolerance {
					t.Errorf("dropout %v, batch of %d: gradient of %s is %.1e off the sum over its rows", dropout, size, s.Name, d)
				}
			}
			t.Logf("dropout %v, batch of %d: gradients within %.1e", dropout, size, worst)
		}
	}
}

// spread is size of the examples, of all sizes, some of one graph.
func spread(examples []nn.Example, size int) []nn.Example {
	const stride = 37 // shares no factor with the number of rows
	var out []nn.Example
	for i := range size {
		out = append(out, examples[i*stride%len(examples)])
	}
	return out
}

// singles is what the rows of b add up to, one at a time.
func (x exerciser) singles(t *testing.T, c nn.Config, params *nn.Params, b *nn.Batch) (loss float64, grad []float64) {
	t.Helper()
	total, err := b.CheckStep(c, ShippedSizes)
	if err != nil {
		t.Fatal(err)
	}
	grad = make([]float64, len(params.Slab))
	e := x.engine(t, c, ShippedSizes, nil)
	for i := range b.Examples {
		one := &nn.Batch{Epoch: b.Epoch, Examples: b.Examples[i : i+1]}
		measured, err := one.CheckStep(c, ShippedSizes)
		if err != nil {
			t.Fatal(err)
		}
		if err := e.SetState(&nn.State{Weights: params}); err != nil {
			t.Fatal(err)
		}
		share := float64(measured) / float64(total)
		l, g := gradient(t, e, one)
		loss += share * l
		for k, v := range g.Slab {
			grad[k] += share * float64(v)
		}
	}
	return loss, grad
}

// batchesRepeat trains with each batch size, the last batch ragged or larger
// than all there is: two runs agree to the bit, and so does one that goes on in
// another engine, whether examples share plans or have each a plan of its own.
func (x exerciser) batchesRepeat(t *testing.T) {
	tr := newTraining(t)
	own := slices.Clone(tr.examples)
	distinct, shipped := ReadShipped(t).Distinct, ReadShipped(t).Row
	var b plan.Builder
	for i := range own {
		own[i].Plan = b.Build(distinct[shipped[own[i].Row]].Graph(), tr.config.NumMessages)
	}
	for _, size := range batchSizes {
		epoch := func(e nn.Engine, examples []nn.Example, n int) (losses []float64) {
			for part := range slices.Chunk(examples, size) {
				losses = append(losses, step(t, e, &nn.Batch{Examples: part, Epoch: n}, DefaultAdam))
			}
			return losses
		}
		one, other, resumed := x.engine(t, tr.config, tr.sizes, nil), x.engine(t, tr.config, tr.sizes, nil), x.engine(t, tr.config, tr.sizes, nil)
		if !slices.Equal(epoch(one, tr.examples, 0), epoch(other, own, 0)) {
			t.Errorf("batches of %d: losses depend on whether examples share plans", size)
		}
		if err := resumed.SetState(state(t, one)); err != nil {
			t.Fatal(err)
		}
		want := epoch(one, tr.examples, 1)
		if !slices.Equal(epoch(other, own, 1), want) || !equalStates(state(t, one), state(t, other)) {
			t.Errorf("batches of %d: two runs differ", size)
		}
		if !slices.Equal(epoch(resumed, tr.examples, 1), want) || !equalStates(state(t, one), state(t, resumed)) {
			t.Errorf("batches of %d: a resumed run differs from one that went on", size)
		}
	}
}
