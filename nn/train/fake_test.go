package train

import (
	"context"
	"math"
	"sync"
	"testing"
	"time"

	"polyid-trainer/nn"
	"polyid-trainer/nn/plan"
)

// fake is a network small enough to reason about and with every kind of state a
// real one has: each row's prediction of target t is w[token] + w[bias t], its
// gradients are damped by noise keyed as dropout is, and Adam keeps moments and
// a step. Hooks script what a test needs.
type fake struct {
	seed     uint64
	path     string
	s        nn.State
	onStep   func(step int64, b *nn.Batch) (loss float64, use bool, err error)
	predicts int // examples predicted
	before   func(kind string)
}

var (
	tinyConfig = nn.Config{Name: nn.Global100, AtomFeatures: 2, BondFeatures: 2, MolFeatures: 2, NumMessages: 1}
	tinySizes  = nn.Sizes{AtomClasses: 5, BondClasses: 4, Targets: 2}
)

func newFake(seed uint64) *fake {
	f := &fake{seed: seed, path: "fake"}
	f.s = nn.State{Weights: nn.NewParams(tinyConfig, tinySizes), M: nn.NewParams(tinyConfig, tinySizes), V: nn.NewParams(tinyConfig, tinySizes)}
	f.s.Weights.Init(seed)
	return f
}

var _ nn.Engine = (*fake)(nil)

func (f *fake) at(x *nn.Example, t int) (token, bias int) {
	return int(x.Atom[0]), len(f.s.Weights.Slab) - 1 - t
}

func (f *fake) Step(b *nn.Batch, o nn.Adam) (float64, error) {
	if f.before != nil {
		f.before("step")
	}
	if f.onStep != nil {
		if loss, use, err := f.onStep(f.s.Step+1, b); use || err != nil {
			f.s.Step++
			return loss, err
		}
	}
	w, m, v := f.s.Weights.Slab, f.s.M.Slab, f.s.V.Slab
	grad := make([]float64, len(w))
	loss, n := 0.0, 0
	for i := range b.Examples {
		x := &b.Examples[i]
		noise := float64(mix(f.seed^uint64(b.Epoch)<<32^uint64(x.Row))>>40) / (1 << 24)
		for t, y := range x.Target {
			if math.IsNaN(float64(y)) {
				continue
			}
			token, bias := f.at(x, t)
			d := float64(w[token]+w[bias]) - float64(y)
			loss, n = loss+math.Abs(d), n+1
			g := math.Copysign(0.5+noise, d)
			grad[token] += g
			grad[bias] += g
		}
	}
	f.s.Step++
	alpha := o.LearningRate * math.Sqrt(1-math.Pow(o.Beta2, float64(f.s.Step))) / (1 - math.Pow(o.Beta1, float64(f.s.Step)))
	for i, g := range grad {
		g /= float64(n)
		w[i] -= w[i] * float32(o.Decay*o.LearningRate)
		m[i] += float32(1-o.Beta1) * (float32(g) - m[i])
		v[i] += float32(1-o.Beta2) * (float32(g*g) - v[i])
		w[i] -= m[i] * float32(alpha) / (float32(math.Sqrt(float64(v[i]))) + float32(o.Epsilon))
	}
	return loss / float64(n), nil
}

func (f *fake) Predict(b *nn.Batch, dst []float32) error {
	if f.before != nil {
		f.before("predict")
	}
	f.predicts += len(b.Examples)
	for i := range b.Examples {
		for t := range tinySizes.Targets {
			token, bias := f.at(&b.Examples[i], t)
			dst[i*tinySizes.Targets+t] = f.s.Weights.Slab[token] + f.s.Weights.Slab[bias]
		}
	}
	return nil
}

