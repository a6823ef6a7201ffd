package cpu_test

import (
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
		step := func(i int) {
			batch := nn.Batch{Examples: examples[i%len(examples):][:1]}
			if _, err := e.Step(&batch, enginetest.DefaultAdam); err != nil {
				b.Fatal(err)
			}
		}
		for i := range examples { // the arena grows to the largest
			step(i)
		}
		b.ReportAllocs()
		i := 0
		for b.Loop() {
			step(i * 37)
			i++
		}
		b.ReportMetric(float64(b.Elapsed().Microseconds())/1e3/float64(b.N), "ms/step")
	})
}

// BenchmarkPredict is one forward pass with the plan at hand.
func BenchmarkPredict(b *testing.B) {
	benchmark(b, func(b *testing.B, e nn.Engine, examples []nn.Example) {
		dst := make([]float32, enginetest.ShippedSizes.Targets)
		b.ReportAllocs()
		i := 0
		for b.Loop() {
			batch := nn.Batch{Examples: examples[i*37%len(examples):][:1]}
			if err := e.Predict(&batch, dst); err != nil {
				b.Fatal(err)
			}
			i++
		}
		b.ReportMetric(float64(b.Elapsed().Microseconds())/1e3/float64(b.N), "ms/polymer")
	})
}
