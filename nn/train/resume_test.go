package train_test

import (
	"bytes"
	"context"
	"errors"
	"math"
	"slices"
	"testing"

	"polyid-trainer/featurize"
	"polyid-trainer/nn"
	"polyid-trainer/nn/checkpoint"
	"polyid-trainer/nn/cpu"
	"polyid-trainer/nn/dataset"
	"polyid-trainer/nn/train"
)

// small is a network that trains the shipped table in a tenth of a second an
// epoch.
var small = nn.Config{Name: nn.Global100, AtomFeatures: 16, BondFeatures: 16, MolFeatures: 8, NumMessages: 2, Dropout: 0.05}

func smallFit(epochs int) train.Config {
	c := train.DefaultConfig()
	c.Epochs, c.LearningRate = epochs, 1e-3
	c.Schedule = train.Schedule{Name: train.Cosine, WarmupEpochs: 1.5}
	return c
}

// file makes the model of a fold that is being trained.
func file(t *testing.T, f *dataset.Fold, c train.Config, s *train.Snapshot) []byte {
	t.Helper()
	m := &checkpoint.Model{
		Config: small, Features: featurize.Config{}.WithDefaults(), Vocab: f.Vocab, Scaler: f.Scaler,
		Targets: []checkpoint.Target{{Name: "Tg", Units: "°C"}, {Name: "Tm", Units: "°C"}},
	}
	m.Keep(c, s)
	var b bytes.Buffer
	if err := checkpoint.Write(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func snapshot(t *testing.T, r *train.Result, e nn.Engine) *train.Snapshot {
	t.Helper()
	s, err := r.Snapshot(e)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// timeless takes the wall clock out of a snapshot.
func timeless(s *train.Snapshot) *train.Snapshot {
	s.Progress.History = slices.Clone(s.Progress.History)
	for i := range s.Progress.History {
		s.Progress.History[i].Seconds = 0
	}
	return s
}

var errStop = errors.New("stop here")

// stopAfter is a Recorder that cancels a training after a number of steps.
type stopAfter struct {
	cancel context.CancelCauseFunc
	steps  int
	start  train.Start
}

func (s *stopAfter) Start(x train.Start) { s.start = x }
func (s *stopAfter) Epoch(train.Epoch)   {}
func (s *stopAfter) Step(train.Step) {
	if s.steps--; s.steps == 0 {
		s.cancel(errStop)
	}
}

// stopped trains on path until a number of steps and returns the checkpoint
// file of that moment.
func stopped(t *testing.T, f *dataset.Fold, newEngine nn.NewEngine, c train.Config, steps int) []byte {
	t.Helper()
	e, err := newEngine(small, f.Sizes(), train.FoldSeed(c.Seed, 0))
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	ctx, cancel := context.WithCancelCause(t.Context())
	d := train.Data{Train: f.Train, Validate: f.Validate, Scale: f.Scaler.Scale}
	r, err := train.Fit(ctx, e, d, c, train.Options{Recorder: &stopAfter{cancel: cancel, steps: steps}})
	if !errors.Is(err, errStop) {
		t.Fatalf("after %d steps: %v", steps, err)
	}
	return file(t, f, c, snapshot(t, r, e))
}

// resumed goes on from a checkpoint file in an engine of another seed's weights.
func resumed(t *testing.T, f *dataset.Fold, newEngine nn.NewEngine, c train.Config, b []byte) (*train.Snapshot, *stopAfter) {
	t.Helper()
	m, err := checkpoint.Read(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	from, err := m.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	e, err := newEngine(small, f.Sizes(), train.FoldSeed(c.Seed, 0))
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	d := train.Data{Train: f.Train, Validate: f.Validate, Scale: f.Scaler.Scale}
	// What the engine learned before must not matter.
	if _, err := train.Fit(t.Context(), e, d, smallFit(1), train.Options{}); err != nil {
		t.Fatal(err)
	}
	rec := &stopAfter{}
	r, err := train.Fit(t.Context(), e, d, m.Training.Config, train.Options{Resume: from, Recorder: rec})
	if err != nil {
		t.Fatal(err)
	}
	return snapshot(t, r, e), rec
}

// TestResumeFromFile holds N epochs to k steps, a checkpoint file, and the
// rest: the same bits, on the real engine, for batches of one row, of a few, of
// many, and larger than the fold.
func TestResumeFromFile(t *testing.T) {
	f := fold0(t, small.NumMessages)
	for _, batch := range []int{1, 7, 32, 1000} {
		c := smallFit(4)
		c.BatchSize = batch
		steps := (f.Train.Len() + batch - 1) / batch
		r, e := fit(t, f, small, c, train.Options{})
		want := file(t, f, c, timeless(snapshot(t, r, e)))
		for _, k := range []int{1, steps - 1, steps, steps + 1, 2*steps + steps/2} {
			if k == 0 { // an epoch is one step
				continue
			}
			s, _ := resumed(t, f, cpu.New, c, stopped(t, f, cpu.New, c, k))
			if !bytes.Equal(file(t, f, c, timeless(s)), want) {
				t.Errorf("batch %d, stopped after %d steps: not the same bits as without a stop", batch, k)
			}
		}
	}
}

// TestResumeOnAnotherPath takes a checkpoint of the fastest kernels to the
// plain ones: the change is reported, and the result stays within float noise:
// about 1e-8 after 183 steps, and a thousand times that is allowed.
func TestResumeOnAnotherPath(t *testing.T) {
	generic, err := cpu.NewPath("generic")
	if err != nil {
		t.Fatal(err)
	}
	f := fold0(t, small.NumMessages)
	c := smallFit(2)
	r, e := fit(t, f, small, c, train.Options{})
	if e.Path() == "generic" {
		t.Skip("this processor has only the generic kernels")
	}
	want := snapshot(t, r, e)
	s, rec := resumed(t, f, generic, c, stopped(t, f, cpu.New, c, f.Train.Len()))
	if rec.start.WasPath != e.Path() || rec.start.Path != "generic" {
		t.Errorf("the change of path is reported as %+v", rec.start)
	}
	if paths := s.Progress.Paths; !slices.Equal(paths, []string{e.Path(), "generic"}) {
		t.Errorf("paths %v", paths)
	}
	a, b := float64(s.Progress.History[1].ValLoss), float64(want.Progress.History[1].ValLoss)
	t.Logf("val_loss %v on %s alone, %v with the second epoch on generic", b, e.Path(), a)
	if d := math.Abs(a - b); d == 0 || d > 1e-5 {
		t.Errorf("val_loss differs by %v, want float noise", d)
	}
}

// TestStepsAllocateNothing holds the loop, without its engine, to no memory of
// its own.
func TestStepsAllocateNothing(t *testing.T) {
	f := fold0(t, small.NumMessages)
	e := idle{}
	d := train.Data{Train: f.Train, Validate: f.Validate, Scale: f.Scaler.Scale}
	allocs := func(epochs int) float64 {
		return testing.AllocsPerRun(5, func() {
			if _, err := train.Fit(t.Context(), e, d, smallFit(epochs), train.Options{}); err != nil {
				t.Fatal(err)
			}
		})
	}
	perEpoch := (allocs(21) - allocs(1)) / 20
	t.Logf("%.1f allocations an epoch of %d steps", perEpoch, f.Train.Len())
	if perEpoch > 20 {
		t.Errorf("%.1f allocations an epoch of %d steps: a step allocates", perEpoch, f.Train.Len())
	}
}

// idle is an engine that does nothing.
type idle struct{}

var idleState = nn.State{Weights: nn.NewParams(small, nn.Sizes{AtomClasses: 2, BondClasses: 2, Targets: 2})}

func (idle) Step(*nn.Batch, nn.Adam) (float64, error) { return 1, nil }
func (idle) Predict(*nn.Batch, []float32) error       { return nil }
func (idle) State(dst *nn.State) error                { *dst = idleState; return nil }
func (idle) SetState(*nn.State) error                 { return nil }
func (idle) Path() string                             { return "idle" }
func (idle) Close() error                             { return nil }

// TestResumeWithOptions stops and resumes trainings that average their weights,
// bound their gradients, go through one cycle, and validate now and then: the
// same bits as without a stop.
func TestResumeWithOptions(t *testing.T) {
	f := fold0(t, small.NumMessages)
	decay, norm := 0.99, 0.5
	for name, set := range map[string]func(*train.Config){
		"average_weights": func(c *train.Config) { c.AverageWeights = &decay },
		"clip_norm":       func(c *train.Config) { c.ClipNorm = &norm },
		"one_cycle":       func(c *train.Config) { c.Schedule = train.Schedule{Name: train.OneCycle}.WithDefaults() },
		"validate_every":  func(c *train.Config) { c.ValidateEvery = 3 },
		"all": func(c *train.Config) {
			c.AverageWeights, c.ClipNorm, c.ValidateEvery, c.BatchSize = &decay, &norm, 2, 7
			c.Schedule = train.Schedule{Name: train.OneCycle, Rise: 0.5}
		},
	} {
		c := smallFit(4)
		set(&c)
		steps := (f.Train.Len() + c.BatchSize - 1) / c.BatchSize
		r, e := fit(t, f, small, c, train.Options{})
		want := file(t, f, c, timeless(snapshot(t, r, e)))
		for _, k := range []int{3, steps, 2*steps + 5} {
			s, _ := resumed(t, f, cpu.New, c, stopped(t, f, cpu.New, c, k))
			if !bytes.Equal(file(t, f, c, timeless(s)), want) {
				t.Errorf("%s, stopped after %d steps: not the same bits as without a stop", name, k)
			}
		}
		plain, _ := fit(t, f, small, smallFit(4), train.Options{})
		if name != "validate_every" && slices.Equal(plain.Best.Slab, r.Best.Slab) {
			t.Errorf("%s changes nothing", name)
		}
	}
}
