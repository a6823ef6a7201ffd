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

func (c *carver[T]) attend(classes, means int) attention[T] {
	return attention[T]{p: c.take(classes), mean: c.take(means)}
}

// attention is what a pooling leaves behind: softmax's weight of each class, and
// the mean these weights give.
type attention[T kernel.Float] struct {
	p    []T // [atoms + bonds], see group.both
	mean []T // [graphs, F]
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

// group is some graphs of a run whose rows go through each product together,
// and everything the run computes for them on the way. Their classes follow
// each other as in plan.Joined.
type group[T kernel.Float] struct {
	graphs     []graph
	plan       plan.Joined
	atomTokens []int32 // of layer 0
	bondTokens []int32

	atom  []kernel.View[T] // [classes, F] by layer, but the last
	bond  []kernel.View[T] // [classes, F] by layer
	mol   [][]T            // [graphs, M] from the initial pooling, then after each block's
	count [][]T            // members of each layer's classes, see both
	init  attention[T]
	round []round[T]

	share    []T              // of each last bond class in its polymer's mean over bonds
	mask     []kernel.View[T] // [examples' last bond classes, F] by head: dropout's factors
	headMean []kernel.View[T] // [examples, F] by head
	bondMean []T              // [graphs, F] over the last layer, of runs without gradient

	// Gradients, of the states of layer j+1 and j in turn.
	dAtom, dBond [2]kernel.View[T] // [classes, F]
	dMol         []T               // [graphs, M]
}

// work is what one group needs while an operator works on it, and no longer.
// Rows and vectors are as long as the largest layer of the largest group needs;
// see top.
type work[T kernel.Float] struct {
	projBond         kernel.View[T] // [bonds before, 2F]
	projSrc, projDst kernel.View[T] // [atoms before, 2F]
	bias             kernel.View[T] // [graphs, 2F]
	mean             kernel.View[T] // [graphs, F]
	vector           []T            // [F]
	logit            []T            // [atoms + bonds]

	// Gradients.
	dHidden   kernel.View[T] // [bonds after, 2F] of edge or message
	dNode     kernel.View[T] // [atoms after, 2F] of node or sum
	dGathered kernel.View[T] // [atoms after, F]
}

func newGroup[T kernel.Float](c nn.Config, s nn.Sizes) *group[T] {
	return &group[T]{
		atom:     make([]kernel.View[T], c.NumMessages),
		bond:     make([]kernel.View[T], c.NumMessages+1),
		mol:      make([][]T, c.NumMessages+1),
		count:    make([][]T, c.NumMessages+1),
		round:    make([]round[T], c.NumMessages),
		mask:     make([]kernel.View[T], s.Targets),
		headMean: make([]kernel.View[T], s.Targets),
	}
}

// top is the first rows of a work space.
func top[T kernel.Float](v kernel.View[T], rows int) kernel.View[T] {
	v.Rows = rows
	return v
}

// ofAtoms is graph i's rows of v, a row per atom class of layer t.
func (g *group[T]) ofAtoms(v kernel.View[T], t, i int) kernel.View[T] {
	return rows(v, g.plan.AtomAt[t][i], g.plan.AtomAt[t][i+1])
}

// ofBonds is graph i's rows of v, a row per bond class of layer t.
func (g *group[T]) ofBonds(v kernel.View[T], t, i int) kernel.View[T] {
	return rows(v, g.plan.BondAt[t][i], g.plan.BondAt[t][i+1])
}

func rows[T kernel.Float](v kernel.View[T], from, to int) kernel.View[T] {
	if from == to {
		return kernel.View[T]{Cols: v.Cols, Stride: v.Stride}
	}
	v.Data, v.Rows = v.Data[from*v.Stride:], to-from
	return v
}

// both is graph i's elements of v, which has one for each class of layer t:
// each graph's atoms, then its bonds.
func (g *group[T]) both(v []T, t, i int) []T {
	a, b := g.plan.AtomAt[t], g.plan.BondAt[t]
	return v[a[i]+b[i] : a[i+1]+b[i+1]]
}

// byGraph is v as a matrix of a row for each graph.
func (g *group[T]) byGraph(v []T) kernel.View[T] {
	return kernel.Dense(v, len(g.graphs), len(v)/len(g.graphs))
}

// classes is the number of atom and of bond classes of layer t, of all graphs.
func (g *group[T]) classes(t int) (atoms, bonds int) {
	n := len(g.graphs)
	return g.plan.AtomAt[t][n], g.plan.BondAt[t][n]
}

// carve cuts a group's memory from a; train adds what only a gradient needs.
func (g *group[T]) carve(a *carver[T], c nn.Config, train bool) {
	f, last, graphs := c.AtomFeatures, len(g.round), len(g.graphs)
	maxA, maxB := 0, 0
	for t := range last + 1 {
		nA, nB := g.classes(t)
		g.mol[t] = a.take(graphs * c.MolFeatures)
		g.count[t] = a.take(nA + nB)
		maxA, maxB = max(maxA, nA), max(maxB, nB)
	}
	nA, nB := g.classes(0)
	g.init = a.attend(nA+nB, graphs*f)
	_, bonds := g.classes(last)
	g.share = a.take(bonds)
	if !train {
		g.carveInTurn(a, f)
		g.bondMean = a.take(graphs * f)
		return
	}
	for t := range last + 1 {
		g.carveLayer(a, t, f)
	}
	examples, masked := 0, 0
	for i := range g.graphs {
		n := len(g.graphs[i].examples)
		examples += n
		masked += n * (g.plan.BondAt[last][i+1] - g.plan.BondAt[last][i])
	}
	for i := range g.mask {
		g.headMean[i] = a.matrix(examples, f)
		if c.Dropout > 0 {
			g.mask[i] = a.matrix(masked, f)
		}
	}
	for i := range 2 {
		g.dAtom[i], g.dBond[i] = a.matrix(maxA, f), a.matrix(maxB, f)
	}
	g.dMol = a.take(graphs * c.MolFeatures)
}

// carveInTurn cuts the layers of a run without gradient, which needs two of
// them at a time: they take turns in the same memory, so that it stays in
// cache.
func (g *group[T]) carveInTurn(a *carver[T], f int) {
	var room [2]int
	last := len(g.round) // a layer that meanBond does without
	g.bond[last] = kernel.View[T]{}
	for t := range last {
		var need carver[T]
		g.carveLayer(&need, t, f)
		room[t%2] = max(room[t%2], need.n)
	}
	turns := [2][]T{a.take(room[0]), a.take(room[1])}
	for t := range last {
		g.carveLayer(&carver[T]{buf: turns[t%2]}, t, f)
	}
}

// carveLayer cuts the states of layer t and what the block that reads them
// computes on the way.
func (g *group[T]) carveLayer(a *carver[T], t, f int) {
	last := len(g.round)
	atoms, bonds := g.classes(t)
	g.bond[t] = a.matrix(bonds, f)
	if t == last {
		return
	}
	g.atom[t] = a.matrix(atoms, f)
	r, h := &g.round[t], 2*f
	nA, nB := g.classes(t + 1)
	r.attention = a.attend(atoms+bonds, len(g.graphs)*f)
	r.edge = a.matrix(nB, h)
	if t < last-1 {
		r.message = a.matrix(nB, h)
		r.sum, r.gathered, r.node = a.matrix(nA, h), a.matrix(nA, f), a.matrix(nA, h)
	}
}

// carve cuts the work space of groups from a.
func (w *work[T]) carve(a *carver[T], groups []*group[T], c nn.Config, train bool) {
	graphs, atoms, bonds := 0, 0, 0
	for _, g := range groups {
		graphs = max(graphs, len(g.graphs))
		for t := range g.bond {
			nA, nB := g.classes(t)
			atoms, bonds = max(atoms, nA), max(bonds, nB)
		}
	}
	f, h := c.AtomFeatures, 2*c.AtomFeatures
	w.projBond, w.projSrc, w.projDst = a.matrix(bonds, h), a.matrix(atoms, h), a.matrix(atoms, h)
	w.bias, w.mean = a.matrix(graphs, h), a.matrix(graphs, f)
	w.vector, w.logit = a.take(f), a.take(atoms+bonds)
	if train {
		w.dHidden, w.dNode, w.dGathered = a.matrix(bonds, h), a.matrix(atoms, h), a.matrix(atoms, f)
	}
}
