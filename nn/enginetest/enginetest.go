// Package enginetest holds every engine to the same network: to what PolyID
// answered on TensorFlow, to a textbook form in float64, and to the contract
// of nn.Engine.
package enginetest

import (
	"math"
	"slices"
	"strings"
	"sync"
	"testing"

	"polyid-trainer/nn"
	"polyid-trainer/nn/plan"
)

// Long is the test of the suite that takes thousands of steps.
const Long = "DropoutDistribution"

// Exercise runs the suite on engines that newEngine makes, all of it but the
// tests that are excepted by name.
func Exercise(t *testing.T, newEngine nn.NewEngine, except ...string) {
	x := exerciser{newEngine}
	for _, test := range []struct {
		name string
		run  func(*testing.T)
	}{
		{"PolyID/Small", func(t *testing.T) { x.golden(t, Small(t)) }},
		{"PolyID/Full", func(t *testing.T) { x.golden(t, Full(t)) }},
		{"PolyID/Adam", x.adam},
		{"OddSizes", x.oddSizes},
		{"RaggedBatch", x.raggedBatch},
		{"WeightedBatch", x.weightedBatch},
		{"SumOfSingles", x.sumOfSingles},
		{"BatchesRepeat", x.batchesRepeat},
		{"PredictTogether", x.predictTogether},
		{"Initialisation", x.initialisation},
		{"Repeats", x.repeats},
		{"Resumes", x.resumes},
		{"State", x.state},
		{"PublishedState", x.publishedState},
		{Long, x.dropoutDistribution},
		{"DropoutKey", x.dropoutKey},
		{"Concurrently", x.concurrently},
		{"BadInput", x.badInput},
	} {
		if slices.Contains(except, test.name) {
			continue
		}
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.run(t)
		})
	}
}

type exerciser struct{ newEngine nn.NewEngine }

