package cuda

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"polyid-trainer/nn"
	"polyid-trainer/nn/enginetest"
)

// A step is one copy in, one launch an example, and the predictions out, each
// fold on a stream of its own. Plans are copied once for all folds.
func TestStepIsOneLaunch(t *testing.T) {
	t.Parallel()
	drv := newFake(nil)
	d, err := openDevice(drv, Options{Folds: 4})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	s := enginetest.ShippedSizes
	examples := polymers(t, small)
	one, two := &nn.Batch{Examples: examples[:1]}, &nn.Batch{Examples: examples[:2]}
	engines := []nn.Engine{newEngine(t, d.NewEngine, small, s), newEngine(t, d.NewEngine, small, s)}
	for _, e := range engines { // brings plans, tables, moments
		step(t, e, two, enginetest.DefaultAdam)
	}
	if u := d.Usage(); u.Folds != 2 || u.Plans != 2 {
		t.Errorf("%+v, want 2 folds that share 2 plans", u)
	}
	input := func(i int) int {
		return 4 * (headerWords + len(examples[i].Atom) + len(examples[i].Bond) + s.Targets)
	}
	aligned := func(n int) int { return (n + 15) / 16 * 16 }
	program, err := assemble(small, s, newPlanImage(examples[0].Plan))
	if err != nil {
		t.Fatal(err)
	}
	all, forward := len(program.phases), program.forward
	for _, tc := range []struct {
		what string
		run  func(e nn.Engine)
		want []string
	}{
		{"step", func(e nn.Engine) { step(t, e, one, enginetest.DefaultAdam) }, []string{
			fmt.Sprintf("write 2: %d bytes", input(0)),
			fmt.Sprintf("launch 2: %d phases on 40 blocks", all),
			"read 2: 8 bytes",
		}},
		{"step on two", func(e nn.Engine) { step(t, e, two, enginetest.DefaultAdam) }, []string{
			fmt.Sprintf("write 2: %d bytes", aligned(input(0))+input(1)),
			fmt.Sprintf("launch 2: %d phases on 40 blocks", all),
			fmt.Sprintf("launch 2: %d phases on 40 blocks", all),
			"read 2: 16 bytes",
		}},
		{"prediction", func(e nn.Engine) {
			if err := e.Predict(one, make([]float32, 2)); err != nil {
				t.Error(err)
			}
		}, []string{
			fmt.Sprintf("write 2: %d bytes", input(0)),
			fmt.Sprintf("launch 2: %d phases on 40 blocks", forward),
			"read 2: 8 bytes",
		}},
	} {
		drv.calls = nil
		tc.run(engines[1])
		if !slices.Equal(drv.calls, tc.want) {
			t.Errorf("a %s asked for\n%s\nwant\n%s", tc.what, strings.Join(drv.calls, "\n"), strings.Join(tc.want, "\n"))
		}
	}
}

