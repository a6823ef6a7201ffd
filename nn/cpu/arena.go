package cpu

import (
	"polyid-trainer/nn"
	"polyid-trainer/nn/kernel"
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

func (c *carver[T]) attend(classes, means int) attention[T] {
	return attention[T]{p: c.take(classes), mean: c.take(means)}
}

// attention is what a pooling leaves behind: softmax's weight of each class, and
// the mean these weights give.
type attention[T kernel.Float] struct {
	p    []T // [atoms + bonds], see states.both
	mean []T // [examples, F]
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

// states is everything one run computes on the way. Where a run takes several
// examples, their rows follow each other: matrix products take all of them at
// once, all else each example's (see ofAtoms, ofBonds, both, byExample).
type states[T kernel.Float] struct {
	n              int     // examples
	atomAt, bondAt [][]int // [n+1] by layer: where an example's classes begin; the last layer has no atoms

	atom  []kernel.View[T] // [classes, F] by layer, but the last
	bond  []kernel.View[T] // [classes, F] by layer
	mol   [][]T            // [n, M] from the initial pooling, then after each block's
	count [][]T            // members of each layer's classes, see both
	init  attention[T]
	round []round[T]

	share    []T              // of each last bond class in the mean over bonds
	mask     []kernel.View[T] // [last bond classes, F] by head: dropout's factors
	headMean [][]T            // [F] by head
	bondMean []T              // [n, F] over the last layer, of runs without gradient
	pred     []T              // [n, heads]

	// Work space. Rows and vectors are as long as the largest layer needs; see
	// top.
	projBond         kernel.View[T] // [bonds before, 2F]
	projSrc, projDst kernel.View[T] // [atoms before, 2F]
	bias             []T            // [n, 2F]
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

// ofAtoms is example i's rows of v, a row per atom class of layer t.
func (s *states[T]) ofAtoms(v kernel.View[T], t, i int) kernel.View[T] {
	return rows(v, s.atomAt[t][i], s.atomAt[t][i+1])
}

// ofBonds is example i's rows of v, a row per bond class of layer t.
func (s *states[T]) ofBonds(v kernel.View[T], t, i int) kernel.View[T] {
	return rows(v, s.bondAt[t][i], s.bondAt[t][i+1])
}

func rows[T kernel.Float](v kernel.View[T], from, to int) kernel.View[T] {
	if from == to {
		return kernel.View[T]{Cols: v.Cols, Stride: v.Stride}
	}
	v.Data, v.Rows = v.Data[from*v.Stride:], to-from
	return v
}

// both is example i's elements of v, which has one for each class of layer t:
// each example's atoms, then its bonds.
func (s *states[T]) both(v []T, t, i int) []T {
	a, b := s.atomAt[t], s.bondAt[t]
	return v[a[i]+b[i] : a[i+1]+b[i+1]]
}

// byExample is v as a matrix of a row for each example.
func (s *states[T]) byExample(v []T) kernel.View[T] { return kernel.Dense(v, s.n, len(v)/s.n) }

// offsets sets where the classes of each example begin.
func (s *states[T]) offsets(examples []nn.Example) {
	s.n = len(examples)
	last := len(s.round)
	for t := range last + 1 {
		a, b := append(s.atomAt[t][:0], 0), append(s.bondAt[t][:0], 0)
		for i := range examples {
			atoms := 0
			if t < last {
				atoms = examples[i].Plan.AtomClasses(t)
			}
			a, b = append(a, a[i]+atoms), append(b, b[i]+examples[i].Plan.BondClasses(t))
		}
		s.atomAt[t], s.bondAt[t] = a, b
	}
}

// classes is the number of atom and of bond classes of layer t, of all examples.
func (s *states[T]) classes(t int) (atoms, bonds int) { return s.atomAt[t][s.n], s.bondAt[t][s.n] }

func newStates[T kernel.Float](c nn.Config, s nn.Sizes) *states[T] {
	return &states[T]{
		atomAt:   make([][]int, c.NumMessages+1),
		bondAt:   make([][]int, c.NumMessages+1),
		atom:     make([]kernel.View[T], c.NumMessages),
		bond:     make([]kernel.View[T], c.NumMessages+1),
		mol:      make([][]T, c.NumMessages+1),
		count:    make([][]T, c.NumMessages+1),
		round:    make([]round[T], c.NumMessages),
		mask:     make([]kernel.View[T], s.Targets),
		headMean: make([][]T, s.Targets),
	}
}

// carve cuts the memory of a run from a, for the examples of offsets; train adds
// what only a gradient needs.
func (s *states[T]) carve(a *carver[T], c nn.Config, train bool) {
	f, h := c.AtomFeatures, 2*c.AtomFeatures
	last := len(s.round)
	maxA, maxB := 0, 0
	for t := range last + 1 {
		nA, nB := s.classes(t)
		s.mol[t] = a.take(s.n * c.MolFeatures)
		s.count[t] = a.take(nA + nB)
		maxA, maxB = max(maxA, nA), max(maxB, nB)
	}
	nA, nB := s.classes(0)
	s.init = a.attend(nA+nB, s.n*f)
	if train {
		for t := range last + 1 {
			s.carveLayer(a, t, f)
		}
	} else {
		s.carveInTurn(a, f)
	}
	_, bonds := s.classes(last)
	s.share = a.take(bonds)
	s.bondMean, s.pred = a.take(s.n*f), a.take(s.n*len(s.mask))
	for i := range s.mask {
		s.headMean[i] = a.take(f)
		s.mask[i] = kernel.View[T]{}
		if train && c.Dropout > 0 {
			s.mask[i] = a.matrix(bonds, f)
		}
	}

	s.projBond, s.projSrc, s.projDst = a.matrix(maxB, h), a.matrix(maxA, h), a.matrix(maxA, h)
	s.bias, s.mean, s.logit = a.take(s.n*h), a.take(f), a.take(maxA+maxB)
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
func (s *states[T]) carveInTurn(a *carver[T], f int) {
	var room [2]int
	last := len(s.round) // a layer that meanBond does without
	s.bond[last] = kernel.View[T]{}
	for t := range last {
		var need carver[T]
		s.carveLayer(&need, t, f)
		room[t%2] = max(room[t%2], need.n)
	}
	turns := [2][]T{a.take(room[0]), a.take(room[1])}
	for t := range last {
		s.carveLayer(&carver[T]{buf: turns[t%2]}, t, f)
	}
}

// carveLayer cuts the states of layer t and what the block that reads them
// computes on the way.
func (s *states[T]) carveLayer(a *carver[T], t, f int) {
	last := len(s.round)
	atoms, bonds := s.classes(t)
	s.bond[t] = a.matrix(bonds, f)
	if t == last {
		return
	}
	s.atom[t] = a.matrix(atoms, f)
	r, h := &s.round[t], 2*f
	nA, nB := s.classes(t + 1)
	r.attention = a.attend(atoms+bonds, s.n*f)
	r.edge = a.matrix(nB, h)
	if t < last-1 {
		r.message = a.matrix(nB, h)
		r.sum, r.gathered, r.node = a.matrix(nA, h), a.matrix(nA, f), a.matrix(nA, h)
	}
}
