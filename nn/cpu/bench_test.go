package cpu_test

import (
	"fmt"
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

// BenchmarkStep is one training step, a row of the CSV at a time.
func BenchmarkStep(b *testing.B) {
	benchmark(b, func(b *testing.B, e nn.Engine, examples []nn.Example) {
		warm(b, e, examples)
		b.ReportAllocs()
		steps(b, e, examples, b.N)
		b.ReportMetric(float64(b.Elapsed().Microseconds())/1e3/float64(b.N), "ms/step")
	})
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
				warm(b, e, examples)
				engines[i] = e
			}
			b.ResetTimer()
			var wg sync.WaitGroup
			for _, e := range engines {
				wg.Go(func() { steps(b, e, examples, b.N) })
			}
			wg.Wait()
			b.ReportMetric(float64(b.Elapsed().Microseconds())/1e3/float64(b.N), "ms/step")
		})
	}
}

// warm grows an engine's arena to the largest polymer.
func warm(b *testing.B, e nn.Engine, examples []nn.Example) {
	largest := 0
	for i := range examples {
		if examples[i].Plan.Bytes() > examples[largest].Plan.Bytes() {
			largest = i
		}
	}
	steps(b, e, examples[largest:largest+1], 1)
	b.ResetTimer()
}

// steps trains n steps, on examples in an order that mixes sizes.
func steps(b *testing.B, e nn.Engine, examples []nn.Example, n int) {
	const stride = 37 // shares no factor with the number of rows
	for i := range n {
		batch := nn.Batch{Examples: examples[i*stride%len(examples):][:1]}
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
