package cpu

import (
	"polyid-trainer/nn"
	"polyid-trainer/nn/kernel"
	"polyid-trainer/nn/plan"
)

// pad is added to the stride of every matrix of states: rows a power of two
// apart would share a few sets of the L1 cache.
const pad = 16

// align starts every slice of an arena on a cache line of its own; elements.
const align = 16

// carver cuts slices from a buffer, or only adds up their lengths while it has
// none.
type carver[T kernel.Float] struct {
	buf []T
	n   int
}

func (c *carver[T]) take(n int) []T {
	at := c.n
	c.n += (n + align - 1) / align * align
	if c.buf == nil {
		return nil
	}
	return c.buf[at : at+n : at+n]
}

// matrix takes rows of cols, see pad.
func (c *carver[T]) matrix(rows, cols int) kernel.View[T] {
	stride := cols + pad
	return kernel.View[T]{Data: c.take(rows * stride), Rows: rows, Cols: cols, Stride: stride}
}

func (c *carver[T]) attend(classes, features int) attention[T] {
	return attention[T]{p: c.take(classes), mean: c.take(features)}
}

// attention is what a pooling leaves behind: softmax's weight of each class,
// atoms first, and the mean these weights give.
type attention[T kernel.Float] struct {
	p    []T // [atoms + bonds]
	mean []T // [F]
}

// round is the hidden states of one block; all but the first two are empty in
// the last. "After" as in plan.Block.
type round[T kernel.Float] struct {
	attention attention[T]
	edge      kernel.View[T] // [bonds after, 2F]
	message   kernel.View[T] // [bonds after, 2F]
	sum       kernel.View[T] // [atoms after, 2F] of messages
	gathered  kernel.View[T] // [atoms after, F] sum through msg2
	node      kernel.View[T] // [atoms after, 2F]
}

// states is everything one run computes on the way.
type states[T kernel.Float] struct {
	atom  []kernel.View[T] // [classes, F] by layer, but the last
	bond  []kernel.View[T] // [classes, F] by layer
	mol   [][]T            // [M] from the initial pooling, then after each block's
	count [][]T            // members of each layer's classes, atoms first
	init  attention[T]
	round []round[T]

	share    []T              // of each last bond class in the mean over bonds
	mask     []kernel.View[T] // [last bond classes, F] by head: dropout's factors
	headMean [][]T            // [F] by head
	pred     []T              // by head

	// Work space. Rows and vectors are as long as the largest layer needs; see
	// top.
	projBond         kernel.View[T] // [bonds before, 2F]
	projSrc, projDst kernel.View[T] // [atoms before, 2F]
	bias             []T            // [2F]
	mean             []T            // [F]
	logit            []T            // [atoms + bonds]

	// Gradients, of the states of layer j+1 and j in turn.
	dAtom, dBond [2]kernel.View[T] // [classes, F]
	dMol         []T               // [M]
	dHidden      kernel.View[T]    // [bonds after, 2F] of edge or message
	dNode        kernel.View[T]    // [atoms after, 2F] of node or sum
	dGathered    kernel.View[T]    // [atoms after, F]
}

// top is the first rows of a work space.
func top[T kernel.Float](v kernel.View[T], rows int) kernel.View[T] {
	v.Rows = rows
	return v
}

func newStates[T kernel.Float](c nn.Config, s nn.Sizes) *states[T] {
	return &states[T]{
		atom:     make([]kernel.View[T], c.NumMessages),
		bond:     make([]kernel.View[T], c.NumMessages+1),
		mol:      make([][]T, c.NumMessages+1),
		count:    make([][]T, c.NumMessages+1),
		round:    make([]round[T], c.NumMessages),
		mask:     make([]kernel.View[T], s.Targets),
		headMean: make([][]T, s.Targets),
	}
}

// carve cuts the memory of a run on p from a; train adds what only a gradient
// needs.
func (s *states[T]) carve(a *carver[T], p *plan.Plan, c nn.Config, train bool) {
	f, h := c.AtomFeatures, 2*c.AtomFeatures
	last := len(p.Blocks)
	maxA, maxB := 0, 0
	for t := range last + 1 {
		nA, nB := 0, p.BondClasses(t)
		if t < last {
			nA = p.AtomClasses(t)
		}
		s.mol[t] = a.take(c.MolFeatures)
		s.count[t] = a.take(nA + nB)
		maxA, maxB = max(maxA, nA), max(maxB, nB)
	}
	s.init = a.attend(p.AtomClasses(0)+p.BondClasses(0), f)
	if train {
		for t := range last + 1 {
			s.carveLayer(a, t, p, f)
		}
	} else {
		s.carveInTurn(a, p, f)
	}
	s.share = a.take(p.BondClasses(last))
	s.pred = a.take(len(s.mask))
	for i := range s.mask {
		s.headMean[i] = a.take(f)
		s.mask[i] = kernel.View[T]{}
		if train && c.Dropout > 0 {
			s.mask[i] = a.matrix(p.BondClasses(last), f)
		}
	}

	s.projBond, s.projSrc, s.projDst = a.matrix(maxB, h), a.matrix(maxA, h), a.matrix(maxA, h)
	s.bias, s.mean, s.logit = a.take(h), a.take(f), a.take(maxA+maxB)
	if !train {
		return
	}
	for i := range 2 {
		s.dAtom[i], s.dBond[i] = a.matrix(maxA, f), a.matrix(maxB, f)
	}
	s.dMol = a.take(c.MolFeatures)
	s.dHidden, s.dNode, s.dGathered = a.matrix(maxB, h), a.matrix(maxA, h), a.matrix(maxA, f)
}

// carveInTurn cuts the layers of a run without gradient, which needs two of
// them at a time: they take turns in the same memory, so that it stays in
// cache.
func (s *states[T]) carveInTurn(a *carver[T], p *plan.Plan, f int) {
	var room [2]int
	for t := range len(p.Blocks) + 1 {
		var need carver[T]
		s.carveLayer(&need, t, p, f)
		room[t%2] = max(room[t%2], need.n)
	}
	turns := [2][]T{a.take(room[0]), a.take(room[1])}
	for t := range len(p.Blocks) + 1 {
		s.carveLayer(&carver[T]{buf: turns[t%2]}, t, p, f)
	}
}

// carveLayer cuts the states of layer t and what the block that reads them
// computes on the way.
func (s *states[T]) carveLayer(a *carver[T], t int, p *plan.Plan, f int) {
	last := len(p.Blocks)
	s.bond[t] = a.matrix(p.BondClasses(t), f)
	if t == last {
		return
	}
	s.atom[t] = a.matrix(p.AtomClasses(t), f)
	r, h := &s.round[t], 2*f
	nA, nB := p.AtomClasses(t+1), p.BondClasses(t+1)
	r.attention = a.attend(p.AtomClasses(t)+p.BondClasses(t), f)
	r.edge = a.matrix(nB, h)
	if t < last-1 {
		r.message = a.matrix(nB, h)
		r.sum, r.gathered, r.node = a.matrix(nA, h), a.matrix(nA, f), a.matrix(nA, h)
	}
}
