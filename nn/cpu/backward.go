package cpu

import "polyid-trainer/nn/kernel"

// HeadsBackward starts the gradient: that of the heads, and of the last bonds.
func (e *engine[T]) HeadsBackward() {
	s := e.states
	e.at = 0
	bond := s.bond[len(s.round)]
	dBond := top(s.dBond[e.at], bond.Rows)
	zero(dBond)
	clear(s.dMol)
	for i := range s.pred {
		if !e.measured(i) {
			continue
		}
		d := T(e.scale * sign(float64(s.pred[i])-float64(e.example.Target[i])))
		w := &e.layout.head[i]
		e.ks.Axpy(e.grad.vector(w.w), s.headMean[i], d)
		e.grad.vector(w.bias)[0] += d
		e.ks.Scale(s.mean, e.weights.vector(w.w), d)
		if e.drops() {
			e.ks.AddMaskedOuter(dBond, s.share, s.mean, s.mask[i])
		} else {
			e.ks.AddOuter(dBond, s.share, s.mean)
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
// layer j, and adds block j's part of the global state's.
func (e *engine[T]) BlockBackward(j int) {
	s, w, r := e.states, &e.layout.block[j], &e.states.round[j]
	k := &e.example.Plan.Blocks[j]
	atom, bond, after := s.atom[j], s.bond[j], s.bond[j+1]
	dAfter := top(s.dBond[e.at], after.Rows)
	dAtom, dBond := top(s.dAtom[1-e.at], atom.Rows), top(s.dBond[1-e.at], bond.Rows)
	zero(dAtom)
	zero(dBond)
	if j < len(s.round)-1 {
		e.atomsBackward(j, top(s.dAtom[e.at], r.node.Rows), dAfter, dAtom)
	}

	e.ks.ScatterAdd(dBond, k.Bond, dAfter)
	dEdge := top(s.dHidden, after.Rows)
	e.denseBackward(dEdge, r.edge, w.edge2, dAfter)
	e.ks.MaskReLU(dEdge, r.edge)
	e.sourceBackward(dBond, bond, w.edge1Bond, top(s.projBond, bond.Rows), k.Bond, dEdge)
	dProj := top(s.projSrc, atom.Rows)
	e.sourceBackward(dAtom, atom, w.edge1Src, dProj, k.Src, dEdge)
	e.molBackward(s.mol[j+1], w.edge1Mol, dProj)
	e.sourceBackward(dAtom, atom, w.edge1Dst, dProj, k.Dst, dEdge)

	e.attendBackward(j, &w.pool, &r.attention, dAtom, dBond)
	e.at = 1 - e.at
	e.updateVectors(w.vectors)
}

// atomsBackward is the part of BlockBackward about atoms: it takes the gradient
// dAtomAfter from the atoms of layer j+1 to the bonds of that layer and the
// atoms of layer j, adding to both.
func (e *engine[T]) atomsBackward(j int, dAtomAfter, dAfter, dAtom kernel.View[T]) {
	s, w, r := e.states, &e.layout.block[j], &e.states.round[j]
	k := &e.example.Plan.Blocks[j]
	e.ks.ScatterAdd(dAtom, k.Atom, dAtomAfter)
	dNode, dGathered := top(s.dNode, r.node.Rows), top(s.dGathered, r.node.Rows)
	e.denseBackward(dNode, r.node, w.node2, dAtomAfter)
	e.ks.MaskReLU(dNode, r.node)
	e.denseBackward(dGathered, r.gathered, w.node1, dNode)

	e.ks.ColSum(e.grad.vector(w.msg2.bias), dGathered, e.asT(k.Degree), true)
	dSum := dNode // as large, and spent
	e.projectBackward(dSum, r.sum, w.msg2.w, dGathered, false)
	dMessage := top(s.dHidden, r.message.Rows)
	e.ks.SegmentSum(dMessage, e.lists(&k.Readers), dSum, false)
	e.ks.MaskReLU(dMessage, r.message)
	e.projectBackward(dAfter, s.bond[j+1], w.msg1Bond, dMessage, true)
	dProj := top(s.projDst, s.atom[j].Rows)
	e.sourceBackward(dAtom, s.atom[j], w.msg1Dst, dProj, k.Dst, dMessage)
	e.molBackward(s.mol[j+1], w.msg1Mol, dProj)
}

// sourceBackward takes the gradient dHidden of a sum of gathered projections to
// one of its sources: dProj becomes the gradient of x·w, and dx gets its part.
func (e *engine[T]) sourceBackward(dx, x kernel.View[T], w matrix, dProj kernel.View[T], index []int32, dHidden kernel.View[T]) {
	zero(dProj)
	e.ks.ScatterAdd(dProj, index, dHidden)
	e.projectBackward(dx, x, w, dProj, true)
}

// molBackward does so for the global state, which all rows of a projection
// whose gradient is dProj have had added.
func (e *engine[T]) molBackward(mol []T, d dense, dProj kernel.View[T]) {
	dRow := e.states.bias
	e.ks.ColSum(dRow, dProj, nil, false)
	e.ks.Axpy(e.grad.vector(d.bias), dRow, 1)
	e.projectBackward(row(e.states.dMol), row(mol), d.w, row(dRow), true)
}

// denseBackward undoes y = x·w + bias.
func (e *engine[T]) denseBackward(dx, x kernel.View[T], d dense, dy kernel.View[T]) {
	e.ks.ColSum(e.grad.vector(d.bias), dy, nil, true)
	e.projectBackward(dx, x, d.w, dy, false)
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

// updateVectors updates some vectors, unless the batch is to be added up first.
func (e *engine[T]) updateVectors(v vector) {
	if e.stream {
		e.ks.Adam(e.weights.vector(v), e.m.vector(v), e.v.vector(v), e.grad.vector(v), e.adam)
	}
}

// attendBackward undoes attend, the gradient of whose output is the global
// state's.
func (e *engine[T]) attendBackward(t int, w *pool, a *attention[T], dAtom, dBond kernel.View[T]) {
	s := e.states
	atom, bond := s.atom[t], s.bond[t]
	e.denseBackward(row(s.mean), row(a.mean), w.value, row(s.dMol))

	// With dp = x·dMean, softmax gives dlogit = p·(dp − Σ p·dp).
	dLogit := s.logit[:len(a.p)]
	e.ks.RowDots(dLogit[:atom.Rows], atom, s.mean)
	e.ks.RowDots(dLogit[atom.Rows:], bond, s.mean)
	mean := e.ks.Dot(a.p, dLogit)
	for i, p := range a.p {
		dLogit[i] = p * (dLogit[i] - mean)
	}
	query := e.weights.vector(w.query)
	for _, x := range []struct {
		x, dx      kernel.View[T]
		p, dLogits []T
	}{
		{atom, dAtom, a.p[:atom.Rows], dLogit[:atom.Rows]},
		{bond, dBond, a.p[atom.Rows:], dLogit[atom.Rows:]},
	} {
		e.ks.AddOuter(x.dx, x.p, s.mean)
		e.ks.AddOuter(x.dx, x.dLogits, query)
		e.ks.ColSum(e.grad.vector(w.query), x.x, x.dLogits, true)
	}
}

// EmbedBackward ends the gradient: that of the embeddings, dense as TensorFlow
// applies it.
func (e *engine[T]) EmbedBackward() {
	s, w := e.states, e.layout
	f := e.config.AtomFeatures
	dAtom, dBond := top(s.dAtom[e.at], s.atom[0].Rows), top(s.dBond[e.at], s.bond[0].Rows)
	e.attendBackward(0, &w.init, &s.init, dAtom, dBond)
	e.ks.ScatterAdd(kernel.Dense(e.grad.vector(w.atom), e.sizes.AtomClasses, f), e.example.Atom, dAtom)
	e.ks.ScatterAdd(kernel.Dense(e.grad.vector(w.bond), e.sizes.BondClasses, f), e.example.Bond, dBond)
	e.updateVectors(w.outer)
}
