package train

import (
	"context"
	"errors"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"polyid-trainer/nn"
)

// same fails unless two trainings ended in the same bits: weights, moments,
// step, best weights and history (but for the time it took).
func same(t *testing.T, what string, got, want *Snapshot) {
	t.Helper()
	bits := func(name string, a, b *nn.Params) {
		t.Helper()
		if (a == nil) != (b == nil) {
			t.Fatalf("%s: %s: one is missing", what, name)
		}
		if a == nil {
			return
		}
		for i := range a.Slab {
			if math.Float32bits(a.Slab[i]) != math.Float32bits(b.Slab[i]) {
				t.Fatalf("%s: %s[%d] is %v, want %v", what, name, i, a.Slab[i], b.Slab[i])
			}
		}
	}
	if got.State.Step != want.State.Step {
		t.Fatalf("%s: step %d, want %d", what, got.State.Step, want.State.Step)
	}
	bits("weights", got.State.Weights, want.State.Weights)
	bits("m", got.State.M, want.State.M)
	bits("v", got.State.V, want.State.V)
	bits("best", got.Best, want.Best)
	a, b := untimed(got.Progress), untimed(want.Progress)
	if !reflect.DeepEqual(a, b) {
		t.Fatalf("%s: progress\n%+v, want\n%+v", what, a, b)
	}
}

func untimed(p Progress) Progress {
	p = p.clone()
	p.Seconds = 0
	for i := range p.History {
		p.History[i].Seconds = 0
	}
	return p
}

// straight is the training without interruption.
func straight(t *testing.T, c Config) *Snapshot {
	t.Helper()
	e := newFake(5)
	r := must[*Result](t)(Fit(t.Context(), e, tiny(), c, Options{}))
	return must[*Snapshot](t)(r.Snapshot(e))
}

func TestFitIsReproducible(t *testing.T) {
	same(t, "second run", straight(t, tinyFit()), straight(t, tinyFit()))

	other := tinyFit()
	other.Seed++
	if slices.Equal(straight(t, tinyFit()).State.Weights.Slab, straight(t, other).State.Weights.Slab) {
		t.Error("another seed gives the same weights")
	}
}

// TestResumeIsExact stops a training at every step there is, also in the middle
// of epochs, and goes on in a fresh engine.
func TestResumeIsExact(t *testing.T) {
	for name, mod := range map[string]func(*Config){
		"batch 1":   func(*Config) {},
		"batch 4":   func(c *Config) { c.BatchSize = 4 },
		"cosine":    func(c *Config) { c.Schedule = Schedule{Name: Cosine, WarmupEpochs: 1.5} },
		"plateau":   func(c *Config) { c.Schedule = Schedule{Name: ReduceOnPlateau, Patience: 1}.WithDefaults() },
		"early end": func(c *Config) { c.EarlyStopping = &EarlyStopping{Patience: 2, MinDelta: 0.2} },
	} {
		c := tinyFit()
		mod(&c)
		want := straight(t, c)
		e := newFake(5)
		k := &everyNth{n: 1}
		must[*Result](t)(Fit(t.Context(), e, tiny(), c, Options{Checkpointer: k}))
		if len(k.kept) < 2*len(want.Progress.History) {
			t.Fatalf("%s: only %d checkpoints", name, len(k.kept))
		}
		for i, s := range k.kept {
			e := newFake(99) // its own weights must not matter
			e.seed = 5
			r := must[*Result](t)(Fit(t.Context(), e, tiny(), c, Options{Resume: s}))
			same(t, name, must[*Snapshot](t)(r.Snapshot(e)), want)
			if i > 0 && reflect.DeepEqual(s.Progress, k.kept[i-1].Progress) {
				t.Fatalf("%s: checkpoints %d and %d stand at the same step", name, i-1, i)
			}
		}
	}
}