// A device that is gone, or whose memory is damaged, ends the attempt with a
// typed error, whatever it was doing, and nothing more is asked of it.
func TestDeviceIsLost(t *testing.T) {
	t.Parallel()
	examples := polymers(t, small)
	for _, kind := range []error{ErrLost, ErrECC} {
		for _, op := range []string{"write", "zero", "launch", "read"} {
			// From some call on: at the first step, or later.
			for _, n := range []int{2, 7} {
				drv := newFake(on(op, n, fmt.Errorf("%w (by script)", kind)))
				d, err := openDevice(drv, Options{})
				if err != nil {
					t.Fatal(err)
				}
				e, err := d.NewEngine(small, enginetest.ShippedSizes, 1)
				for i := 0; err == nil && i < 20; i++ {
					_, err = e.Step(&nn.Batch{Examples: examples[i%3 : i%3+1]}, enginetest.DefaultAdam)
					if err == nil {
						err = e.SetState(&nn.State{Weights: nn.NewParams(small, enginetest.ShippedSizes)})
					}
				}
				var typed *Error
				if !errors.Is(err, kind) || !errors.As(err, &typed) || typed.Device != "cuda:0" {
					t.Fatalf("%s, call %d: the error is %v", op, n, err)
				}
				drv.calls = nil
				_, again := e.Step(&nn.Batch{Examples: examples[:1]}, enginetest.DefaultAdam)
				if !errors.Is(again, kind) || !errors.Is(e.State(new(nn.State)), kind) ||
					!errors.Is(e.Predict(&nn.Batch{Examples: examples[:1]}, make([]float32, 2)), kind) {
					t.Errorf("%s, call %d: the engine goes on, %v", op, n, again)
				}
				if !errors.Is(d.Err(), kind) {
					t.Errorf("%s, call %d: the device is said to be sound", op, n)
				}
				if _, err := d.NewEngine(small, enginetest.ShippedSizes, 1); !errors.Is(err, kind) {
					t.Errorf("%s, call %d: a new engine was made on it: %v", op, n, err)
				}
				if len(drv.calls) != 0 {
					t.Errorf("%s, call %d: the device was asked for %v", op, n, drv.calls)
				}
				if err := errors.Join(e.Close(), d.Close()); err != nil {
					t.Errorf("%s, call %d: %v", op, n, err)
				}
				if u := d.Usage(); u.Folds != 0 || u.Used != 0 || u.Plans != 0 {
					t.Errorf("%s, call %d: %+v is in use", op, n, u)
				}
			}
		}
	}
}

// What does not fit is refused with the sizes, and harms nobody.
func TestOutOfMemory(t *testing.T) {
	t.Parallel()
	examples := polymers(t, small)
	slices.SortFunc(examples, func(a, b nn.Example) int { return a.Plan.Bytes() - b.Plan.Bytes() })
	smallest, largest := &nn.Batch{Examples: examples[:1]}, &nn.Batch{Examples: examples[len(examples)-1:]}
	train := func(memory int) (*Device, nn.Engine) {
		t.Helper()
		d, err := openDevice(newFake(nil), Options{Memory: memory})
		if err != nil {
			t.Fatal(err)
		}
		e := newEngine(t, d.NewEngine, small, enginetest.ShippedSizes)
		step(t, e, smallest, enginetest.DefaultAdam)
		return d, e
	}
	roomy, _ := train(1 << 30)
	d, e := train(roomy.Usage().Used + 32<<10)
	refused := func(err error) {
		t.Helper()
		if !errors.Is(err, ErrOutOfMemory) || !strings.Contains(err.Error(), "MB more are needed") || !strings.Contains(err.Error(), "cuda:0") {
			t.Errorf("the error is %v", err)
		}
	}
	_, err := e.Step(largest, enginetest.DefaultAdam)
	refused(err)
	step(t, e, smallest, enginetest.DefaultAdam)
	if err := d.Err(); err != nil {
		t.Errorf("the device is given up: %v", err)
	}
	before := d.Usage()
	for i := 0; ; i++ {
		other, err := d.NewEngine(small, enginetest.ShippedSizes, 1)
		if err != nil {
			refused(err)
			break
		}
		t.Cleanup(func() {
			if err := other.Close(); err != nil {
				t.Error(err)
			}
		})
		if i > 10 {
			t.Fatal("the arena has no end")
		}
		before = d.Usage()
	}
	if after := d.Usage(); after != before {
		t.Errorf("an engine that was refused left %+v, want %+v", after, before)
	}
	if _, err := openDevice(newFake(on("alloc", 0, ErrOutOfMemory)), Options{}); !errors.Is(err, ErrOutOfMemory) {
		t.Errorf("a device without memory: %v", err)
	}
}