// engine makes an engine, with given weights if p is not nil.
func (x exerciser) engine(t *testing.T, c nn.Config, s nn.Sizes, p *nn.Params) nn.Engine {
	t.Helper()
	e, err := x.newEngine(c, s, 1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	if p != nil {
		if err := e.SetState(&nn.State{Weights: p}); err != nil {
			t.Fatal(err)
		}
	}
	return e
}

// batch binds polymers to quotient plans; rows are numbered from 0.
func batch(c nn.Config, polymers ...*Polymer) *nn.Batch {
	var b plan.Builder
	out := new(nn.Batch)
	for i, p := range polymers {
		out.Examples = append(out.Examples, p.Example(b.Build(p.Graph(), c.NumMessages), i))
	}
	return out
}

func step(t *testing.T, e nn.Engine, b *nn.Batch, o nn.Adam) float64 {
	t.Helper()
	loss, err := e.Step(b, o)
	if err != nil {
		t.Fatal(err)
	}
	return loss
}

func predict(t *testing.T, e nn.Engine, b *nn.Batch, targets int) []float64 {
	t.Helper()
	dst := make([]float32, targets*len(b.Examples))
	if err := e.Predict(b, dst); err != nil {
		t.Fatal(err)
	}
	return widen(dst)
}

func state(t *testing.T, e nn.Engine) *nn.State {
	t.Helper()
	s := new(nn.State)
	if err := e.State(s); err != nil {
		t.Fatal(err)
	}
	return s
}

// gradient runs a step whose first Adam moment is the gradient, as β1 = 0
// makes it, and returns loss and gradient.
func gradient(t *testing.T, e nn.Engine, b *nn.Batch) (float64, *nn.Params) {
	t.Helper()
	loss := step(t, e, b, nn.Adam{Beta2: 0.5, Epsilon: 1})
	return loss, state(t, e).M
}

// allowed is how many times TensorFlow's own rounding an engine may differ.
const allowed = 3

// golden compares with PolyID, batch by batch: in float64 where it has been
// run in it.
func (x exerciser) golden(t *testing.T, g *Golden) {
	tolerance := allowed * g.Noise
	for _, b := range g.Batches {
		want := b.F32
		if b.F64 != nil {
			want = *b.F64
		}
		e := x.engine(t, g.Config, g.Sizes, g.Params)
		in := batch(g.Config, b.Polymers...)
		if d := Apart(predict(t, e, in, g.Sizes.Targets), want.Pred); d > tolerance {
			t.Errorf("%s: predictions differ by %.1e", b.Name, d)
		}
		loss, grad := gradient(t, e, in)
		if d := math.Abs(loss-want.Loss) / want.Loss; d > tolerance {
			t.Errorf("%s: loss differs by %.1e", b.Name, d)
		}
		worst, where := 0.0, ""
		compare := func(name string, d float64) {
			if d > worst {
				worst, where = d, name
			}
			if d > tolerance {
				t.Errorf("%s: gradient of %s differs by %.1e", b.Name, name, d)
			}
		}
		for name, got := range grad.Tensors() {
			if Undetermined(name) {
				continue
			}
			if w, ok := want.Grad[name]; ok {
				compare(name, Apart(widen(got.Data), w))
			} else {
				compare(name, math.Abs(norm(got.Data)/want.GradNorm[name]-1))
			}
		}
		t.Logf("%s: gradients within %.1e (%s); TensorFlow's own rounding is %.1e", b.Name, worst, where, g.Noise)
	}
}

func norm(v []float32) float64 {
	sum := 0.0
	for _, x := range v {
		sum += float64(x) * float64(x)
	}
	return math.Sqrt(sum)
}

// adam repeats the ten steps PolyID was recorded at.
func (x exerciser) adam(t *testing.T) {
	const tolerance = 3e-7 // absolute; TensorFlow's float32 is 1.0e-7 off its float64 after ten
	run := SmallAdam(t)
	g := run.Golden
	e := x.engine(t, g.Config, g.Sizes, g.Params)
	data := ReadShipped(t)
	for i, row := range run.Rows {
		p := data.Polymer(row, ShippedCenter, ShippedScale)
		loss := step(t, e, batch(g.Config, p), run.Adam)
		if d := math.Abs(loss - run.Loss[i]); d > 1e-5 {
			t.Errorf("step %d: loss %v, PolyID's %v", i+1, loss, run.Loss[i])
		}
		want, ok := run.After[i+1]
		if !ok {
			continue
		}
		worst := 0.0
		for name, got := range state(t, e).Weights.Tensors() {
			if Undetermined(name) {
				continue
			}
			w, _ := want.Tensor(name)
			for k := range got.Data {
				d := math.Abs(float64(got.Data[k]) - float64(w.Data[k]))
				worst = max(worst, d)
				if d > tolerance {
					t.Errorf("after %d steps, %s[%d] is %v, PolyID's %v", i+1, name, k, got.Data[k], w.Data[k])
					break
				}
			}
		}
		t.Logf("after %d steps: weights within %.1e", i+1, worst)
	}
}

// noise bounds float32 rounding against the textbook form, over the largest
// element of a tensor: TensorFlow's own is 1.2e-5 on a small network.
const noise = 3 * 1.2e-5

// against compares one batch with the textbook form.
func (x exerciser) against(t *testing.T, c nn.Config, s nn.Sizes, in *nn.Batch, polymers ...*Polymer) {
	t.Helper()
	params := RandomParams(c, s, 3)
	ref := NewReference(c, s, params)
	e := x.engine(t, c, s, params)
	var want []float64
	for _, p := range polymers {
		want = append(want, ref.Predict(p)...)
	}
	if d := Apart(predict(t, e, in, s.Targets), want); d > noise {
		t.Errorf("%+v: predictions differ by %.1e", c, d)
	}
	wantLoss, wantGrad := ref.Loss(polymers)
	loss, grad := gradient(t, e, in)
	if math.Abs(loss-wantLoss) > noise*wantLoss {
		t.Errorf("%+v: loss %v, want %v", c, loss, wantLoss)
	}
	for _, spec := range nn.Layout(c, s) {
		got := widen(grad.Slab[spec.Off : spec.Off+spec.Size()])
		if d := Apart(got, wantGrad[spec.Off:spec.Off+spec.Size()]); d > noise && !Undetermined(spec.Name) {
			t.Errorf("%+v: gradient of %s differs by %.1e", c, spec.Name, d)
		}
	}
}

// oddSizes takes widths that fill no panel, M above and below F, one block.
func (x exerciser) oddSizes(t *testing.T) {
	polymers := ReadShipped(t).Distinct
	for i, c := range []nn.Config{
		{AtomFeatures: 3, MolFeatures: 2, NumMessages: 2},
		{AtomFeatures: 5, MolFeatures: 9, NumMessages: 3},
		{AtomFeatures: 17, MolFeatures: 1, NumMessages: 1},
		{AtomFeatures: 33, MolFeatures: 40, NumMessages: 2},
	} {
		c = c.WithDefaults()
		s := nn.Sizes{AtomClasses: 9, BondClasses: 14, Targets: 1 + i}
		p := *polymers[7*i]
		for k := range s.Targets {
			p.Target = append(p.Target, 0.5-float64(k))
		}
		x.against(t, c, s, batch(c, &p), &p)
	}
}

// raggedBatch has polymers of several sizes, one twice, some targets unknown,
// on quotient and on plain plans.
func (x exerciser) raggedBatch(t *testing.T) {
	c := nn.Config{AtomFeatures: 12, MolFeatures: 5, NumMessages: 3}.WithDefaults()
	s := nn.Sizes{AtomClasses: 9, BondClasses: 14, Targets: 2}
	var polymers []*Polymer
	for i, d := range []int{0, 11, 23, 11} {
		p := *ReadShipped(t).Distinct[d]
		p.Target = [][]float64{{1, -1}, {math.NaN(), 2}, {0.25, math.NaN()}, {-3, 0.5}}[i]
		polymers = append(polymers, &p)
	}
	x.against(t, c, s, batch(c, polymers...), polymers...)
	var b plan.Builder
	plain := batch(c, polymers...)
	for i, p := range polymers {
		plain.Examples[i] = p.Example(b.Plain(p.Graph(), c.NumMessages), i)
	}
	x.against(t, c, s, plain, polymers...)
}

// weightedBatch has polymers that count differently, two of them with one graph.
func (x exerciser) weightedBatch(t *testing.T) {
	c := nn.Config{AtomFeatures: 12, MolFeatures: 5, NumMessages: 3}.WithDefaults()
	s := nn.Sizes{AtomClasses: 9, BondClasses: 14, Targets: 2}
	var polymers []*Polymer
	for i, d := range []int{0, 11, 11} {
		p := *ReadShipped(t).Distinct[d]
		p.Target = [][]float64{{1, -1}, {math.NaN(), 2}, {0.25, math.NaN()}}[i]
		p.Weight = []float32{0.5, 3, 0}[i]
		polymers = append(polymers, &p)
	}
	x.against(t, c, s, batch(c, polymers...), polymers...)
	x.against(t, c, s, batch(c, polymers[:1]...), polymers[0])
}

// predictTogether checks that what is predicted in one batch is predicted as it
// is alone, to the bit: polymers of any size, in any company, some twice.
func (x exerciser) predictTogether(t *testing.T) {
	c := nn.Config{AtomFeatures: 24, MolFeatures: 5, NumMessages: 3, Dropout: 0.1}.WithDefaults()
	e := x.engine(t, c, ShippedSizes, RandomParams(c, ShippedSizes, 4))
	examples := ShippedExamples(t, c)[:40]
	var b plan.Builder
	two := &Polymer{Atom: []int32{2, 3}, Bond: []int32{2, 2}, Src: []int32{0, 1}, Dst: []int32{1, 0}}
	examples = append(slices.Clone(examples), two.Example(b.Build(two.Graph(), c.NumMessages), 40), examples[0])
	var alone []float64
	for i := range examples {
		alone = append(alone, predict(t, e, &nn.Batch{Examples: examples[i : i+1]}, ShippedSizes.Targets)...)
	}
	for _, size := range []int{2, 3, len(examples)} {
		var together []float64
		for part := range slices.Chunk(examples, size) {
			together = append(together, predict(t, e, &nn.Batch{Examples: part}, ShippedSizes.Targets)...)
		}
		if !slices.Equal(together, alone) {
			t.Errorf("%d at a time are predicted as something else than alone", size)
		}
	}
}

// initialisation checks that fresh weights are nn's, whatever the layout.
func (x exerciser) initialisation(t *testing.T) {
	c := nn.Config{AtomFeatures: 10, MolFeatures: 3, NumMessages: 2}.WithDefaults()
	s := nn.Sizes{AtomClasses: 4, BondClasses: 5, Targets: 2}
	e, err := x.newEngine(c, s, 99)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	want := nn.NewParams(c, s)
	want.Init(99)
	got := state(t, e)
	if !slices.Equal(got.Weights.Slab, want.Slab) {
		t.Error("fresh weights are not nn.Params.Init's")
	}
	if got.Step != 0 || slices.ContainsFunc(got.M.Slab, nonzero) || slices.ContainsFunc(got.V.Slab, nonzero) {
		t.Error("a fresh engine has trained")
	}
}

func nonzero(x float32) bool { return x != 0 }

// training is a small job with dropout.
type training struct {
	config   nn.Config
	sizes    nn.Sizes
	examples []nn.Example
}

func newTraining(t *testing.T) *training {
	t.Helper()
	c := nn.Config{AtomFeatures: 16, MolFeatures: 4, NumMessages: 3, Dropout: 0.1}.WithDefaults()
	return &training{c, ShippedSizes, ShippedExamples(t, c)[:12]}
}

// run trains for epochs from to to−1, with batches of one and of two.
func (tr *training) run(t *testing.T, e nn.Engine, from, to int) []float64 {
	t.Helper()
	var losses []float64
	for epoch := from; epoch < to; epoch++ {
		for i := 0; i+1 < len(tr.examples); i += 3 {
			for _, size := range []int{1, 2} {
				b := &nn.Batch{Examples: tr.examples[i : i+size], Epoch: epoch}
				losses = append(losses, step(t, e, b, DefaultAdam))
			}
		}
	}
	return losses
}

// equalStates reports whether two states are equal to the bit.
func equalStates(a, b *nn.State) bool {
	return a.Step == b.Step && slices.Equal(a.Weights.Slab, b.Weights.Slab) &&
		slices.Equal(a.M.Slab, b.M.Slab) && slices.Equal(a.V.Slab, b.V.Slab)
}

func (x exerciser) repeats(t *testing.T) {
	tr := newTraining(t)
	a, b := x.engine(t, tr.config, tr.sizes, nil), x.engine(t, tr.config, tr.sizes, nil)
	if !slices.Equal(tr.run(t, a, 0, 3), tr.run(t, b, 0, 3)) || !equalStates(state(t, a), state(t, b)) {
		t.Error("two runs of one seed differ")
	}
}

// resumes continues from a copied state, in another engine, to the bit.
func (x exerciser) resumes(t *testing.T) {
	tr := newTraining(t)
	a, b := x.engine(t, tr.config, tr.sizes, nil), x.engine(t, tr.config, tr.sizes, nil)
	tr.run(t, a, 0, 2)
	if err := b.SetState(state(t, a)); err != nil {
		t.Fatal(err)
	}
	if !equalStates(state(t, a), state(t, b)) {
		t.Fatal("the state does not survive SetState")
	}
	if !slices.Equal(tr.run(t, a, 2, 4), tr.run(t, b, 2, 4)) || !equalStates(state(t, a), state(t, b)) {
		t.Error("a resumed run differs from one that went on")
	}
}

// state checks that State reuses memory of the right layout and replaces what
// is not, and that a State is a copy.
func (x exerciser) state(t *testing.T) {
	tr := newTraining(t)
	e := x.engine(t, tr.config, tr.sizes, nil)
	tr.run(t, e, 0, 1)
	s := state(t, e)
	before := s.Weights.Clone()
	kept := s.Weights
	s.M = nn.NewParams(tr.config, nn.Sizes{AtomClasses: 2, BondClasses: 2, Targets: 1})
	tr.run(t, e, 1, 2)
	if !slices.Equal(s.Weights.Slab, before.Slab) {
		t.Error("a state changes as the training goes on")
	}
	if err := e.State(s); err != nil {
		t.Fatal(err)
	}
	if s.Weights != kept {
		t.Error("State does not reuse what it is given")
	}
	if !equalStates(s, state(t, e)) {
		t.Error("State into used memory differs from State into fresh")
	}
}

// publishedState predicts from weights alone, as a published model has them,
// and goes on from moments of zero.
func (x exerciser) publishedState(t *testing.T) {
	tr := newTraining(t)
	a, b := x.engine(t, tr.config, tr.sizes, nil), x.engine(t, tr.config, tr.sizes, nil)
	tr.run(t, a, 0, 1)
	tr.run(t, b, 0, 2) // leaves moments that must go
	weights := state(t, a).Weights
	if err := b.SetState(&nn.State{Weights: weights}); err != nil {
		t.Fatal(err)
	}
	in := &nn.Batch{Examples: tr.examples}
	if !slices.Equal(predict(t, a, in, 2), predict(t, b, in, 2)) {
		t.Error("published weights predict something else")
	}
	if s := state(t, b); slices.ContainsFunc(s.M.Slab, nonzero) || s.Step != 0 {
		t.Error("moments outlive a published state")
	}
}

// concurrently runs two engines at once; go test -race watches.
func (x exerciser) concurrently(t *testing.T) {
	tr := newTraining(t)
	losses := make([][]float64, 2)
	engines := []nn.Engine{x.engine(t, tr.config, tr.sizes, nil), x.engine(t, tr.config, tr.sizes, nil)}
	var wg sync.WaitGroup
	for i := range losses {
		wg.Go(func() { losses[i] = tr.run(t, engines[i], 0, 3) })
	}
	wg.Wait()
	if !slices.Equal(losses[0], losses[1]) {
		t.Error("engines that run at once disturb one another")
	}
}

// badInput is refused with an error that names the row, and does no harm.
func (x exerciser) badInput(t *testing.T) {
	tr := newTraining(t)
	e := x.engine(t, tr.config, tr.sizes, nil)
	before := state(t, e)
	var b plan.Builder
	for what, spoil := range map[string]func(*nn.Example){
		"atom token": func(ex *nn.Example) { ex.Atom = slices.Repeat([]int32{9}, len(ex.Atom)) },
		"bond token": func(ex *nn.Example) { ex.Bond = slices.Repeat([]int32{-1}, len(ex.Bond)) },
		"tokens":     func(ex *nn.Example) { ex.Atom = ex.Atom[1:] },
		"blocks":     func(ex *nn.Example) { ex.Plan = b.Build(ReadShipped(t).Distinct[0].Graph(), 2) },
		"no bonds": func(ex *nn.Example) {
			*ex = nn.Example{Plan: b.Build((&Polymer{Atom: []int32{2}}).Graph(), 3), Atom: []int32{2}, Row: 41}
		},
		"targets":   func(ex *nn.Example) { ex.Target = ex.Target[:1] },
		"no target": func(ex *nn.Example) { ex.Target = []float32{float32(math.NaN()), float32(math.NaN())} },
	} {
		ex := tr.examples[0]
		ex.Row = 41
		spoil(&ex)
		_, err := e.Step(&nn.Batch{Examples: []nn.Example{ex}}, DefaultAdam)
		if err == nil {
			t.Errorf("%s: a step was made", what)
		} else if what != "no target" && !strings.Contains(err.Error(), "row 41") {
			t.Errorf("%s: %q does not name the row", what, err)
		}
	}
	if err := e.Predict(&nn.Batch{Examples: tr.examples[:2]}, make([]float32, 3)); err == nil {
		t.Error("predictions for two were written into room for one and a half")
	}
	other := nn.NewParams(tr.config, nn.Sizes{AtomClasses: 2, BondClasses: 2, Targets: 1})
	if err := e.SetState(&nn.State{Weights: other}); err == nil {
		t.Error("the weights of another network were accepted")
	}
	if !equalStates(before, state(t, e)) {
		t.Error("what was refused left traces")
	}
}
