package enginetest

import (
	"math"

	"polyid-trainer/nn"
)

// A Polymer is one polymer atom by atom and directed bond by directed bond, as
// PolyID feeds it to TensorFlow.
type Polymer struct {
	Atom, Bond []int32   // tokens
	Src, Dst   []int32   // of each bond
	Target     []float64 // scaled; NaN = unmeasured
	// Keep holds, per head, dropout's factor of each of its inputs, [bonds, F];
	// nil = no dropout.
	Keep   [][]float64
	Weight float32 // nn.Example's
}

// Reference is the network in its textbook form, in float64: concatenations
// are concatenated, every atom and every bond has its own row, and each
// operation is differentiated on its own. It shares no code with any engine
// but the names of the tensors.
type Reference struct {
	Config  nn.Config
	Sizes   nn.Sizes
	Weights []float64 // in nn.Layout's order

	observe func(a, b *matrix) // of each layer; may be nil
}

// NewReference takes over weights kept in float32.
func NewReference(c nn.Config, s nn.Sizes, p *nn.Params) *Reference {
	return &Reference{Config: c, Sizes: s, Weights: widen(p.Slab)}
}

func widen(x []float32) []float64 {
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = float64(v)
	}
	return y
}

// Predict returns the scaled predictions for p, one per target.
func (r *Reference) Predict(p *Polymer) []float64 {
	var t tape
	return r.run(&t, p, make([]float64, len(r.Weights))).v
}

// Loss returns the masked mean absolute error of a batch and its gradient for
// every weight.
func (r *Reference) Loss(batch []*Polymer) (loss float64, grad []float64) {
	grad = make([]float64, len(r.Weights))
	finite := 0
	for _, p := range batch {
		for _, y := range p.Target {
			if !math.IsNaN(y) {
				finite++
			}
		}
	}
	for _, p := range batch {
		var t tape
		out := r.run(&t, p, grad)
		for i, y := range p.Target {
			if math.IsNaN(y) {
				continue
			}
			e, weight := out.v[i]-y, 1/float64(finite)
			if p.Weight != 0 {
				weight *= float64(p.Weight)
			}
			loss += math.Abs(e) * weight
			out.d[i] = sign(e) * weight
		}
		t.gradients()
	}
	return loss, grad
}

func sign(x float64) float64 {
	switch {
	case x > 0:
		return 1
	case x < 0:
		return -1
	}
	return 0
}

// States returns the rows of every atom and of every bond, [rows, F], at layers
// 0 to NumMessages; atoms keep their last states in the last.
func (r *Reference) States(p *Polymer) (atoms, bonds [][]float64) {
	var t tape
	r.observe = func(a, b *matrix) {
		atoms, bonds = append(atoms, a.v), append(bonds, b.v)
	}
	defer func() { r.observe = nil }()
	r.run(&t, p, make([]float64, len(r.Weights)))
	return atoms, bonds
}

// run states the network: a and b are the rows of atoms and bonds, g is the
// global state.
func (r *Reference) run(t *tape, p *Polymer, grad []float64) *matrix {
	w, d := nn.View(r.Config, r.Sizes, r.Weights), nn.View(r.Config, r.Sizes, grad)
	embed := func(w, d []float64, tokens []int32) *matrix {
		f := r.Config.AtomFeatures
		return t.gather(&matrix{rows: len(w) / f, cols: f, v: w, d: d}, tokens)
	}
	a, b := embed(w.Atom, d.Atom, p.Atom), embed(w.Bond, d.Bond, p.Bond)
	pool := func(w, d nn.Pool[float64]) *matrix {
		x := t.stack(a, b)
		return t.attend(t.dense(x, w.Query, d.Query), t.dense(x, w.Value, d.Value))
	}
	g := pool(w.Init, d.Init)
	everyBond := make([]int32, len(p.Bond)) // tiles g
	layer := func() {
		if r.observe != nil {
			r.observe(a, b)
		}
	}
	layer()
	for j := range w.Block {
		w, d := &w.Block[j], &d.Block[j]
		g = t.add(g, pool(w.Pool, d.Pool))
		x := t.concat(b, t.gather(a, p.Src), t.gather(a, p.Dst), t.gather(g, everyBond))
		x = t.relu(t.dense(x, w.Edge1, d.Edge1))
		b = t.add(b, t.dense(x, w.Edge2, d.Edge2))
		if j == r.Config.NumMessages-1 {
			layer()
			break
		}
		x = t.concat(t.gather(a, p.Dst), b, t.gather(g, everyBond))
		x = t.relu(t.dense(x, w.Msg1, d.Msg1))
		x = t.segmentSum(t.dense(x, w.Msg2, d.Msg2), p.Src, a.rows)
		x = t.relu(t.dense(x, w.Node1, d.Node1))
		a = t.add(a, t.dense(x, w.Node2, d.Node2))
		layer()
	}
	heads := make([]*matrix, len(w.Head))
	for i := range w.Head {
		var keep []float64
		if p.Keep != nil {
			keep = p.Keep[i]
		}
		heads[i] = t.dense(t.mean(b, keep), w.Head[i], d.Head[i])
	}
	return t.concat(heads...)
}

// RandomParams are weights for tests: initialised, with biases that are not
// zero.
func RandomParams(c nn.Config, s nn.Sizes, seed uint64) *nn.Params {
	p := nn.NewParams(c, s)
	p.Init(seed)
	for i := range p.Slab {
		p.Slab[i] += float32(0.02 * math.Sin(float64(i)))
	}
	return p
}
