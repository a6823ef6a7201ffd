package cpu

import (
	"polyid-trainer/nn"
	"polyid-trainer/nn/kernel"
)

// HeadsBackward starts the gradient: that of the heads, and of the last bonds.
func (e *engine[T]) HeadsBackward() {
	e.at = 0
	for _, g := range e.groups {
		last := len(g.round)
		dBond := top(g.dBond[e.at], g.bond[last].Rows)
		zero(dBond)
		clear(g.dMol)
		row, at := 0, 0 // of the examples, and of their masks
		for i := range g.graphs {
			d := g.ofBonds(dBond, last, i)
			for _, x := range g.graphs[i].examples {
				e.headsBackward(g, i, x, row, rowRange{at, at + d.Rows}, d)
				row, at = row+1, at+d.Rows
			}
		}
	}
}

// headsBackward adds the gradient of example x to that of its graph's last bonds;
// see heads.
func (e *engine[T]) headsBackward(g *group[T], i, x, row int, masks rowRange, dBond kernel.View[T]) {
	last := len(g.round)
	share, dMean := g.both(g.share, last, i), e.work.vector
	scale := e.scale * e.batch.examples[x].Counts()
	for k, y := range e.batch.examples[x].Target {
		if !nn.Measured(y) {
			continue
		}
		d := T(scale * sign(float64(e.predicted(x)[k])-float64(y)))
		w := &e.layout.head[k]
		e.ks.Axpy(e.grad.vector(w.w), g.headMean[k].Row(row), d)
		e.grad.vector(w.bias)[0] += d
		e.ks.Scale(dMean, e.weights.vector(w.w), d)
		if e.drops() {
			e.ks.AddMaskedOuter(dBond, share, dMean, rows(g.mask[k], masks.from, masks.to))
		} else {
			e.ks.AddOuter(dBond, share, dMean)
		}
	}
}

// sign is the derivative of |x|, zero at zero as TensorFlow has it.
func sign(x float64) float64 {
	switch {
	case x > 0:
		return 1
	case x < 0:
		return -1
	}
	return 0
}

func zero[T kernel.Float](v kernel.View[T]) {
	for r := range v.Rows {
		clear(v.Row(r))
	}
}

// BlockBackward takes the gradient from the states of layer j+1 to those of
// layer j, adds block j's part of the global state's, and updates the block.
func (e *engine[T]) BlockBackward(j int) {
	for i, g := range e.groups {
		e.add = e.later || i > 0
		e.blockBackward(g, j)
	}
	e.at = 1 - e.at
	e.update(e.layout.block[j].all)
}

func (e *engine[T]) blockBackward(g *group[T], j int) {
	s, w, r, k := &e.work, &e.layout.block[j], &g.round[j], &g.plan.Blocks[j]
	atom, bond, after := g.atom[j], g.bond[j], g.bond[j+1]
	dAfter := top(g.dBond[e.at], after.Rows)
	dAtom, dBond := top(g.dAtom[1-e.at], atom.Rows), top(g.dBond[1-e.at], bond.Rows)
	zero(dAtom)
	zero(dBond)
	if j < len(g.round)-1 {
		e.atomsBackward(g, j, top(g.dAtom[e.at], r.node.Rows), dAfter, dAtom)
	}

	e.ks.ScatterAdd(dBond, k.Bond, dAfter)
	dEdge := top(s.dHidden, after.Rows)
	e.denseBackward(dEdge, r.edge, w.edge2, dAfter, false)
	e.ks.MaskReLU(dEdge, r.edge)
	e.sourceBackward(dBond, bond, w.edge1Bond, top(s.projBond, bond.Rows), k.Bond, dEdge)
	dProj := top(s.projSrc, atom.Rows)
	e.sourceBackward(dAtom, atom, w.edge1Src, dProj, k.Src, dEdge)
	e.molBackward(g, j, w.edge1Mol, dProj)
	e.sourceBackward(dAtom, atom, w.edge1Dst, dProj, k.Dst, dEdge)

	e.attendBackward(g, j, &w.pool, &r.attention, dAtom, dBond)
}

// atomsBackward is the part of BlockBackward about atoms: it takes the gradient
// dAtomAfter from the atoms of layer j+1 to the bonds of that layer and the
// atoms of layer j, adding to both.
func (e *engine[T]) atomsBackward(g *group[T], j int, dAtomAfter, dAfter, dAtom kernel.View[T]) {
	s, w, r, k := &e.work, &e.layout.block[j], &g.round[j], &g.plan.Blocks[j]
	e.ks.ScatterAdd(dAtom, k.Atom, dAtomAfter)
	dNode, dGathered := top(s.dNode, r.node.Rows), top(s.dGathered, r.node.Rows)
	e.denseBackward(dNode, r.node, w.node2, dAtomAfter, false)
	e.ks.MaskReLU(dNode, r.node)
	e.denseBackward(dGathered, r.gathered, w.node1, dNode, false)

	e.ks.ColSum(e.grad.vector(w.msg2.bias), dGathered, e.asT(k.Degree), true)
	dSum := dNode // as large, and spent
	e.projectBackward(dSum, r.sum, w.msg2.w, dGathered, false)
	dMessage := top(s.dHidden, r.message.Rows)
	e.ks.SegmentSum(dMessage, e.lists(&k.Readers), dSum, false)
	e.ks.MaskReLU(dMessage, r.message)
	e.projectBackward(dAfter, g.bond[j+1], w.msg1Bond, dMessage, true)
	dProj := top(s.projDst, g.atom[j].Rows)
	e.sourceBackward(dAtom, g.atom[j], w.msg1Dst, dProj, k.Dst, dMessage)
	e.molBackward(g, j, w.msg1Mol, dProj)
}

