// Package cpu runs the network on one core.
//
// A step works on quotient rows (see nn/plan) with every Dense over a
// concatenation split by source, and every Dense without activation moved
// behind the sum it commutes with; the package's tests hold it to the textbook
// form. Weights stay in the kernels' packed layout for a whole training. At
// batch 1 a weight matrix is updated as soon as its gradient is known, while
// both are in cache, and the gradient is never stored.
package cpu

import (
	"errors"
	"fmt"

	"polyid-trainer/nn"
	"polyid-trainer/nn/global100"
	"polyid-trainer/nn/internal/dropout"
	"polyid-trainer/nn/kernel"
	"polyid-trainer/nn/plan"
)

// New makes an engine on the fastest kernels this processor has.
func New(c nn.Config, s nn.Sizes, seed uint64) (nn.Engine, error) {
	return newEngine(kernel.Best(), c, s, seed)
}

var _ nn.NewEngine = New

// NewPath is New on the named kernels, see kernel.For.
func NewPath(path string) (nn.NewEngine, error) {
	ks, err := kernel.For(path)
	if err != nil {
		return nil, err
	}
	return func(c nn.Config, s nn.Sizes, seed uint64) (nn.Engine, error) {
		return newEngine(ks, c, s, seed)
	}, nil
}

// engine is an nn.Engine that computes in T: float32, or float64 in tests.
type engine[T kernel.Float] struct {
	ks     *kernel.Kernels[T]
	config nn.Config
	sizes  nn.Sizes
	seed   uint64
	model  *global100.Model

	layout  *layout
	steps   int64
	weights *tensors[T]
	m, v    *tensors[T] // Adam moments; made by the first step
	grad    *tensors[T] // its panels are made by the first step on several examples

	arena   []T
	states  *states[T]
	scratch []T // of kernels
	weight  []T // of lists; see lists
	dropout dropout.Sampler

	// The run the operators are bound to.
	examples []nn.Example // of a step, one
	example  *nn.Example  // the first
	epoch    int
	train    bool
	scale    float64 // 1 / finite targets of the batch
	loss     float64 // of this example, its part of the batch's mean
	stream   bool    // update weights as their gradients appear
	add      bool    // gradients are added to those of the batch's earlier examples
	adam     kernel.AdamStep[T]
	at       int // of states.dAtom and dBond: the layer the gradient has reached
}

func newEngine[T kernel.Float](ks *kernel.Kernels[T], c nn.Config, s nn.Sizes, seed uint64) (*engine[T], error) {
	if err := errors.Join(c.Validate(), s.Validate()); err != nil {
		return nil, fmt.Errorf("new engine: %w", err)
	}
	e := &engine[T]{ks: ks, config: c, sizes: s, seed: seed, states: newStates[T](c, s)}
	e.layout = newLayout(ks, c, s)
	e.weights = newTensors[T](e.layout)
	p := nn.NewParams(c, s)
	p.Init(seed)
	e.pack(e.weights, p)
	e.dropout.P = c.Dropout
	e.scratch = make([]T, e.scratchLen())
	var err error
	if e.model, err = global100.New(c.NumMessages, e); err != nil {
		return nil, fmt.Errorf("new engine: %w", err)
	}
	return e, nil
}

// scratchLen is the kernels' scratch for every shape of matrix there is.
func (e *engine[T]) scratchLen() int {
	f, h, m := e.config.AtomFeatures, 2*e.config.AtomFeatures, e.config.MolFeatures
	return max(e.ks.ScratchLen(f, h), e.ks.ScratchLen(h, f), e.ks.ScratchLen(m, h), e.ks.ScratchLen(f, m))
}

// Path names the kernels.
func (e *engine[T]) Path() string { return e.ks.Path() }

// Close frees the graph's machines.
func (e *engine[T]) Close() error { return e.model.Close() }