// TestCancelIsResumable cancels within a step and within a validation pass.
func TestCancelIsResumable(t *testing.T) {
	want := straight(t, tinyFit())
	cause := errors.New("the machine goes away")
	for kind, calls := range map[string][]int{"step": {1, 5, 11, 17}, "predict": {1, 2, 3, 5}} {
		for _, n := range calls {
			ctx, cancel := context.WithCancelCause(t.Context())
			e := newFake(5)
			seen := 0
			e.before = func(k string) {
				if k == kind {
					if seen++; seen == n {
						cancel(cause)
					}
				}
			}
			r, err := Fit(ctx, e, tiny(), tinyFit(), Options{})
			if !errors.Is(err, cause) {
				t.Fatalf("%s %d: error %v, want the context's cause", kind, n, err)
			}
			if kind == "step" && r.Progress.Step+11*len(r.Progress.History) != n {
				t.Fatalf("step %d: stopped at %+v", n, r.Progress)
			}
			s := must[*Snapshot](t)(r.Snapshot(e))
			e = newFake(5)
			r = must[*Result](t)(Fit(t.Context(), e, tiny(), tinyFit(), Options{Resume: s}))
			same(t, kind, must[*Snapshot](t)(r.Snapshot(e)), want)
		}
	}
}

func TestResumeOnAnotherPathIsReported(t *testing.T) {
	e := newFake(5)
	k := &everyNth{n: 1}
	must[*Result](t)(Fit(t.Context(), e, tiny(), tinyFit(), Options{Checkpointer: k}))
	e = newFake(5)
	e.path = "other"
	var l log
	r := must[*Result](t)(Fit(t.Context(), e, tiny(), tinyFit(), Options{Resume: k.kept[12], Recorder: &l}))
	if want := []string{"fake", "other"}; !slices.Equal(r.Progress.Paths, want) {
		t.Errorf("paths %v, want %v", r.Progress.Paths, want)
	}
	if got, want := l.starts[0], (Start{Epoch: 1, Step: 2, Path: "other", Device: "other:0, a model", WasPath: "fake", LeftOut: 1}); got != want {
		t.Errorf("start %+v, want %+v", got, want)
	}
	if last := k.kept[12].Progress.Paths; !slices.Equal(last, []string{"fake"}) {
		t.Errorf("the snapshot was changed: %v", last)
	}
}

