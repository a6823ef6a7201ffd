package ensemble

import (
	"slices"
	"sync"

	"polyid-trainer/featurize"
	"polyid-trainer/nn"
	"polyid-trainer/nn/plan"
)

// fold is one model on its engine.
type fold struct {
	number        int
	binding       *featurize.Binding
	center, scale []float64

	waiting calls

	mu     sync.Mutex // of what follows
	engine nn.Engine
	batch  nn.Batch  // of the polymers at hand; its tokens are reused
	scaled []float32 // [polymers, targets]
}

// call is polymers that a fold is asked to predict. done and err are for who has
// its engine to read and write.
type call struct {
	polymers []*pending
	done     bool
	err      error
}

// calls are those that wait for a fold, the oldest first.
type calls struct {
	mu   sync.Mutex
	list []*call
}

func (w *calls) add(c *call) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.list = append(w.list, c)
}

// take removes the oldest call and what follows it, up to so many polymers.
func (w *calls) take(most int) (taken []*call) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n, polymers := 0, 0
	for n < len(w.list) && (n == 0 || polymers+len(w.list[n].polymers) <= most) {
		polymers += len(w.list[n].polymers)
		n++
	}
	taken = slices.Clone(w.list[:n])
	w.list = slices.Delete(w.list, 0, n)
	return taken
}

// Together is how many polymers are worth taking through an ensemble at once, and
// what callers' calls are put together to: with more, nothing is gained that a
// first result should wait for.
const Together = 4

// predict has f predict polymers. Whoever gets the engine predicts what others
// wait for with it, oldest first, until its own is done.
func (f *fold) predict(polymers []*pending, enter func() (leave func())) error {
	c := &call{polymers: polymers}
	f.waiting.add(c)
	f.mu.Lock()
	defer f.mu.Unlock()
	if c.done {
		return c.err
	}
	if enter != nil {
		defer enter()()
	}
	for !c.done {
		f.answer(f.waiting.take(Together))
	}
	return c.err
}

// answer predicts calls together; where that fails, each alone, so that only the
// one to blame fails.
func (f *fold) answer(calls []*call) {
	var all []*pending
	for _, c := range calls {
		all = append(all, c.polymers...)
	}
	err := f.run(all)
	for _, c := range calls {
		c.done, c.err = true, err
		if err != nil && len(calls) > 1 {
			c.err = f.run(c.polymers)
		}
	}
}

// run writes f's answers, and marks the classes that it does not know.
func (f *fold) run(out []*pending) error {
	targets := len(f.scale)
	b := &f.batch
	b.Examples = slices.Grow(b.Examples[:0], len(out))[:len(out)]
	for i, x := range out {
		ex := &b.Examples[i]
		ex.Plan, ex.Row = x.plan, i
		ex.Atom, _ = f.binding.Atom.Tokens(ex.Atom[:0], x.plan.AtomID)
		ex.Bond, _ = f.binding.Bond.Tokens(ex.Bond[:0], x.plan.BondID)
		x.mark(ex.Atom, ex.Bond)
	}
	f.scaled = slices.Grow(f.scaled[:0], len(out)*targets)[:len(out)*targets]
	if err := f.engine.Predict(b, f.scaled); err != nil {
		return err
	}
	for i, x := range out {
		for t, y := range f.scaled[i*targets:][:targets] {
			x.Values[t].PerFold[f.number] = float64(y)*f.scale[t] + f.center[t]
		}
	}
	return nil
}

// pending is a Prediction that the folds are filling in.
type pending struct {
	Prediction
	plan *plan.Plan

	mu                       sync.Mutex
	unknownAtom, unknownBond []bool // by class of layer 0
}

func newPending(p *plan.Plan, targets, folds int) *pending {
	x := &pending{plan: p, unknownAtom: make([]bool, len(p.AtomID)), unknownBond: make([]bool, len(p.BondID))}
	x.Values = make([]Value, targets)
	for t := range x.Values {
		x.Values[t].PerFold = make([]float64, folds)
	}
	return x
}

// mark notes the classes whose tokens say that a fold does not know them.
func (x *pending) mark(atom, bond []int32) {
	x.mu.Lock()
	defer x.mu.Unlock()
	mark(x.unknownAtom, atom)
	mark(x.unknownBond, bond)
}

func mark(unknown []bool, tokens []int32) {
	for i, token := range tokens {
		if token == featurize.Unknown {
			unknown[i] = true
		}
	}
}

func count(marks []bool) (n int) {
	for _, m := range marks {
		if m {
			n++
		}
	}
	return n
}