// Step runs one update; see nn.Engine.
func (e *engine[T]) Step(b *nn.Batch, o nn.Adam) (float64, error) {
	measured, err := b.CheckStep(e.config, e.sizes)
	if err != nil {
		return 0, err
	}
	e.stream = len(b.Examples) == 1
	e.makeMoments()
	e.makeGradient()
	e.steps++
	e.adam = kernel.NewAdamStep[T](e.steps, o.LearningRate, o.Decay, o.Beta1, o.Beta2, o.Epsilon)
	e.scale = 1 / float64(measured)
	clear(e.grad.vectors)
	loss := 0.0
	for i := range b.Examples {
		e.add = i > 0
		e.bind(b.Examples[i:i+1], true)
		e.epoch = b.Epoch
		if err := e.model.Step(); err != nil {
			return 0, fmt.Errorf("step: %w", err)
		}
		loss += e.loss
	}
	if !e.stream {
		e.ks.Adam(e.weights.vectors, e.m.vectors, e.v.vectors, e.grad.vectors, e.adam)
		e.ks.Adam(e.weights.panels, e.m.panels, e.v.panels, e.grad.panels, e.adam)
	}
	return loss, nil
}

// makeMoments makes Adam's moments unless they are there.
func (e *engine[T]) makeMoments() {
	if e.m == nil {
		e.m, e.v = newTensors[T](e.layout), newTensors[T](e.layout)
	}
}

// makeGradient makes room for the gradient unless it is there: in full, or for
// vectors only when matrices are updated as their gradients appear.
func (e *engine[T]) makeGradient() {
	if e.grad == nil {
		e.grad = &tensors[T]{vectors: make([]T, e.layout.vectors)}
	}
	if !e.stream && e.grad.panels == nil {
		e.grad.panels = make([]T, e.layout.panels)
	}
}

// Predict runs the network forward; see nn.Engine. It takes several examples
// through the network together, so that each weight is fetched once for all of
// them and the matrix products have the rows of all. To the bit, each is
// predicted as it is alone.
func (e *engine[T]) Predict(b *nn.Batch, dst []float32) error {
	if err := b.CheckPredict(e.config, e.sizes, len(dst)); err != nil {
		return err
	}
	for rest := b.Examples; len(rest) > 0; {
		n := together(rest)
		e.bind(rest[:n], false)
		rest = rest[n:]
		if err := e.model.Forward(); err != nil {
			return fmt.Errorf("predict: %w", err)
		}
		dst = dst[widen(dst, e.states.pred):]
	}
	return nil
}

// rowsTogether bounds the bond rows of the last layer that Predict takes through
// the network together, unless one example has more: beyond it, more rows gain
// nothing, and what lies between two products leaves the cache.
const rowsTogether = 640

// together is how many of the first examples are to be predicted together.
func together(examples []nn.Example) (n int) {
	rows := 0
	for n < len(examples) {
		p := examples[n].Plan
		rows += p.BondClasses(len(p.Blocks))
		if n > 0 && rows > rowsTogether {
			break
		}
		n++
	}
	return n
}

// bind carves the arena for a run on examples; a run with a gradient takes one.
func (e *engine[T]) bind(examples []nn.Example, train bool) {
	e.examples, e.example, e.train = examples, &examples[0], train
	s := e.states
	s.offsets(examples)
	var a carver[T]
	s.carve(&a, e.config, train)
	if a.n > len(e.arena) {
		e.arena = make([]T, a.n)
	}
	a = carver[T]{buf: e.arena}
	s.carve(&a, e.config, train)
	last := e.config.NumMessages
	for i := range examples {
		p := examples[i].Plan
		for t := range last + 1 {
			count := s.both(s.count[t], t, i)
			atoms := 0
			if t < last {
				atoms = widen(count, p.AtomMembers(t))
			}
			widen(count[atoms:], p.BondMembers(t))
		}
		share := s.both(s.share, last, i)
		for r, n := range s.both(s.count[last], last, i) {
			share[r] = n / T(p.NumBonds)
		}
	}
}

// lists is l in the kernels' terms.
func (e *engine[T]) lists(l *plan.Lists) kernel.CSR[T] {
	return kernel.CSR[T]{Off: l.Off, Col: l.Row, Cnt: e.asT(l.Weight)}
}

// asT is v in T: v itself, or a copy that lasts until the next call.
func (e *engine[T]) asT(v []float32) []T {
	if same, ok := any(v).([]T); ok {
		return same
	}
	e.weight = append(e.weight[:0], make([]T, len(v))...)
	widen(e.weight, v)
	return e.weight
}

// widen converts src into the front of dst.
func widen[T, S kernel.Float](dst []T, src []S) int {
	for i, v := range src {
		dst[i] = T(v)
	}
	return len(src)
}
