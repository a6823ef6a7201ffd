package cpu

import "polyid-trainer/nn/kernel"

// Embed sets the states of layer 0.
func (e *engine[T]) Embed() {
	w, f := e.layout, e.config.AtomFeatures
	atoms := kernel.Dense(e.weights.vector(w.atom), e.sizes.AtomClasses, f)
	bonds := kernel.Dense(e.weights.vector(w.bond), e.sizes.BondClasses, f)
	for _, g := range e.groups {
		e.ks.AddRows(g.atom[0], false, nil, kernel.Rows[T]{X: atoms, Idx: g.atomTokens})
		e.ks.AddRows(g.bond[0], false, nil, kernel.Rows[T]{X: bonds, Idx: g.bondTokens})
		e.attend(g, g.mol[0], 0, &w.init, &g.init)
	}
}

// attend pools the atoms and bonds of layer t into out, [graphs, M]. A class's
// members share its softmax weight, and the value's Dense is applied to the
// weighted mean in place of every row. The query's bias shifts all logits alike,
// which softmax does not see.
func (e *engine[T]) attend(g *group[T], out []T, t int, w *pool, a *attention[T]) {
	query, means := e.weights.vector(w.query), g.byGraph(a.mean)
	for i := range g.graphs {
		atom, bond := g.ofAtoms(g.atom[t], t, i), g.ofBonds(g.bond[t], t, i)
		p, mean := g.both(a.p, t, i), means.Row(i)
		atoms, bonds := p[:atom.Rows], p[atom.Rows:]
		e.ks.RowDots(atoms, atom, query)
		e.ks.RowDots(bonds, bond, query)
		e.ks.Softmax(p, p, g.both(g.count[t], t, i))
		e.ks.ColSum(mean, atom, atoms, false)
		e.ks.ColSum(mean, bond, bonds, true)
	}
	e.dense(g.byGraph(out), means, w.value, false)
}

// project is c = a·w, or c += a·w.
func (e *engine[T]) project(c, a kernel.View[T], w matrix, add bool) {
	e.ks.Gemm(c, a, e.weights.matrix(w), kernel.Mode[T]{Add: add})
}

// dense is c = a·w + bias, through relu or not.
func (e *engine[T]) dense(c, a kernel.View[T], d dense, relu bool) {
	e.ks.Gemm(c, a, e.weights.matrix(d.w), kernel.Mode[T]{Bias: e.weights.vector(d.bias), ReLU: relu})
}

// Block runs block j: it sets the states of layer j+1.
func (e *engine[T]) Block(j int) {
	for _, g := range e.groups {
		e.pooling(g, j)
		e.bonds(g, j)
		switch {
		case j < len(g.round)-1:
			e.atoms(g, j)
		case !e.train:
			e.meanBond(g, j)
		}
	}
}

// pooling sets the global state after block j.
func (e *engine[T]) pooling(g *group[T], j int) {
	mol := g.mol[j+1]
	e.attend(g, mol, j, &e.layout.block[j].pool, &g.round[j].attention)
	e.ks.Axpy(mol, g.mol[j], 1)
}

// bonds updates the bonds: one projection per source of edge1, each of its own
// rows. A prediction needs the last layer's mean only; see meanBond.
func (e *engine[T]) bonds(g *group[T], j int) {
	w, r, k, s := &e.layout.block[j], &g.round[j], &g.plan.Blocks[j], &e.work
	atom, bond, after := g.atom[j], g.bond[j], g.bond[j+1]
	projBond, projSrc, projDst := top(s.projBond, bond.Rows), top(s.projSrc, atom.Rows), top(s.projDst, atom.Rows)
	bias := top(s.bias, len(g.graphs))
	e.dense(bias, g.byGraph(g.mol[j+1]), w.edge1Mol, false)
	e.project(projBond, bond, w.edge1Bond, false)
	e.project(projSrc, atom, w.edge1Src, false)
	e.project(projDst, atom, w.edge1Dst, false)
	e.ks.AddRows(r.edge, true, nil,
		kernel.Rows[T]{X: bias, Idx: g.plan.Of[j]},
		kernel.Rows[T]{X: projBond, Idx: k.Bond},
		kernel.Rows[T]{X: projSrc, Idx: k.Src},
		kernel.Rows[T]{X: projDst, Idx: k.Dst})
	if j == len(g.round)-1 && !e.train {
		return
	}
	e.ks.AddRows(after, false, e.weights.vector(w.edge2.bias), kernel.Rows[T]{X: bond, Idx: k.Bond})
	e.project(after, r.edge, w.edge2.w, true)
}