func TestRefusedResume(t *testing.T) {
	e := newFake(5)
	k := &everyNth{n: 12}
	must[*Result](t)(Fit(t.Context(), e, tiny(), tinyFit(), Options{Checkpointer: k}))
	for name, mod := range map[string]func(*Snapshot){
		"step too far":    func(s *Snapshot) { s.Progress.Step = 12 },
		"too many rows":   func(s *Snapshot) { s.Progress.Rows = 12 },
		"too many epochs": func(s *Snapshot) { s.Progress.History = append(make([]Epoch, 8), s.Progress.History...) },
		"missing epoch":   func(s *Snapshot) { s.Progress.History[0].Epoch = 2 },
		"no best":         func(s *Snapshot) { s.Best = nil },
		"foreign weights": func(s *Snapshot) {
			s.State.Weights = nn.NewParams(tinyConfig, nn.Sizes{AtomClasses: 9, BondClasses: 4, Targets: 2})
		},
	} {
		s := deepCopy(k.kept[0])
		mod(s)
		if _, err := Fit(t.Context(), newFake(5), tiny(), tinyFit(), Options{Resume: s}); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// TestMeasures recomputes one epoch's figures by hand.
func TestMeasures(t *testing.T) {
	c := tinyFit()
	c.Epochs = 1
	c.BatchSize = 4
	e, d := newFake(5), tiny()
	ck := newClock(0)
	var l log
	l.onStep = func(Step) { ck.t = ck.t.Add(2e9) }
	r := must[*Result](t)(Fit(t.Context(), e, d, c, Options{Recorder: &l, Now: ck.now}))

	if len(l.steps) != 3 || len(l.epochs) != 1 {
		t.Fatalf("%d steps and %d epochs were recorded, want 3 and 1", len(l.steps), len(l.epochs))
	}
	got := l.epochs[0]
	// Three steps of 4, 4 and 3 rows.
	if want := (4*l.steps[0].Loss + 4*l.steps[1].Loss + 3*l.steps[2].Loss) / 11; math.Abs(float64(got.Loss)-want) > 1e-12 {
		t.Errorf("loss %v, want the mean over rows %v", got.Loss, want)
	}
	if got.Seconds != 6 {
		t.Errorf("the epoch took %v s, want 6", got.Seconds)
	}
	var sum, tsum [2]float64
	var n [2]float64
	rows := 0.0
	for _, x := range d.Validate.(Examples) {
		k := finite(x.Target)
		if k == 0 {
			continue
		}
		rows++
		var p [2]float32
		if err := e.Predict(&nn.Batch{Examples: []nn.Example{x}}, p[:]); err != nil {
			t.Fatal(err)
		}
		for i, y := range x.Target {
			if isFinite(y) {
				err := math.Abs(float64(p[i]) - float64(y))
				sum[0] += err / float64(k)
				tsum[i] += err
				n[i]++
			}
		}
	}
	if want := sum[0] / rows; math.Abs(float64(got.ValLoss)-want) > 1e-12 {
		t.Errorf("val_loss %v, want %v", got.ValLoss, want)
	}
	for i := range 2 {
		want := tsum[i] / n[i]
		if math.Abs(float64(got.ValMAEScaled[i])-want) > 1e-12 || math.Abs(float64(got.ValMAE[i])-want*d.Scale[i]) > 1e-9 {
			t.Errorf("target %d: val MAE %v scaled, %v in units, want %v and %v", i, got.ValMAEScaled[i], got.ValMAE[i], want, want*d.Scale[i])
		}
	}
	if want := l.epochs; !reflect.DeepEqual(r.Progress.History, want) {
		t.Errorf("history %+v, want what was recorded %+v", r.Progress.History, want)
	}
	if l.starts[0].LeftOut != 1 {
		t.Errorf("left out %d rows, want the one without a target", l.starts[0].LeftOut)
	}
}

// TestEqualGraphsAreEvaluatedOnce counts the predictions of a validation pass.
func TestEqualGraphsAreEvaluatedOnce(t *testing.T) {
	e := newFake(5)
	c := tinyFit()
	must[*Result](t)(Fit(t.Context(), e, tiny(), c, Options{}))
	if want := 3 * c.Epochs; e.predicts != want { // (p, 2), (p, 3), (q, 3)
		t.Errorf("%d predictions, want %d", e.predicts, want)
	}
	got := must[[]float32](t)(Predict(t.Context(), e, tiny().Validate, 2))
	for i, x := range tiny().Validate.(Examples) {
		var p [2]float32
		if err := e.Predict(&nn.Batch{Examples: []nn.Example{x}}, p[:]); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got[2*i:2*i+2], p[:]) {
			t.Errorf("row %d: %v, want %v", x.Row, got[2*i:2*i+2], p)
		}
	}
}

func TestBestWeightsAreThoseOfTheBestEpoch(t *testing.T) {
	c := tinyFit()
	c.LearningRate = 0.4 // so high that the last epoch is not the best
	e := newFake(5)
	k := &everyNth{n: 1}
	r := must[*Result](t)(Fit(t.Context(), e, tiny(), c, Options{Checkpointer: k}))
	best, _ := r.Progress.Best()
	if best.Epoch == c.Epochs {
		t.Fatal("the last epoch is the best: the test shows nothing")
	}
	for _, s := range k.kept {
		if p := s.Progress; len(p.History) == best.Epoch && p.Step == 0 {
			if !slices.Equal(s.State.Weights.Slab, r.Best.Slab) {
				t.Errorf("best weights %v, want %v", r.Best.Slab, s.State.Weights.Slab)
			}
			return
		}
	}
	t.Error("no checkpoint at the end of the best epoch")
}

func TestEarlyStopping(t *testing.T) {
	c := tinyFit()
	c.Epochs = 50
	c.EarlyStopping = &EarlyStopping{Patience: 3}
	r := must[*Result](t)(Fit(t.Context(), newFake(5), tiny(), c, Options{}))
	best, _ := r.Progress.Best()
	if !r.EarlyStopped || len(r.Progress.History) != best.Epoch+3 {
		t.Errorf("stopped early: %v, after %d epochs with the best at %d", r.EarlyStopped, len(r.Progress.History), best.Epoch)
	}

	history := func(v ...Measure) (h []Epoch) {
		for i, v := range v {
			h = append(h, Epoch{Epoch: i + 1, ValLoss: v})
		}
		return h
	}
	for _, x := range []struct {
		es   EarlyStopping
		h    []Epoch
		want bool
	}{
		{EarlyStopping{Patience: 2}, nil, false},
		{EarlyStopping{Patience: 2}, history(1, 2), false},
		{EarlyStopping{Patience: 2}, history(1, 2, 1), true},
		{EarlyStopping{Patience: 2}, history(1, 2, 0.9, 3), false},
		{EarlyStopping{Patience: 2, MinDelta: 0.1}, history(1, 0.95, 0.92), true},
		{EarlyStopping{Patience: 2, MinDelta: 0.1}, history(1, 0.95, 0.89), false},
	} {
		if got := x.es.stops(x.h); got != x.want {
			t.Errorf("%+v stops after %v: %v, want %v", x.es, x.h, got, x.want)
		}
	}
}

func TestDivergenceIsNamed(t *testing.T) {
	for name, loss := range map[string]float64{"NaN": math.NaN(), "infinite": math.Inf(1), "exploded": 2.1e4} {
		e := newFake(5)
		var rows []int
		e.onStep = func(step int64, b *nn.Batch) (float64, bool, error) {
			if step == 11+4 { // the fourth of the second epoch
				for _, x := range b.Examples {
					rows = append(rows, x.Row)
				}
				return loss, true, nil
			}
			return 0, false, nil
		}
		r, err := Fit(t.Context(), e, tiny(), tinyFit(), Options{})
		var d *DivergedError
		if !errors.As(err, &d) {
			t.Fatalf("%s: error %v", name, err)
		}
		if d.Epoch != 2 || d.Validating || !slices.Equal(d.Rows, rows) {
			t.Errorf("%s: %v, want epoch 2, row %v", name, err, rows)
		}
		if len(r.Progress.History) != 1 || r.Best == nil {
			t.Errorf("%s: the result so far is not there", name)
		}
	}

	e := newFake(5)
	e.onStep = func(step int64, b *nn.Batch) (float64, bool, error) {
		if step == 11 {
			e.s.Weights.Slab[3] = float32(math.NaN()) // read by rows 21, 22, 24 and 25
		}
		return 0, false, nil
	}
	_, err := Fit(t.Context(), e, tiny(), tinyFit(), Options{})
	if want := "epoch 1, row 21: the validation loss is NaN"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error %v, want %s", err, want)
	}
}

