package cpu

import (
	"math"
	"testing"

	"polyid-trainer/nn"
	"polyid-trainer/nn/enginetest"
	"polyid-trainer/nn/kernel"
)

// In float64 the gradient of a batch is the sum of its rows', however the rows
// are cut into groups and parts.
func TestBatchIsTheSumOfItsRows(t *testing.T) {
	t.Parallel()
	const tolerance = 1e-12
	c := nn.Config{AtomFeatures: 8, MolFeatures: 3, NumMessages: 4, Dropout: 0.1}.WithDefaults()
	s := enginetest.ShippedSizes
	params := enginetest.RandomParams(c, s, 2)
	examples := enginetest.ShippedExamples(t, c)
	for _, size := range []int{2, 7, 32} {
		b := nn.Batch{Epoch: 2}
		for i := range size {
			b.Examples = append(b.Examples, examples[i*37%len(examples)])
		}
		total, err := b.CheckStep(c, s)
		if err != nil {
			t.Fatal(err)
		}
		wantLoss, want := 0.0, make([]float64, nn.NumParams(c, s))
		for i := range b.Examples {
			one := nn.Batch{Epoch: b.Epoch, Examples: b.Examples[i : i+1]}
			measured, err := one.CheckStep(c, s)
			if err != nil {
				t.Fatal(err)
			}
			share := float64(measured) / float64(total)
			loss, grad := gradient(t, exact(t, c, s, params), &one)
			wantLoss += share * loss
			for k, g := range grad {
				want[k] += share * g
			}
		}
		for _, tc := range []struct {
			what         string
			rows, states int
		}{
			{"one group", math.MaxInt, math.MaxInt},
			{"groups of some polymers", 200, math.MaxInt},
			{"a group for each graph", 1, math.MaxInt},
			{"a part for each graph", math.MaxInt, 1},
			{"parts of several groups", 100, 100_000},
		} {
			e := exact(t, c, s, params)
			e.rowsTogether, e.statesAtOnce = tc.rows, tc.states
			loss, grad := gradient(t, e, &b)
			if math.Abs(loss-wantLoss) > tolerance {
				t.Errorf("%d rows, %s: loss %v, want %v", size, tc.what, loss, wantLoss)
			}
			for _, spec := range nn.Layout(c, s) {
				if enginetest.Undetermined(spec.Name) {
					continue
				}
				if d := enginetest.Apart(grad[spec.Off:spec.Off+spec.Size()], want[spec.Off:spec.Off+spec.Size()]); d > tolerance {
					t.Errorf("%d rows, %s: the gradient of %s is %.1e off", size, tc.what, spec.Name, d)
				}
			}
		}
	}
}

// A batch larger than what is held at once is cut into parts, whose states take
// no more than the bound, unless one graph does; equal graphs are one.
func TestPartsAreBounded(t *testing.T) {
	t.Parallel()
	c := nn.Config{AtomFeatures: 16, NumMessages: 3, Dropout: 0.1}.WithDefaults()
	e, err := newEngine(kernel.Best(), c, enginetest.ShippedSizes, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	examples := enginetest.ShippedExamples(t, c)
	e.start(examples)
	if len(e.batch.graphs) > 35 {
		t.Errorf("%d graphs of %d rows, the table has 35", len(e.batch.graphs), len(examples))
	}
	whole := 0
	for i := range e.batch.graphs {
		whole += e.elements(&e.batch.graphs[i])
	}
	e.statesAtOnce = whole / 4
	parts := 0
	for rest := e.batch.graphs; len(rest) > 0; parts++ {
		n := e.atOnce(rest)
		e.bind(rest[:n], true)
		// What is beside the states is vectors and one group's work space.
		if bound := e.statesAtOnce + e.statesAtOnce/4; len(e.arena) > bound {
			t.Errorf("a part of %d graphs takes %d elements, more than %d", n, len(e.arena), bound)
		}
		rest = rest[n:]
	}
	if parts < 4 || parts > 6 {
		t.Errorf("%d parts of a fourth at most", parts)
	}
	e.statesAtOnce = 0
	if n := e.atOnce(e.batch.graphs); n != 1 {
		t.Errorf("%d graphs where none fits, want 1", n)
	}
}