// Without room for the second of Adam's moments, there is not half a state: both
// are zero, and are not read.
func TestHalfAState(t *testing.T) {
	t.Parallel()
	drv := newFake(nil)
	params := 4 * nn.NumParams(small, enginetest.ShippedSizes)
	d, err := openDevice(drv, Options{Memory: 2*params + params/2})
	if err != nil {
		t.Fatal(err)
	}
	e := newEngine(t, d.NewEngine, small, enginetest.ShippedSizes)
	full := &nn.State{Step: 7}
	for _, p := range []**nn.Params{&full.Weights, &full.M, &full.V} {
		*p = nn.NewParams(small, enginetest.ShippedSizes)
		(*p).Slab[0] = 1
	}
	if err := e.SetState(full); !errors.Is(err, ErrOutOfMemory) {
		t.Errorf("the error is %v", err)
	}
	drv.calls = nil
	got := state(t, e)
	want := []string{fmt.Sprintf("read 1: %d bytes", params)}
	if !slices.Equal(drv.calls, want) || got.Step != 0 {
		t.Errorf("a state of step %d took %v, want step 0 and %v", got.Step, drv.calls, want)
	}
}

// With memory for a few plans only, plans make way for one another.
func TestPlansMakeWay(t *testing.T) {
	t.Parallel()
	examples := polymers(t, small)
	epoch := func(memory int) *Device {
		t.Helper()
		d, err := openDevice(newFake(nil), Options{Memory: memory})
		if err != nil {
			t.Fatal(err)
		}
		e := newEngine(t, d.NewEngine, small, enginetest.ShippedSizes)
		for range 2 {
			for i := range examples {
				step(t, e, &nn.Batch{Examples: examples[i : i+1]}, enginetest.DefaultAdam)
			}
		}
		return d
	}
	all := epoch(1 << 30).Usage()
	if all.Plans != len(examples) {
		t.Errorf("%d plans are resident, with room for all %d", all.Plans, len(examples))
	}
	if few := epoch(all.Used / 2).Usage(); few.Plans < 1 || few.Plans >= len(examples) {
		t.Errorf("%d plans are resident in half the memory", few.Plans)
	}
}

func TestSet(t *testing.T) {
	t.Parallel()
	lost := false
	drivers := []*fake{newFake(nil), newFake(func(op string, _ int) error {
		if lost && op == "launch" {
			return ErrLost
		}
		return nil
	})}
	for i, drv := range drivers {
		drv.info.Model = "NVIDIA A10G"
		drv.info.Name = deviceName(i)
	}
	set, err := open(Selection{All: true}, Options{Folds: 7}, func() (int, error) { return 2, nil },
		func(n int) (driver, error) { return drivers[n], nil })
	if err != nil {
		t.Fatal(err)
	}
	if set.String() != "2 × NVIDIA A10G" || set.devices[0].blocks != 160/4 {
		t.Errorf("%v, grids of %d blocks", set, set.devices[0].blocks)
	}
	var engines []nn.Engine
	for range 4 {
		engines = append(engines, newEngine(t, set.NewEngine, small, enginetest.ShippedSizes))
	}
	for _, r := range set.Report() {
		if r.Folds != 2 || r.Err != nil {
			t.Errorf("%s has %d of 4 folds, %v", r.Name, r.Folds, r.Err)
		}
	}
	lost = true
	in := &nn.Batch{Examples: polymers(t, small)[:1]}
	if _, err := engines[1].Step(in, enginetest.DefaultAdam); !errors.Is(err, ErrLost) {
		t.Errorf("the step on a lost device: %v", err)
	}
	step(t, engines[0], in, enginetest.DefaultAdam)
	newEngine(t, set.NewEngine, small, enginetest.ShippedSizes)
	report := set.Report()
	if report[0].Folds != 3 || report[0].Err != nil || !errors.Is(report[1].Err, ErrLost) {
		t.Errorf("after the loss of cuda:1: %+v", report)
	}
	if err := set.Err(); err != nil {
		t.Errorf("a set with a sound device: %v", err)
	}
	select {
	case <-set.Done():
		t.Error("a set with a sound device is done")
	default:
	}
	if _, err := open(Selection{Devices: []int{0}}, Options{}, nil, func(int) (driver, error) { return nil, ErrNotBuilt }); !errors.Is(err, ErrNotBuilt) {
		t.Errorf("without devices: %v", err)
	}
	if _, err := open(Selection{All: true}, Options{}, func() (int, error) { return 0, nil }, nil); err == nil {
		t.Error("no device was found, and none missed")
	}
}

