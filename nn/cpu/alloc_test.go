package cpu

import (
	"math"
	"runtime"
	"testing"

	"polyid-trainer/nn"
	"polyid-trainer/nn/enginetest"
	"polyid-trainer/nn/kernel"
)

// directly runs the operators in order, as the graph does, without it.
func (e *engine[T]) directly(backward bool) func() error {
	return func() error { e.direct(backward); return nil }
}

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

// Nothing of this project's allocates in a step or a prediction: joining plans,
// the operators with dropout, Adam; whether a batch is one polymer, one group,
// several, or several parts. AllocsPerRun counts the whole process, so this test
// is not parallel.
func TestOperatorsDoNotAllocate(t *testing.T) {
	c := nn.Config{AtomFeatures: 16, NumMessages: 3, Dropout: 0.1}.WithDefaults()
	examples := enginetest.ShippedExamples(t, c)[:20]
	for _, tc := range []struct {
		what         string
		size         int // of a batch
		rows, states int
	}{
		{"one polymer", 1, rowsTogether, statesAtOnce},
		{"one group", len(examples), math.MaxInt, statesAtOnce},
		{"several groups", len(examples), 1, statesAtOnce},
		{"several parts", len(examples), rowsTogether, 1},
	} {
		e, err := newEngine(kernel.Best(), c, enginetest.ShippedSizes, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		e.rowsTogether, e.statesAtOnce = tc.rows, tc.states
		dst := make([]float32, tc.size*enginetest.ShippedSizes.Targets)
		pass := func() {
			for at := 0; at < len(examples); at += tc.size {
				b := nn.Batch{Examples: examples[at : at+tc.size]}
				if _, err := e.step(&b, enginetest.DefaultAdam, e.directly(true)); err != nil {
					t.Fatal(err)
				}
				if err := e.predict(&b, dst, e.directly(false)); err != nil {
					t.Fatal(err)
				}
			}
		}
		pass() // makes what is made once
		if n := testing.AllocsPerRun(5, pass); n != 0 {
			t.Errorf("%s: %v allocations in %d rows", tc.what, n, len(examples))
		}
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
