package cpu_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"polyid-trainer/nn"
	"polyid-trainer/nn/cpu"
	"polyid-trainer/nn/enginetest"
	"polyid-trainer/nn/kernel"
)

// The default job's network on the shipped polymers, at batch 1.
func benchmark(b *testing.B, run func(b *testing.B, e nn.Engine, examples []nn.Example)) {
	examples := enginetest.ShippedExamples(b, nn.DefaultConfig())
	for _, path := range kernel.Available() {
		b.Run("impl="+path, func(b *testing.B) {
			newEngine, err := cpu.NewPath(path)
			if err != nil {
				b.Fatal(err)
			}
			e, err := newEngine(nn.DefaultConfig(), enginetest.ShippedSizes, 0)
			if err != nil {
				b.Fatal(err)
			}
			defer e.Close()
			run(b, e, examples)
		})
	}
}

// BenchmarkStep is one training step on batches of the CSV's rows. Rows of one
// graph share its passes through the network, so that a step's time depends on
// how many distinct graphs a batch has; batches of distinct ones show the cost of
// one.
func BenchmarkStep(b *testing.B) {
	for _, size := range []int{1, 8, 32} {
		b.Run(fmt.Sprintf("batch=%d", size), func(b *testing.B) {
			benchmark(b, func(b *testing.B, e nn.Engine, examples []nn.Example) {
				benchmarkSteps(b, e, examples, size)
			})
		})
		if size > 1 {
			b.Run(fmt.Sprintf("distinct=%d", size), func(b *testing.B) {
				benchmark(b, func(b *testing.B, e nn.Engine, examples []nn.Example) {
					benchmarkSteps(b, e, distinct(examples), size)
				})
			})
		}
	}
}

// distinct is the first row of each graph.
func distinct(examples []nn.Example) []nn.Example {
	var out []nn.Example
	for _, x := range examples {
		if !slices.ContainsFunc(out, func(y nn.Example) bool { return y.Plan.Equal(x.Plan) }) {
			out = append(out, x)
		}
	}
	return out
}

func benchmarkSteps(b *testing.B, e nn.Engine, examples []nn.Example, size int) {
	warm(b, e, examples, size)
	b.ReportAllocs()
	steps(b, e, examples, size, b.N)
	b.ReportMetric(float64(b.Elapsed().Microseconds())/1e3/float64(b.N*size), "ms/polymer")
}

// BenchmarkFolds is one training step in each of several engines at once, as a
// worker trains several folds: what they take from one another is memory
// bandwidth.
func BenchmarkFolds(b *testing.B) {
	examples := enginetest.ShippedExamples(b, nn.DefaultConfig())
	for _, folds := range []int{1, 2} {
		b.Run(fmt.Sprintf("impl=%s/folds=%d", kernel.Best().Path(), folds), func(b *testing.B) {
			engines := make([]nn.Engine, folds)
			for i := range engines {
				e, err := cpu.New(nn.DefaultConfig(), enginetest.ShippedSizes, uint64(i))
				if err != nil {
					b.Fatal(err)
				}
				defer e.Close()
				warm(b, e, examples, 1)
				engines[i] = e
			}
			b.ResetTimer()
			var wg sync.WaitGroup
			for _, e := range engines {
				wg.Go(func() { steps(b, e, examples, 1, b.N) })
			}
			wg.Wait()
			b.ReportMetric(float64(b.Elapsed().Microseconds())/1e3/float64(b.N), "ms/step")
		})
	}
}

// warm grows an engine's arena to about the largest batch.
func warm(b *testing.B, e nn.Engine, examples []nn.Example, size int) {
	largest := slices.Clone(examples)
	slices.SortFunc(largest, func(x, y nn.Example) int { return y.Plan.Bytes() - x.Plan.Bytes() })
	steps(b, e, largest, size, 1)
	b.ResetTimer()
}

// steps trains n steps, on examples in an order that mixes sizes.
func steps(b *testing.B, e nn.Engine, examples []nn.Example, size, n int) {
	const stride = 37 // shares no factor with the number of rows
	batch := nn.Batch{Examples: make([]nn.Example, size)}
	for i := range n * size {
		batch.Examples[i%size] = examples[i*stride%len(examples)]
		if i%size < size-1 {
			continue
		}
		if _, err := e.Step(&batch, enginetest.DefaultAdam); err != nil {
			b.Error(err)
			return
		}
	}
}

// BenchmarkPredict is forward passes with the plans at hand, of so many polymers
// in a batch.
func BenchmarkPredict(b *testing.B) {
	for _, size := range []int{1, 2, 4, 8, 16} {
		b.Run(fmt.Sprintf("batch=%d", size), func(b *testing.B) {
			benchmark(b, func(b *testing.B, e nn.Engine, examples []nn.Example) {
				batch := nn.Batch{Examples: make([]nn.Example, size)}
				dst := make([]float32, size*enginetest.ShippedSizes.Targets)
				b.ReportAllocs()
				i := 0
				for b.Loop() {
					for k := range batch.Examples {
						batch.Examples[k] = examples[i*37%len(examples)]
						i++
					}
					if err := e.Predict(&batch, dst); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Microseconds())/1e3/float64(i), "ms/polymer")
			})
		})
	}
}
