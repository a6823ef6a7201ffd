package cpu

import (
	"testing"

	"polyid-trainer/nn"
	"polyid-trainer/nn/enginetest"
	"polyid-trainer/nn/kernel"
)

// BenchmarkGraph is what running the operators as a Gorgonia graph costs: a
// step with the graph, and the same operators called in a loop, on one polymer.
func BenchmarkGraph(b *testing.B) {
	c := nn.DefaultConfig()
	e, err := newEngine(kernel.Best(), c, enginetest.ShippedSizes, 0)
	if err != nil {
		b.Fatal(err)
	}
	defer e.Close()
	batch := nn.Batch{Examples: enginetest.ShippedExamples(b, c)[:1]}
	if _, err := e.Step(&batch, enginetest.DefaultAdam); err != nil {
		b.Fatal(err)
	}
	b.Run("impl=gorgonia", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := e.model.Step(); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("impl=loop", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			e.direct(true)
		}
	})
}

// The graph computes what the loop does, to the bit.
func TestGraphIsTheLoop(t *testing.T) {
	t.Parallel()
	c := nn.Config{AtomFeatures: 16, NumMessages: 3, Dropout: 0.1}.WithDefaults()
	var states [2]nn.State
	for i := range states {
		e, err := newEngine(kernel.Best(), c, enginetest.ShippedSizes, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		batch := nn.Batch{Examples: enginetest.ShippedExamples(t, c)[:1]}
		if _, err := e.Step(&batch, enginetest.DefaultAdam); err != nil {
			t.Fatal(err)
		}
		clear(e.grad.vectors)
		if i == 0 {
			err = e.model.Step()
		} else {
			e.direct(true)
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := e.State(&states[i]); err != nil {
			t.Fatal(err)
		}
	}
	for name, got := range states[0].Weights.Tensors() {
		want, _ := states[1].Weights.Tensor(name)
		for k := range want.Data {
			if got.Data[k] != want.Data[k] {
				t.Fatalf("%s[%d] is %v with the graph, %v without", name, k, got.Data[k], want.Data[k])
			}
		}
	}
}