func (f *fake) State(dst *nn.State) error {
	dst.Step = f.s.Step
	for _, p := range []struct {
		dst **nn.Params
		src *nn.Params
	}{{&dst.Weights, f.s.Weights}, {&dst.M, f.s.M}, {&dst.V, f.s.V}} {
		if *p.dst == nil {
			*p.dst = p.src.Clone()
		} else if err := (*p.dst).CopyFrom(p.src); err != nil {
			return err
		}
	}
	return nil
}

func (f *fake) SetState(src *nn.State) error {
	f.s.Step = src.Step
	clear(f.s.M.Slab)
	clear(f.s.V.Slab)
	if src.M != nil {
		copy(f.s.M.Slab, src.M.Slab)
		copy(f.s.V.Slab, src.V.Slab)
	}
	return f.s.Weights.CopyFrom(src.Weights)
}

func (f *fake) Weights(dst *nn.Params) (*nn.Params, error) {
	if dst == nil {
		return f.s.Weights.Clone(), nil
	}
	return dst, dst.CopyFrom(f.s.Weights)
}

func (f *fake) SetWeights(src *nn.Params) error { return f.s.Weights.CopyFrom(src) }

func (f *fake) Path() string { return f.path }

func (f *fake) Device() string { return f.path + ":0, a model" }
func (f *fake) Close() error   { return nil }

// tiny is a fold of 11 training and 6 validation rows with three distinct
// validation graphs.
func tiny() Data {
	p, q := new(plan.Plan), new(plan.Plan)
	nan := float32(math.NaN())
	row := func(row int, p *plan.Plan, token int32, y ...float32) nn.Example {
		return nn.Example{Plan: p, Atom: []int32{token}, Bond: []int32{2}, Target: y, Row: row}
	}
	var train Examples
	for i := range 11 {
		train = append(train, row(i, p, int32(i%3+2), float32(i%3)-0.7, float32(i%4)/2))
	}
	train[4].Target[0] = nan
	validate := Examples{
		row(20, p, 2, 0.1, 0.2), row(21, p, 3, 1, nan), row(22, q, 3, 0.5, 0.5),
		row(23, p, 2, nan, -0.5), row(24, q, 3, nan, nan), row(25, p, 3, 2, 0),
	}
	return Data{Train: train, Validate: validate, Scale: []float64{40, 63}, Fold: 1}
}

func tinyFit() Config {
	return Config{Epochs: 7, LearningRate: 0.05, Decay: 0.01, Seed: 3}.WithDefaults()
}

// log is a Recorder that keeps everything.
type log struct {
	starts []Start
	steps  []Step
	epochs []Epoch
	onStep func(Step)
}

func (l *log) Start(s Start) { l.starts = append(l.starts, s) }
func (l *log) Step(s Step) {
	l.steps = append(l.steps, s)
	if l.onStep != nil {
		l.onStep(s)
	}
}
func (l *log) Epoch(e Epoch) { l.epochs = append(l.epochs, e) }

// clock is a time that passes only when told to, or by tick a look.
type clock struct {
	mu   sync.Mutex
	t    time.Time
	tick time.Duration
}

func newClock(tick time.Duration) *clock {
	return &clock{t: time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC), tick: tick}
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(c.tick)
	return c.t
}

// everyNth is a Checkpointer that is due after every n-th question and keeps
// deep copies.
type everyNth struct {
	n, asked int
	kept     []*Snapshot
	err      error
}

func (c *everyNth) Due() bool { c.asked++; return c.asked%c.n == 0 }

func (c *everyNth) Save(_ context.Context, s *Snapshot) error {
	c.kept = append(c.kept, deepCopy(s))
	return c.err
}

func deepCopy(s *Snapshot) *Snapshot {
	d := &Snapshot{Progress: s.Progress.clone(), State: nn.State{Step: s.State.Step,
		Weights: s.State.Weights.Clone(), M: s.State.M.Clone(), V: s.State.V.Clone()}}
	if s.Best != nil {
		d.Best = s.Best.Clone()
	}
	return d
}

func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}
