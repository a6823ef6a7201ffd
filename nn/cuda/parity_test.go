package cuda

import (
	"math"
	"slices"
	"testing"

	"polyid-trainer/nn"
	"polyid-trainer/nn/cpu"
	"polyid-trainer/nn/enginetest"
	"polyid-trainer/nn/plan"
)

// small is a network every test can afford; its sizes fill no tile.
var small = nn.Config{AtomFeatures: 16, MolFeatures: 4, NumMessages: 3, Dropout: 0.1}.WithDefaults()

func newEngine(t testing.TB, make nn.NewEngine, c nn.Config, s nn.Sizes) nn.Engine {
	t.Helper()
	e, err := make(c, s, 1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

func step(t testing.TB, e nn.Engine, b *nn.Batch, o nn.Adam) float64 {
	t.Helper()
	loss, err := e.Step(b, o)
	if err != nil {
		t.Fatal(err)
	}
	return loss
}

func state(t testing.TB, e nn.Engine) *nn.State {
	t.Helper()
	s := new(nn.State)
	if err := e.State(s); err != nil {
		t.Fatal(err)
	}
	return s
}

// polymers is every distinct shipped polymer, with targets.
func polymers(t testing.TB, c nn.Config) []nn.Example {
	t.Helper()
	plans := plan.NewCache(c.NumMessages)
	var examples []nn.Example
	for i, p := range enginetest.ReadShipped(t).Distinct {
		p.Target = []float64{math.Sin(float64(i)), math.Cos(float64(i))}
		examples = append(examples, p.Example(plans.Plan(p.Graph()), i))
	}
	return examples
}

// distance is how far two engines are apart, each number over the largest
// element it is about.
type distance struct{ prediction, gradient, loss, weight float64 }

func (d distance) max(e distance) distance {
	return distance{max(d.prediction, e.prediction), max(d.gradient, e.gradient), max(d.loss, e.loss), max(d.weight, e.weight)}
}

// measure runs two engines on one polymer, from b's state: forward, backward,
// and some Adam steps.
func measure(t *testing.T, a, b nn.Engine, s nn.Sizes, ex nn.Example, steps int, rate float64) (d distance) {
	t.Helper()
	in := &nn.Batch{Examples: []nn.Example{ex}, Epoch: 5}
	before := state(t, b)
	restart := func() {
		for _, e := range []nn.Engine{a, b} {
			if err := e.SetState(before); err != nil {
				t.Fatal(err)
			}
		}
	}
	restart()
	var predictions [2][]float64
	for i, e := range []nn.Engine{a, b} {
		dst := make([]float32, s.Targets)
		if err := e.Predict(in, dst); err != nil {
			t.Fatal(err)
		}
		predictions[i] = wide(dst)
	}
	d.prediction = enginetest.Apart(predictions[0], predictions[1])

	train := func(o nn.Adam, epoch int) {
		in.Epoch = epoch
		x, y := step(t, a, in, o), step(t, b, in, o)
		d.loss = max(d.loss, math.Abs(x-y)/max(1, y))
	}
	// With β1 = 0, Adam's first moment is the gradient.
	train(nn.Adam{Beta2: 0.5, Epsilon: 1}, 5)
	gradient := state(t, b).M
	for name, g := range state(t, a).M.Tensors() {
		if w, _ := gradient.Tensor(name); !enginetest.Undetermined(name) {
			d.gradient = max(d.gradient, enginetest.Apart(wide(g.Data), wide(w.Data)))
		}
	}

	restart()
	o := enginetest.DefaultAdam
	o.LearningRate, o.Decay = rate, 0.1 // the default decay would be lost in rounding
	for i := range steps {
		train(o, i)
	}
	// Adam divides by the gradient's size, so rounding moves a weight whose
	// gradient is near zero by up to the learning rate a step: hence the mean.
	x, y := state(t, a).Weights.Slab, state(t, b).Weights.Slab
	for i := range x {
		d.weight += math.Abs(float64(x[i])-float64(y[i])) / float64(len(x)) / rate
	}
	restart()
	return d
}

func wide(v []float32) []float64 {
	w := make([]float64, len(v))
	for i, x := range v {
		w[i] = float64(x)
	}
	return w
}

// Every shipped polymer, on a network of 16 features with dropout: the same
// draws, or nothing would agree.
func TestAgreesWithCPU(t *testing.T) {
	t.Parallel()
	agree(t, openShim(t, 256), small, smallNoise, 35, 10, 1e-4)
}

// The default job's network. Fresh, it is not trained by steps of the default
// rate, it jumps: within ten, the CPU's own paths are as far apart as they can
// be. Smaller steps keep to one path.
func TestAgreesWithCPUInFull(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("a step of the full network takes a second as host code")
	}
	agree(t, openShim(t, 256), nn.DefaultConfig(), fullNoise, 1, 10, 1e-7)
}

// All of them, on the default job's network: many minutes as host code.
func TestLongAgreesWithCPUInFull(t *testing.T) {
	t.Parallel()
	long(t)
	agree(t, openShim(t, 256), nn.DefaultConfig(), fullNoise, 35, 10, 1e-7)
}

// noise is what rounding amounts to: what two of the CPU's own paths were measured
// to differ by, avx2 and the generic one, which sums in float64 and thus has
// little rounding of its own, on all shipped polymers: at most, and in the middle.
// In the full network a hidden unit near zero is on for one and off for the other
// now and then, so that a few polymers' gradients differ by a percent.
type noise struct{ most, median distance }

var (
	smallNoise = noise{
		most:   distance{prediction: 2.2e-7, gradient: 8.4e-7, loss: 4.1e-8, weight: 1.5e-6},
		median: distance{prediction: 1.1e-7, gradient: 5.4e-7, loss: 1.9e-8, weight: 1.1e-6},
	}
	fullNoise = noise{
		most:   distance{prediction: 5.7e-7, gradient: 1.4e-2, loss: 8.1e-7, weight: 2.5e-3},
		median: distance{prediction: 2.4e-7, gradient: 2.7e-4, loss: 4.5e-7, weight: 2.1e-4},
	}
)

// agree compares on some polymers, smallest first.
func agree(t *testing.T, d *Device, c nn.Config, noise noise, n, steps int, rate float64) {
	t.Helper()
	examples := polymers(t, c)
	slices.SortFunc(examples, func(a, b nn.Example) int { return a.Plan.Bytes() - b.Plan.Bytes() })
	agreeOn(t, d, c, enginetest.ShippedSizes, examples[:n], noise, steps, rate)
}

// agreeOn compares on given polymers: the largest distance, and where there are
// enough of them, the one in the middle.
func agreeOn(t *testing.T, d *Device, c nn.Config, s nn.Sizes, examples []nn.Example, noise noise, steps int, rate float64) {
	t.Helper()
	const allowed, enough = 5, 10 // times as much: float32 on both sides, and chance
	want, got := newEngine(t, cpu.New, c, s), newEngine(t, d.NewEngine, c, s)
	all := make([]distance, len(examples))
	for i, ex := range examples {
		all[i] = measure(t, got, want, s, ex, steps, rate)
	}
	for what, of := range map[string]func(distance) float64{
		"predictions": func(d distance) float64 { return d.prediction },
		"gradients":   func(d distance) float64 { return d.gradient },
		"losses":      func(d distance) float64 { return d.loss },
		"weights":     func(d distance) float64 { return d.weight },
	} {
		apart := make([]float64, len(all))
		for i, d := range all {
			apart[i] = of(d)
		}
		slices.Sort(apart)
		median, most := apart[len(apart)/2], apart[len(apart)-1]
		t.Logf("%d polymers, %d steps: %s differ by %.1e, by at most %.1e", len(all), steps, what, median, most)
		if !(most <= allowed*of(noise.most)) {
			t.Errorf("%s differ by %.1e, more than %d times the %.1e of rounding", what, most, allowed, of(noise.most))
		}
		if len(all) >= enough && !(median <= allowed*of(noise.median)) {
			t.Errorf("%s differ by %.1e in the middle, more than %d times the %.1e of rounding", what, median, allowed, of(noise.median))
		}
	}
}

// A fold that moves to another engine and back, moments and all, goes on as if
// it had stayed.
func TestFoldMoves(t *testing.T) {
	t.Parallel()
	s := enginetest.ShippedSizes
	stays, leaves := newEngine(t, cpu.New, small, s), newEngine(t, cpu.New, small, s)
	visited := newEngine(t, openShim(t, 64).NewEngine, small, s)
	examples := polymers(t, small)[:8]
	for i, e := range []nn.Engine{leaves, visited, leaves, visited} {
		if i > 0 {
			from := []nn.Engine{visited, leaves}[i%2]
			if err := e.SetState(state(t, from)); err != nil {
				t.Fatal(err)
			}
		}
		for k := range examples {
			b := &nn.Batch{Examples: examples[k : k+1], Epoch: i}
			got, want := step(t, e, b, enginetest.DefaultAdam), step(t, stays, b, enginetest.DefaultAdam)
			if d := math.Abs(got - want); !(d <= 1e-5*max(1, want)) {
				t.Errorf("epoch %d, row %d: the loss is %v, want %v", i, k, got, want)
			}
		}
	}
	if got, want := state(t, visited), state(t, stays); got.Step != want.Step {
		t.Errorf("step %d, want %d", got.Step, want.Step)
	}
}

// Threads may run in any order between barriers: to the bit.
func TestOrderOfThreads(t *testing.T) {
	t.Parallel()
	s := enginetest.ShippedSizes
	examples := polymers(t, small)
	var first *nn.State
	for order := range uint64(3) {
		for _, blocks := range []int{1, 5} {
			drv := newShim(t)
			drv.order, drv.blocks = order, blocks
			e := newEngine(t, openOn(t, drv, 64).NewEngine, small, s)
			for _, b := range []nn.Batch{{Examples: examples[4:5]}, {Examples: examples[1:3]}, {Examples: examples[4:5], Epoch: 1}} {
				step(t, e, &b, enginetest.DefaultAdam)
			}
			got := state(t, e)
			if first == nil {
				first = got
			}
			if !slices.Equal(got.Weights.Slab, first.Weights.Slab) || !slices.Equal(got.V.Slab, first.V.Slab) {
				t.Errorf("order %d on %d blocks gives other bits", order, blocks)
			}
		}
	}
}
