//go:build gpu

package cuda

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"polyid-trainer/nn"
	"polyid-trainer/nn/enginetest"
)

// What goes by gpu.go and gorgonia.org/cu. With build.sh --emulated the device
// is one that runs the kernels on the host, a few times slower than the shim's:
// then the full network is left out. On a real device nothing is.

// emulated is the model of build.sh's device.
const emulated = "Emulated GPU"

// openReal opens the first device.
func openReal(t testing.TB, folds int) *Device {
	t.Helper()
	if n, err := count(); err != nil || n == 0 {
		t.Skipf("%d devices, %v: run this on a machine with a GPU, or by build.sh --emulated", n, err)
	}
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

// isEmulated reports whether d is too slow for the full network.
func isEmulated(d *Device) bool { return d.Info().Model == emulated }

func TestOnDeviceEngine(t *testing.T) {
	d := openReal(t, 1)
	var except []string
	if isEmulated(d) {
		except = []string{enginetest.Long, "PolyID/Full"}
	}
	t.Run("Device", func(t *testing.T) { enginetest.Exercise(t, d.NewEngine, except...) })
}

func TestOnDeviceAgreesWithCPU(t *testing.T) {
	d := openReal(t, 1)
	if isEmulated(d) {
		agree(t, d, small, smallNoise, 4, 10, 1e-4)
		return
	}
	agree(t, d, small, smallNoise, 35, 10, 1e-4)
	agree(t, d, nn.DefaultConfig(), fullNoise, 35, 10, 1e-7)
}

// However many blocks share the tiles, the bits are the same; and on a device
// that is opened anew.
func TestOnDeviceDeterminism(t *testing.T) {
	c, n := nn.DefaultConfig(), 20
	var first *nn.State
	for _, folds := range []int{1, 3, 8, 1} {
		d := openReal(t, folds)
		if isEmulated(d) {
			c, n = small, 4
		}
		e := newEngine(t, d.NewEngine, c, enginetest.ShippedSizes)
		for i, ex := range enginetest.ShippedExamples(t, c)[:n] {
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

// onEmulated skips a test that scripts the driver, unless it can.
func onEmulated(t *testing.T) {
	t.Helper()
	drv, err := openDriver(0)
	if err != nil {
		t.Skipf("%v: run this by build.sh --emulated", err)
	}
	info, err := drv.describe()
	if err := errors.Join(err, drv.close()); err != nil {
		t.Fatal(err)
	}
	if info.Model != emulated {
		t.Skip("a real driver does not fail by script: run this by build.sh --emulated")
	}
}

// Whatever fails, at whichever of its calls, ends in the typed error of its
// code, which names device and call; nothing hangs, and everything can be closed.
func TestEmulatedFaults(t *testing.T) {
	onEmulated(t)
	examples := polymers(t, small)
	for _, tc := range []struct {
		script string
		want   error // nil: none of this package's
		says   string
		lost   bool
	}{
		{"cuDevicePrimaryCtxRetain 0 2", ErrOutOfMemory, "cuda:0: open a context", false},
		{"cuDevicePrimaryCtxRetain 0 101", nil, "cuda:0: open a context", false},
		{"cuModuleLoadData 0 218", nil, "cuda:0: load the kernel", false},
		{"cuModuleGetFunction 0 500", nil, "cuda:0: load the kernel", false},
		{"cuMemGetInfo_v2 0 214", ErrECC, "cuda:0: describe the device", true},
		{"cuMemAlloc_v2 0 2", ErrOutOfMemory, "cuda:0: reserve an arena", false},
		{"cuStreamCreate 0 719", ErrLost, "cuda:0: make a stream", true},
		{"cuMemcpyHtoDAsync_v2 0 719", ErrLost, "cuda:0: place the weights", true},
		{"cuMemcpyHtoDAsync_v2 3 46", ErrLost, "cuda:0: copy a plan", true},
		{"cuMemsetD32Async 1 700", ErrLost, "cuda:0: clear Adam's moments", true},
		{"cuLaunchCooperativeKernel 0 720", nil, "cuda:0: launch", false},
		{"cuLaunchCooperativeKernel 2 719", ErrLost, "cuda:0: launch", true},
		{"step 0 700", ErrLost, "cuda:0: run", true},
		{"step 2 214", ErrECC, "cuda:0: run", true},
		{"cuMemcpyDtoHAsync_v2 3 999", ErrLost, "cuda:0: run", true},
		{"cuStreamSynchronize 2 717", ErrLost, "cuda:0:", true},
	} {
		t.Run(tc.script, func(t *testing.T) {
			t.Setenv("EMULATED_CUDA_FAILS", tc.script)
			set, err := Open(Selection{Devices: []int{0}}, Options{Memory: 64 << 20})
			if err == nil {
				defer func() {
					if err := set.Close(); err != nil && !tc.lost {
						t.Errorf("closing: %v", err)
					}
				}()
				var e nn.Engine
				if e, err = set.NewEngine(small, enginetest.ShippedSizes, 1); err == nil {
					defer func() {
						if err := e.Close(); err != nil {
							t.Errorf("closing the engine: %v", err)
						}
					}()
				}
				for i := 0; err == nil && i < 6; i++ {
					_, err = e.Step(&nn.Batch{Examples: examples[i : i+1]}, enginetest.DefaultAdam)
				}
			}
			var typed *Error
			if !errors.As(err, &typed) || !strings.Contains(err.Error(), tc.says) {
				t.Fatalf("the error is %v, want %q", err, tc.says)
			}
			for _, kind := range []error{ErrOutOfMemory, ErrLost, ErrECC} {
				if errors.Is(err, kind) != (kind == tc.want) {
					t.Errorf("the error is %v, want one of %v", err, tc.want)
				}
			}
			if set != nil {
				select {
				case <-set.Done():
					if !tc.lost {
						t.Error("the device is given up")
					}
				default:
					if tc.lost {
						t.Error("the device is said to be sound")
					}
				}
			}
		})
	}
}

// A program with GPU code in it runs where there is no device: it says so, and
// trains on the CPU if that was asked for.
func TestEmulatedNoDevice(t *testing.T) {
	onEmulated(t)
	t.Setenv("EMULATED_CUDA_DEVICES", "0")
	if _, err := Choose("cuda", Options{}, stand("avx"), nil); err == nil || !strings.Contains(err.Error(), "there are none") {
		t.Errorf("cuda: %v", err)
	}
	if _, err := Choose("cuda:0", Options{}, stand("avx"), nil); err == nil || !strings.Contains(err.Error(), "cuda:0") {
		t.Errorf("cuda:0: %v", err)
	}
}

// Several folds train at once on two devices, each in a stream of its own, and
// get the bits that they get alone.
func TestEmulatedFoldsSideBySide(t *testing.T) {
	onEmulated(t)
	examples := polymers(t, small)[:6]
	train := func(e nn.Engine) (*nn.State, error) {
		for epoch := range 2 {
			for i := range examples {
				if _, err := e.Step(&nn.Batch{Examples: examples[i : i+1], Epoch: epoch}, enginetest.DefaultAdam); err != nil {
					return nil, err
				}
			}
		}
		s := new(nn.State)
		return s, e.State(s)
	}
	alone := openReal(t, 1)
	want, err := train(newEngine(t, alone.NewEngine, small, enginetest.ShippedSizes))
	if err != nil {
		t.Fatal(err)
	}
	set, err := Open(Selection{All: true}, Options{Folds: 4, Memory: 64 << 20})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := set.Close(); err != nil {
			t.Error(err)
		}
	})
	if got := set.String(); got != "2 × "+emulated {
		t.Errorf("the set is %s", got)
	}
	const folds = 4
	states, errs := make([]*nn.State, folds), make(chan error, folds)
	for i := range folds {
		e := newEngine(t, set.NewEngine, small, enginetest.ShippedSizes)
		if want := fmt.Sprintf("cuda:%d, %s", i%2, emulated); e.(nn.Placed).Device() != want {
			t.Errorf("fold %d is on %s, want %s", i, e.(nn.Placed).Device(), want)
		}
		go func() {
			var err error
			states[i], err = train(e)
			errs <- err
		}()
	}
	for range folds {
		if err := <-errs; err != nil {
			t.Fatal(err)
		}
	}
	for i, got := range states {
		if !slices.Equal(got.Weights.Slab, want.Weights.Slab) || !slices.Equal(got.V.Slab, want.V.Slab) {
			t.Errorf("fold %d has other bits than one that trains alone", i)
		}
	}
}

// The embedded PTX is what the tests of the files saw.
func TestEmbeddedPTX(t *testing.T) {
	for _, arch := range architectures {
		got, err := ptx.ReadFile(archFile(arch))
		if err != nil {
			t.Fatal(err)
		}
		want, err := os.ReadFile(filepath.FromSlash(archFile(arch)))
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: other PTX is embedded, %v", archFile(arch), err)
		}
	}
}
