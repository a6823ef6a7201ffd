//go:build gpu

package cuda

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"polyid-trainer/nn"
	"polyid-trainer/nn/cpu"
	"polyid-trainer/nn/enginetest"
	"polyid-trainer/nn/train"
)

// What is to be measured where there is a GPU: see on_device.sh.

// The default job: 5 folds of 500 epochs.
const jobFolds, jobEpochs = 5, 500

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
			perStep := b.Elapsed().Seconds() / float64(b.N)
			b.ReportMetric(1e3*perStep, "ms/step")
			b.ReportMetric(1e3*perStep/float64(folds), "ms/step-of-all")
		})
	}
}

// BenchmarkGridOnDevice is one fold's step on as much of the device as several
// folds would leave it, and the forward part of it: how much of a step is
// arithmetic, which the grid's size divides, and how much barriers, which it
// does not.
func BenchmarkGridOnDevice(b *testing.B) {
	c := nn.DefaultConfig()
	examples := enginetest.ShippedExamples(b, c)
	for _, folds := range []int{1, 2, 4, 8, 16} {
		d := openReal(b, folds)
		e := newEngine(b, d.NewEngine, c, enginetest.ShippedSizes)
		for k := range examples { // brings all plans
			step(b, e, &nn.Batch{Examples: examples[k : k+1]}, enginetest.DefaultAdam)
		}
		out := make([]float32, enginetest.ShippedSizes.Targets)
		run := func(what string, f func(*nn.Batch) error) {
			b.Run(fmt.Sprintf("blocks=%d/%s", d.blocks, what), func(b *testing.B) {
				for i := range b.N {
					if err := f(&nn.Batch{Examples: examples[i%len(examples):][:1]}); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
		run("step", func(in *nn.Batch) error { _, err := e.Step(in, enginetest.DefaultAdam); return err })
		run("forward", func(in *nn.Batch) error { return e.Predict(in, out) })
	}
}

// fold is every fifth shipped row for validation, the others for training.
func fold(t *testing.T, c nn.Config) train.Data {
	var learned, validated train.Examples
	for i, ex := range enginetest.ShippedExamples(t, c) {
		if i%jobFolds == 0 {
			validated = append(validated, ex)
		} else {
			learned = append(learned, ex)
		}
	}
	return train.Data{Train: learned, Validate: validated, Scale: enginetest.ShippedScale}
}

// One fold of the default job in full, on the device; the whole job's time by
// it, were its folds to run one after the other.
func TestLongFoldOnDevice(t *testing.T) {
	long(t)
	d := openReal(t, 1)
	if isEmulated(d) {
		t.Skip("500 epochs of the full network take days on the host")
	}
	learn(t, d.NewEngine, nn.DefaultConfig(), jobEpochs, 0.5)
}

// A fold of a small network learns on the device as on the CPU.
func TestOnDeviceLearns(t *testing.T) {
	d := openReal(t, 1)
	c := nn.Config{AtomFeatures: 8, MolFeatures: 2, NumMessages: 1, Dropout: 0.05}.WithDefaults()
	got, want := learn(t, d.NewEngine, c, 3, 1), learn(t, cpu.New, c, 3, 1)
	if d := got/want - 1; !(d < 0.02 && d > -0.02) {
		t.Errorf("the best val_loss is %v, the CPU's %v", got, want)
	}
}

// learn trains a fold and returns its best val_loss, which is to be below most
// times the first.
func learn(t *testing.T, newEngine nn.NewEngine, c nn.Config, epochs int, most float64) float64 {
	t.Helper()
	tc := train.DefaultConfig()
	tc.Epochs = epochs
	e, err := newEngine(c, enginetest.ShippedSizes, train.FoldSeed(tc.Seed, 0))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	data := fold(t, c)
	began := time.Now()
	r, err := train.Fit(t.Context(), e, data, tc, train.Options{})
	if err != nil {
		t.Fatal(err)
	}
	took := time.Since(began)
	h := r.Progress.History
	best, ok := r.Progress.Best()
	t.Logf("%s: %d epochs of %d steps in %.1f s, %.2f ms a step, validation included; five such folds of %d epochs, one after the other: %.2f h; best val_loss %.4f (epoch %d), %.4f after the first",
		e.Path(), len(h), data.Train.Len(), took.Seconds(), 1e3*took.Seconds()/float64(len(h)*data.Train.Len()),
		jobEpochs, jobFolds*took.Hours()*jobEpochs/float64(len(h)), best.ValLoss, best.Epoch, h[0].ValLoss)
	if !ok || float64(best.ValLoss) > most*float64(h[0].ValLoss) {
		t.Errorf("it does not learn: val_loss %.4f after the first epoch, %.4f at best", h[0].ValLoss, best.ValLoss)
	}
	return float64(best.ValLoss)
}
