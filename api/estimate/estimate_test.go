package estimate

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"

	"polyid-trainer/data"
	"polyid-trainer/jobs"
	"polyid-trainer/nn"
	"polyid-trainer/nn/cpu"
)

func spec() *jobs.Spec {
	s := jobs.DefaultSpec()
	s.Model = nn.Config{Name: nn.Global100, AtomFeatures: 16, BondFeatures: 16, MolFeatures: 4, NumMessages: 2}
	return &s
}

func shipped(t *testing.T, name string) *data.Table {
	t.Helper()
	d, ok := data.Shipped(name)
	if !ok {
		t.Fatal(name)
	}
	table, _, err := data.Parse(t.Context(), []*data.Sheet{d.Sheet()}, data.Columns{}, data.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// Every kind of table is measured, with batches and with several folds at once.
func TestPace(t *testing.T) {
	for _, name := range []string{"stereopolymer_input_nopush", "polymers_seven_properties"} {
		s := spec()
		s.BatchSize = 3
		e := &Estimator{NewEngine: cpu.New, Parallel: 2}
		p, err := e.Pace(t.Context(), s, shipped(t, name))
		if err != nil {
			t.Fatal(err)
		}
		if p.Step <= 0 || p.Validate <= 0 || p.Parallel != 2 || p.Path == "" || p.Steps < 2 {
			t.Errorf("%s: pace %+v", name, p)
		}
	}
}

// A job is measured once, whoever asks for it at the same time; another one is
// another.
func TestPaceIsRemembered(t *testing.T) {
	var made atomic.Int32
	e := &Estimator{Parallel: 1, NewEngine: func(c nn.Config, s nn.Sizes, seed uint64) (nn.Engine, error) {
		made.Add(1)
		return cpu.New(c, s, seed)
	}}
	table := shipped(t, "stereopolymer_input_nopush")
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			if _, err := e.Pace(t.Context(), spec(), table); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := made.Load(); n != 1 {
		t.Errorf("%d engines were made, want 1", n)
	}
	other := spec()
	other.BatchSize = 2
	if _, err := e.Pace(t.Context(), other, table); err != nil || made.Load() != 2 {
		t.Errorf("another job: %v, %d engines", err, made.Load())
	}
}

func TestPaceEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	e := &Estimator{NewEngine: cpu.New, Parallel: 1}
	if _, err := e.Pace(ctx, spec(), shipped(t, "stereopolymer_input_nopush")); err == nil {
		t.Error("measured for nobody")
	}
}
