//go:build gpu

package cuda

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"polyid-trainer/nn"
	"polyid-trainer/nn/enginetest"
)

// What needs a device. Nothing here has been run yet: see the package comment.

// openReal opens the first device.
func openReal(t testing.TB, folds int) *Device {
	t.Helper()
	drv, err := openDriver(0)
	if err != nil {
		t.Fatal(err)
	}
	d, err := openDevice(drv, Options{Folds: folds})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Logf("%+v", d.Info())
	return d
}

func TestOnDeviceEngine(t *testing.T) {
	d := openReal(t, 1)
	t.Run("Device", func(t *testing.T) { enginetest.Exercise(t, d.NewEngine) })
}

func TestOnDeviceAgreesWithCPU(t *testing.T) {
	d := openReal(t, 1)
	agree(t, d, small, smallNoise, 35, 10, 1e-4)
	agree(t, d, nn.DefaultConfig(), fullNoise, 35, 10, 1e-7)
}

// However many blocks share the tiles, the bits are the same.
func TestOnDeviceDeterminism(t *testing.T) {
	c := nn.DefaultConfig()
	var first *nn.State
	for _, folds := range []int{1, 3, 8} {
		d := openReal(t, folds)
		e := newEngine(t, d.NewEngine, c, enginetest.ShippedSizes)
		for i, ex := range enginetest.ShippedExamples(t, c)[:20] {
			step(t, e, &nn.Batch{Examples: []nn.Example{ex}, Epoch: i}, enginetest.DefaultAdam)
		}
		got := state(t, e)
		if first == nil {
			first = got
		}
		if !slices.Equal(got.Weights.Slab, first.Weights.Slab) || !slices.Equal(got.V.Slab, first.V.Slab) {
			t.Errorf("a grid of %d blocks gives other bits", d.blocks)
		}
	}
}

// BenchmarkStepOnDevice is one training step in each of several folds at once.
func BenchmarkStepOnDevice(b *testing.B) {
	c := nn.DefaultConfig()
	examples := enginetest.ShippedExamples(b, c)
	for _, folds := range []int{1, 2, 4, 8} {
		b.Run(fmt.Sprintf("folds=%d", folds), func(b *testing.B) {
			d := openReal(b, folds)
			engines := make([]nn.Engine, folds)
			for i := range engines {
				engines[i] = newEngine(b, d.NewEngine, c, enginetest.ShippedSizes)
				for k := range examples { // brings all plans
					step(b, engines[i], &nn.Batch{Examples: examples[k : k+1]}, enginetest.DefaultAdam)
				}
			}
			b.ResetTimer()
			var wg sync.WaitGroup
			for _, e := range engines {
				wg.Go(func() {
					for i := range b.N {
						const stride = 37
						in := nn.Batch{Examples: examples[i*stride%len(examples):][:1]}
						if _, err := e.Step(&in, enginetest.DefaultAdam); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
			b.ReportMetric(float64(b.Elapsed().Microseconds())/1e3/float64(b.N), "ms/step")
		})
	}
}