func TestEngineErrorNamesEpochAndRow(t *testing.T) {
	e := newFake(5)
	cause := errors.New("the device is gone")
	var row int
	e.onStep = func(step int64, b *nn.Batch) (float64, bool, error) {
		row = b.Examples[0].Row
		return 0, false, cause
	}
	_, err := Fit(t.Context(), e, tiny(), tinyFit(), Options{})
	if !errors.Is(err, cause) || !strings.Contains(err.Error(), "epoch 1") {
		t.Errorf("error %v after row %d", err, row)
	}
}

func TestWarmStart(t *testing.T) {
	from := straight(t, tinyFit())
	e := newFake(1)
	if err := WarmStart(e, from.State.Weights); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(e.s.Weights.Slab, from.State.Weights.Slab) || e.s.Step != 0 || slices.Max(e.s.V.Slab) != 0 {
		t.Errorf("the engine has not the weights alone: %+v", e.s)
	}
	if err := WarmStart(e, nn.NewParams(tinyConfig, nn.Sizes{AtomClasses: 9, BondClasses: 4, Targets: 2})); err == nil {
		t.Error("weights of another shape were accepted")
	}
}

func TestRefusedData(t *testing.T) {
	nan := float32(math.NaN())
	for name, mod := range map[string]func(*Data){
		"nothing to train on":    func(d *Data) { d.Train = Examples(nil) },
		"nothing to validate on": func(d *Data) { d.Validate = Examples(nil) },
		"no finite target": func(d *Data) {
			d.Validate = Examples{{Atom: []int32{2}, Target: []float32{nan, nan}}}
		},
		"too few targets": func(d *Data) { d.Scale = d.Scale[:1] },
	} {
		d := tiny()
		mod(&d)
		if _, err := Fit(t.Context(), newFake(5), d, tinyFit(), Options{}); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestSaveErrorEndsTheTraining(t *testing.T) {
	gone := errors.New("storage is away")
	_, err := Fit(t.Context(), newFake(5), tiny(), tinyFit(), Options{Checkpointer: &everyNth{n: 5, err: gone}})
	if !errors.Is(err, gone) {
		t.Errorf("error %v, want it to wrap %v", err, gone)
	}
}
