// Package cpu runs the network on one core.
//
// A step works on quotient rows (see nn/plan) with every Dense over a
// concatenation split by source, and every Dense without activation moved
// behind the sum it commutes with; the package's tests hold it to the textbook
// form. Weights stay in the kernels' packed layout for a whole training.
//
// # Batches
//
// A batch's distinct graphs go through the network once each, in groups: the
// rows of a group go through each matrix product together, and each operator
// takes all groups through one block before the next block, so that the block's
// weights stay in cache from group to group while a group's rows stay there from
// product to product. Every weight gets one gradient, the sum over the groups in
// their order, and one update. A batch of one group, as at batch 1, updates a
// weight matrix as soon as its gradient is known, while both are in cache, and
// never stores the gradient. Which polymers make a group is decided by the batch
// alone, and so is the order of every sum.
//
// The states of a batch take 4.7 MB for each distinct graph of the shipped
// polymers with the default network. They are bounded by statesAtOnce, whatever
// the batch.
package cpu

import (
	"errors"
	"fmt"
	"math"
	"slices"

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
	grad    *tensors[T] // its panels are made by the first step of several groups

	batch   batch
	made    []*group[T] // so far; reused
	arena   []T         // of groups and work
	work    work[T]
	pred    []T // [examples, heads] of the batch
	scratch []T // of kernels
	weight  []T // of lists; see lists
	dropout dropout.Sampler

	rowsTogether, statesAtOnce int // tests have smaller ones

	// The run the operators are bound to.
	groups []*group[T]
	epoch  int
	train  bool
	scale  float64 // 1 / finite targets of the batch
	stream bool    // update matrices as their gradients appear
	later  bool    // gradients are added to those of the batch's earlier parts
	final  bool    // the batch's last part
	add    bool    // gradients are added to those of earlier groups or parts
	adam   kernel.AdamStep[T]
	at     int // of dAtom and dBond: the layer the gradient has reached
}

func newEngine[T kernel.Float](ks *kernel.Kernels[T], c nn.Config, s nn.Sizes, seed uint64) (*engine[T], error) {
	if err := errors.Join(c.Validate(), s.Validate()); err != nil {
		return nil, fmt.Errorf("new engine: %w", err)
	}
	e := &engine[T]{ks: ks, config: c, sizes: s, seed: seed, rowsTogether: rowsTogether, statesAtOnce: statesAtOnce}
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
	return e.step(b, o, e.model.Step)
}

// step is Step with the operators run by run.
func (e *engine[T]) step(b *nn.Batch, o nn.Adam, run func() error) (float64, error) {
	measured, err := b.CheckStep(e.config, e.sizes)
	if err != nil {
		return 0, err
	}
	e.start(b.Examples)
	e.makeMoments()
	if e.grad == nil {
		e.grad = &tensors[T]{vectors: make([]T, e.layout.vectors)}
	}
	clear(e.grad.vectors)
	e.steps++
	e.adam = kernel.NewAdamStep[T](e.steps, o.LearningRate, o.Decay, o.Beta1, o.Beta2, o.Epsilon)
	e.scale, e.epoch = 1/float64(measured), b.Epoch
	e.later = false
	for rest := e.batch.graphs; len(rest) > 0; e.later = true {
		n := e.atOnce(rest)
		e.bind(rest[:n], true)
		rest = rest[n:]
		e.final = len(rest) == 0 && o.ClipNorm == 0 // a bound needs the whole gradient first
		e.stream = len(e.groups) == 1 && e.final && !e.later
		if !e.stream && e.grad.panels == nil {
			e.grad.panels = alloc[T](e.layout.panels)
		}
		if err := run(); err != nil {
			return 0, fmt.Errorf("step: %w", err)
		}
	}
	if o.ClipNorm > 0 {
		e.clip(o.ClipNorm)
		e.ks.Adam(e.weights.vectors, e.m.vectors, e.v.vectors, e.grad.vectors, e.adam)
		e.ks.Adam(e.weights.panels, e.m.panels, e.v.panels, e.grad.panels, e.adam)
	}
	return e.loss(), nil
}

// clip scales the gradient down to a norm, if it is larger. What panels are
// padded with is zero.
func (e *engine[T]) clip(most float64) {
	sum := 0.0
	for _, part := range [][]T{e.grad.vectors, e.grad.panels} {
		for _, g := range part {
			sum += float64(g) * float64(g)
		}
	}
	norm := math.Sqrt(sum)
	if !(norm > most) {
		return
	}
	scale := T(most / norm)
	for _, part := range [][]T{e.grad.vectors, e.grad.panels} {
		for i := range part {
			part[i] *= scale
		}
	}
}

// start makes room for the results of a batch.
func (e *engine[T]) start(examples []nn.Example) {
	e.batch.reset(examples)
	n := len(examples) * e.sizes.Targets
	e.pred = slices.Grow(e.pred[:0], n)[:n]
}

// predicted is the predictions of example i, by head.
func (e *engine[T]) predicted(i int) []T {
	return e.pred[i*e.sizes.Targets:][:e.sizes.Targets]
}

// loss is the mean absolute error of the batch's predictions.
func (e *engine[T]) loss() float64 {
	sum := 0.0
	for i := range e.batch.examples {
		part := 0.0
		for k, y := range e.batch.examples[i].Target {
			if nn.Measured(y) {
				part += math.Abs(float64(e.predicted(i)[k])-float64(y)) * (e.scale * e.batch.examples[i].Counts())
			}
		}
		sum += part
	}
	return sum
}

// makeMoments makes Adam's moments unless they are there.
func (e *engine[T]) makeMoments() {
	if e.m == nil {
		e.m, e.v = newTensors[T](e.layout), newTensors[T](e.layout)
	}
}

// Predict runs the network forward; see nn.Engine. It takes several examples
// through the network together, so that each weight is fetched once for all of
// them and the matrix products have the rows of all. To the bit, each is
// predicted as it is alone.
func (e *engine[T]) Predict(b *nn.Batch, dst []float32) error {
	return e.predict(b, dst, e.model.Forward)
}

// predict is Predict with the operators run by run.
func (e *engine[T]) predict(b *nn.Batch, dst []float32, run func() error) error {
	if err := b.CheckPredict(e.config, e.sizes, len(dst)); err != nil {
		return err
	}
	e.start(b.Examples)
	for rest := e.batch.graphs; len(rest) > 0; {
		n := e.together(rest)
		e.bind(rest[:n], false)
		rest = rest[n:]
		if err := run(); err != nil {
			return fmt.Errorf("predict: %w", err)
		}
	}
	widen(dst, e.pred)
	return nil
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