// sourceBackward takes the gradient dHidden of a sum of gathered projections to
// one of its sources: dProj becomes the gradient of x·w, and dx gets its part.
func (e *engine[T]) sourceBackward(dx, x kernel.View[T], w matrix, dProj kernel.View[T], index []int32, dHidden kernel.View[T]) {
	zero(dProj)
	e.ks.ScatterAdd(dProj, index, dHidden)
	e.projectBackward(dx, x, w, dProj, true)
}

// molBackward does so for the global state after block j, which all of a
// polymer's rows of a projection of atoms, whose gradient is dProj, have had
// added.
func (e *engine[T]) molBackward(g *group[T], j int, d dense, dProj kernel.View[T]) {
	dRows := top(e.work.bias, len(g.graphs))
	for i := range g.graphs {
		e.ks.ColSum(dRows.Row(i), g.ofAtoms(dProj, j, i), nil, false)
	}
	e.denseBackward(g.byGraph(g.dMol), g.byGraph(g.mol[j+1]), d, dRows, true)
}

// denseBackward undoes y = x·w + bias.
func (e *engine[T]) denseBackward(dx, x kernel.View[T], d dense, dy kernel.View[T], add bool) {
	e.ks.ColSum(e.grad.vector(d.bias), dy, nil, true)
	e.projectBackward(dx, x, d.w, dy, add)
}

// projectBackward undoes y = x·w: dx, or what is added to it, and the gradient
// of w, or its update.
func (e *engine[T]) projectBackward(dx, x kernel.View[T], w matrix, dy kernel.View[T], add bool) {
	e.ks.GemmT(dx, dy, e.weights.matrix(w), add, e.scratch)
	if e.stream {
		e.ks.GradAdam(e.weights.matrix(w), e.m.matrix(w), e.v.matrix(w), x, dy, e.adam, e.scratch)
		return
	}
	e.ks.GemmGrad(e.grad.matrix(w), x, dy, e.add, e.scratch)
}

// update updates a block whose gradient is complete.
func (e *engine[T]) update(o owned) {
	if !e.final {
		return
	}
	e.ks.Adam(e.weights.vector(o.vectors), e.m.vector(o.vectors), e.v.vector(o.vectors), e.grad.vector(o.vectors), e.adam)
	if !e.stream {
		e.ks.Adam(e.weights.span(o.panels), e.m.span(o.panels), e.v.span(o.panels), e.grad.span(o.panels), e.adam)
	}
}

// attendBackward undoes attend, the gradient of whose output is the global
// state's.
func (e *engine[T]) attendBackward(g *group[T], t int, w *pool, a *attention[T], dAtom, dBond kernel.View[T]) {
	dMeans := top(e.work.mean, len(g.graphs))
	e.denseBackward(dMeans, g.byGraph(a.mean), w.value, g.byGraph(g.dMol), false)
	query := e.weights.vector(w.query)
	for i := range g.graphs {
		dMean, p := dMeans.Row(i), g.both(a.p, t, i)
		atom, bond := g.ofAtoms(g.atom[t], t, i), g.ofBonds(g.bond[t], t, i)

		// With dp = x·dMean, softmax gives dlogit = p·(dp − Σ p·dp).
		dLogit := e.work.logit[:len(p)]
		e.ks.RowDots(dLogit[:atom.Rows], atom, dMean)
		e.ks.RowDots(dLogit[atom.Rows:], bond, dMean)
		mean := e.ks.Dot(p, dLogit)
		for i, p := range p {
			dLogit[i] = p * (dLogit[i] - mean)
		}
		for _, x := range []struct {
			x, dx      kernel.View[T]
			p, dLogits []T
		}{
			{atom, g.ofAtoms(dAtom, t, i), p[:atom.Rows], dLogit[:atom.Rows]},
			{bond, g.ofBonds(dBond, t, i), p[atom.Rows:], dLogit[atom.Rows:]},
		} {
			e.ks.AddOuter(x.dx, x.p, dMean)
			e.ks.AddOuter(x.dx, x.dLogits, query)
			e.ks.ColSum(e.grad.vector(w.query), x.x, x.dLogits, true)
		}
	}
}

// EmbedBackward ends the gradient: that of the embeddings, dense as TensorFlow
// applies it.
func (e *engine[T]) EmbedBackward() {
	w, f := e.layout, e.config.AtomFeatures
	for i, g := range e.groups {
		e.add = e.later || i > 0
		dAtom, dBond := top(g.dAtom[e.at], g.atom[0].Rows), top(g.dBond[e.at], g.bond[0].Rows)
		e.attendBackward(g, 0, &w.init, &g.init, dAtom, dBond)
		e.ks.ScatterAdd(kernel.Dense(e.grad.vector(w.atom), e.sizes.AtomClasses, f), g.atomTokens, dAtom)
		e.ks.ScatterAdd(kernel.Dense(e.grad.vector(w.bond), e.sizes.BondClasses, f), g.bondTokens, dBond)
	}
	e.update(w.outer)
}