// Falling back to the CPU is what one asks for.
func TestChoose(t *testing.T) {
	t.Parallel()
	broken := func(Selection, Options) (*Set, error) { return nil, ErrNotBuilt }
	sound := func(s Selection, o Options) (*Set, error) {
		return open(s, o, nil, func(int) (driver, error) { return newFake(on("launch", 0, ErrLost)), nil })
	}
	in := &nn.Batch{Examples: polymers(t, small)[:1]}
	for _, tc := range []struct {
		device string
		open   func(Selection, Options) (*Set, error)
		paths  []string // of the first engine, and of one after a step was tried
		err    error
	}{
		{"", broken, []string{"avx", "avx"}, nil},
		{"cuda:0", broken, nil, ErrNotBuilt},
		{"cuda:0,cpu", broken, []string{"avx", "avx"}, nil},
		{"cuda:0", sound, []string{"cuda"}, ErrLost},
		{"cuda:0,cpu", sound, []string{"cuda", "avx"}, nil},
	} {
		var log strings.Builder
		set, err := choose(tc.device, Options{}, stand("avx"), slog.New(slog.NewTextHandler(&log, nil)), tc.open)
		for i := 0; err == nil && i < 2; i++ {
			var e nn.Engine
			if e, err = set.NewEngine(small, enginetest.ShippedSizes, 1); err != nil {
				break
			}
			if e.Path() != tc.paths[i] {
				t.Errorf("%q: engine %d is on %s, want %s", tc.device, i, e.Path(), tc.paths[i])
			}
			if e.Path() == "cuda" {
				if _, err := e.Step(in, enginetest.DefaultAdam); !errors.Is(err, ErrLost) {
					t.Errorf("%q: %v", tc.device, err)
				}
			}
		}
		if !errors.Is(err, tc.err) {
			t.Errorf("%q: %v, want %v", tc.device, err, tc.err)
		}
		if set != nil {
			if !errors.Is(set.Err(), tc.err) {
				t.Errorf("%q: the set's error is %v, want %v", tc.device, set.Err(), tc.err)
			}
			done := false
			select {
			case <-set.Done():
				done = true
			default:
			}
			if done != (tc.err != nil) {
				t.Errorf("%q: done is %v", tc.device, done)
			}
		}
		if fell := tc.device == "cuda:0,cpu" && len(tc.paths) == 2 && tc.paths[0] == "avx"; fell != strings.Contains(log.String(), ErrNotBuilt.Error()) {
			t.Errorf("%q: logged %q", tc.device, log.String())
		}
	}
}

// stand makes engines that only say where they are.
func stand(path string) nn.NewEngine {
	return func(nn.Config, nn.Sizes, uint64) (nn.Engine, error) { return standIn{path: path}, nil }
}

type standIn struct {
	nn.Engine
	path string
}

func (s standIn) Path() string { return s.path }

func TestClassify(t *testing.T) {
	t.Parallel()
	for code, want := range map[int]error{
		2: ErrOutOfMemory, 214: ErrECC,
		46: ErrLost, 700: ErrLost, 716: ErrLost, 719: ErrLost, 999: ErrLost, 4711: ErrLost,
		1: nil, 218: nil, 720: nil,
	} {
		err := classify(code, "text")
		for _, kind := range []error{ErrOutOfMemory, ErrECC, ErrLost} {
			if errors.Is(err, kind) != (kind == want) {
				t.Errorf("code %d: %v", code, err)
			}
		}
	}
}