// atoms updates the atoms. msg2 has no activation, so it is applied to the sums
// of messages.
func (e *engine[T]) atoms(g *group[T], j int) {
	w, r, k, s := &e.layout.block[j], &g.round[j], &g.plan.Blocks[j], &e.work
	atom, after := g.atom[j], g.atom[j+1]
	bias, projDst := top(s.bias, len(g.graphs)), top(s.projDst, atom.Rows)
	e.dense(bias, g.byGraph(g.mol[j+1]), w.msg1Mol, false)
	e.project(projDst, atom, w.msg1Dst, false)
	e.project(r.message, g.bond[j+1], w.msg1Bond, false)
	e.ks.AddRows(r.message, true, nil,
		kernel.Rows[T]{X: bias, Idx: g.plan.Of[j]},
		kernel.Rows[T]{X: r.message},
		kernel.Rows[T]{X: projDst, Idx: k.Dst})
	e.ks.SegmentSum(r.sum, e.lists(&k.Messages), r.message, false)
	e.project(r.gathered, r.sum, w.msg2.w, false)
	e.ks.AddOuter(r.gathered, e.asT(k.Degree), e.weights.vector(w.msg2.bias))
	e.dense(r.node, r.gathered, w.node1, true)
	e.ks.AddRows(after, false, e.weights.vector(w.node2.bias), kernel.Rows[T]{X: atom, Idx: k.Atom})
	e.project(after, r.node, w.node2.w, true)
}

// meanBond sets the mean bond after block j, the last: all that a prediction
// reads of that layer. edge2 has no activation, so it is applied to the mean.
func (e *engine[T]) meanBond(g *group[T], j int) {
	mean, hidden := g.byGraph(g.bondMean), top(e.work.bias, len(g.graphs))
	for i := range g.graphs {
		e.ks.ColSum(hidden.Row(i), g.ofBonds(g.round[j].edge, j+1, i), g.both(g.share, j+1, i), false)
	}
	e.dense(mean, hidden, e.layout.block[j].edge2, false)
	for i := range g.graphs {
		bond := g.ofBonds(g.bond[j], j, i)
		count := g.both(g.count[j], j, i)
		e.ks.ColSum(e.work.vector, bond, count[len(count)-bond.Rows:], false)
		e.ks.Axpy(mean.Row(i), e.work.vector, 1/T(g.graphs[i].Plan.NumBonds))
	}
}

// Heads predicts from the mean bond, each head of each example with a dropout of
// its own.
func (e *engine[T]) Heads() {
	for _, g := range e.groups {
		row, at := 0, 0 // of the examples, and of their masks
		for i := range g.graphs {
			classes := g.plan.BondAt[len(g.round)][i+1] - g.plan.BondAt[len(g.round)][i]
			for _, x := range g.graphs[i].examples {
				e.heads(g, i, x, row, rowRange{at, at + classes})
				row, at = row+1, at+classes
			}
		}
	}
}

// rowRange is rows from from to to−1.
type rowRange struct{ from, to int }

// heads predicts example x, whose graph is g's i-th; row is its row of headMean,
// masks are its rows of the masks.
func (e *engine[T]) heads(g *group[T], i, x, row int, masks rowRange) {
	last := len(g.round)
	if e.drops() {
		e.dropout.Seed(e.seed, e.epoch, e.batch.examples[x].Row)
	}
	pred := e.predicted(x)
	for k := range pred {
		var mean []T
		switch share := g.both(g.share, last, i); {
		case !e.train:
			mean = g.byGraph(g.bondMean).Row(i)
		case e.drops():
			mask := rows(g.mask[k], masks.from, masks.to)
			fillDropout(&e.dropout, mask, g.both(g.count[last], last, i))
			mean = g.headMean[k].Row(row)
			clear(mean)
			e.ks.MaskedColSum(mean, g.ofBonds(g.bond[last], last, i), mask, share)
		default:
			mean = g.headMean[k].Row(row)
			e.ks.ColSum(mean, g.ofBonds(g.bond[last], last, i), share, false)
		}
		w := &e.layout.head[k]
		pred[k] = e.ks.Dot(mean, e.weights.vector(w.w)) + e.weights.vector(w.bias)[0]
	}
}

// drops reports whether the run has dropout.
func (e *engine[T]) drops() bool { return e.train && e.config.Dropout > 0 }
