package cpu

import (
	"runtime"
	"testing"

	"polyid-trainer/nn"
	"polyid-trainer/nn/enginetest"
	"polyid-trainer/nn/kernel"
)

// direct runs the operators in order, as the graph does, without it.
func (e *engine[T]) direct(backward bool) {
	e.Embed()
	for j := range e.config.NumMessages {
		e.Block(j)
	}
	e.Heads()
	if !backward {
		return
	}
	e.HeadsBackward()
	for j := e.config.NumMessages - 1; j >= 0; j-- {
		e.BlockBackward(j)
	}
	e.EmbedBackward()
}

// Nothing of this project's allocates in a step or a prediction: binding an
// example, the operators with dropout, Adam. AllocsPerRun counts the whole
// process, so this test is not parallel.
func TestOperatorsDoNotAllocate(t *testing.T) {
	c := nn.Config{AtomFeatures: 16, NumMessages: 3, Dropout: 0.1}.WithDefaults()
	e, err := newEngine(kernel.Best(), c, enginetest.ShippedSizes, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	examples := enginetest.ShippedExamples(t, c)[:4]
	for i := range examples { // make what is made once
		for _, b := range []nn.Batch{{Examples: examples[i : i+1]}, {Examples: examples}} {
			if _, err := e.Step(&b, enginetest.DefaultAdam); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, stream := range []bool{true, false} {
		e.stream, e.scale = stream, 1
		if n := testing.AllocsPerRun(5, func() {
			for i := range examples {
				e.bind(examples[i:i+1], true)
				e.direct(true)
			}
		}); n != 0 {
			t.Errorf("stream %v: %v allocations in %d steps", stream, n, len(examples))
		}
	}
	if n := testing.AllocsPerRun(5, func() {
		e.bind(examples, false)
		e.direct(false)
	}); n != 0 {
		t.Errorf("%v allocations in a prediction", n)
	}
}

// What Gorgonia's machine allocates in a step of the default network.
func TestGraphAllocatesLittle(t *testing.T) {
	const bound = 100_000 // bytes a step
	c := nn.Config{AtomFeatures: 4}.WithDefaults()
	e, err := newEngine(kernel.Best(), c, enginetest.ShippedSizes, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	b := nn.Batch{Examples: enginetest.ShippedExamples(t, c)[:1]}
	step := func() {
		if _, err := e.Step(&b, enginetest.DefaultAdam); err != nil {
			t.Fatal(err)
		}
	}
	step()
	var before, after runtime.MemStats
	const steps = 20
	runtime.ReadMemStats(&before)
	for range steps {
		step()
	}
	runtime.ReadMemStats(&after)
	bytes := (after.TotalAlloc - before.TotalAlloc) / steps
	t.Logf("%d bytes, %d allocations a step", bytes, (after.Mallocs-before.Mallocs)/steps)
	if bytes > bound {
		t.Errorf("a step allocates %d bytes, more than %d", bytes, bound)
	}
}
