package cuda

// undo is dx = dy·wᵀ for x·w of n columns.
func (a *assembler) undo(dx, dy, w ref, rows, k, n int) op {
	o := a.times(dx, dy, w, rows, n, k)
	o.Flags = transposed
	return o
}

// HeadsBackward starts the gradient: that of the heads, and of the last bonds.
func (a *assembler) HeadsBackward() {
	f, t := a.config.AtomFeatures, a.sizes.Targets
	last := a.plan.layer[a.config.NumMessages]
	a.phase(op{Kind: opHeadBack, Out: a.dBond[a.config.NumMessages], A: [3]ref{a.dOut}, W: [3]ref{a.net.head},
		Weight: a.plan.share, Mask: a.mask, M: int32(last.bonds), N: int32(f), K: int32(t)})
	for i := range t {
		w := a.net.head.plus(i * (f + 1))
		a.matrix(w, a.headMean.plus(i*f), a.dOut.plus(i), 1, f, 1)
		a.bias(w.plus(f), a.dOut.plus(i), 1, 1)
	}
}

// BlockBackward takes the gradient from the states of layer j+1 to those of
// layer j, and adds block j's part of the global state's.
func (a *assembler) BlockBackward(j int) {
	f, h := a.config.AtomFeatures, 2*a.config.AtomFeatures
	w, r, k := &a.net.block[j], &a.round[j], &a.plan.block[j]
	before, after := a.plan.layer[j], a.plan.layer[j+1]
	dAfter := a.dBond[j+1]
	nodes := j < a.config.NumMessages-1

	if nodes {
		dAtom := a.dAtom[j+1]
		o := a.undo(r.dNode, dAtom, w.node2, after.atoms, h, f)
		o.Mask = r.node
		a.phase(o)
		a.phase(a.undo(r.dGathered, r.dNode, w.node1, after.atoms, f, h))
		a.phase(a.undo(r.dSum, r.dGathered, w.msg2, after.atoms, h, f))
		a.phase(op{Kind: opSegments, Out: r.dMessage, X: [3]ref{r.dSum}, Mask: r.message, M: int32(after.bonds), N: int32(h),
			Off: k.readers.off, Row: k.readers.row, Weight: k.readers.weight})
		o = a.undo(dAfter, r.dMessage, w.msg1.plus(f*h), after.bonds, f, h)
		o.X[0] = dAfter
		a.phase(o,
			a.collect(r.dProjMsg, r.dMessage, k.byDst, before.atoms, h),
			a.total(r.dMessageBias, r.dMessage, after.bonds, h))
	}
	o := a.undo(r.dEdge, dAfter, w.edge2, after.bonds, h, f)
	o.Mask = r.edge
	a.phase(o)
	ops := []op{
		a.collect(r.dProjBond, r.dEdge, k.byBond, before.bonds, h),
		a.collect(r.dProjSrc, r.dEdge, k.bySrc, before.atoms, h),
		a.collect(r.dProjDst, r.dEdge, k.byDst, before.atoms, h),
		a.total(r.dEdgeBias, r.dEdge, after.bonds, h),
	}
	// Forward's projections are spent: their memory takes each one's gradient.
	if nodes {
		ops = append(ops, a.undo(a.projMsg, r.dProjMsg, w.msg1, before.atoms, f, h))
	}
	a.phase(ops...)

	o = a.poolBack(w.pool, &r.attention, a.dMol[j])
	o.Sources, o.A[0], o.W[1] = 1, r.dEdgeBias, w.edge1.plus(3*f*h)
	dst := a.undo(a.projDst, r.dProjDst, w.edge1.plus(2*f*h), before.atoms, f, h)
	if nodes {
		o.X[2] = a.dMol[j+1]
		o.Sources, o.A[1], o.W[2] = 2, r.dMessageBias, w.msg1.plus(2*f*h)
		dst.X[0] = a.projMsg
	}
	a.phase(o, dst,
		a.undo(a.projSrc, r.dProjSrc, w.edge1.plus(f*h), before.atoms, f, h),
		a.undo(a.projBond, r.dProjBond, w.edge1, before.bonds, f, h))

	dBond := op{Kind: opProduct, Out: a.dBond[j], X: [3]ref{a.projBond, 0, dAfter}, M: int32(before.bonds), N: int32(f),
		Off: k.byBond.off, Row: k.byBond.row}
	a.attendBackward(&dBond, w.pool, &r.attention, a.bond[j], before.atoms)
	dAtom := op{Kind: opProduct, Out: a.dAtom[j], X: [3]ref{a.projSrc, a.projDst}, M: int32(before.atoms), N: int32(f)}
	if nodes {
		dAtom.X[2], dAtom.Off, dAtom.Row = a.dAtom[j+1], k.byAtom.off, k.byAtom.row
	}
	a.attendBackward(&dAtom, w.pool, &r.attention, a.atom[j], 0)
	a.phase(dBond, dAtom)
	a.blockUpdates(j)
}

// blockUpdates lists the updates of block j's weights; what they read lives until
// EmbedBackward runs them.
func (a *assembler) blockUpdates(j int) {
	f, h, m := a.config.AtomFeatures, 2*a.config.AtomFeatures, a.config.MolFeatures
	w, r, k := &a.net.block[j], &a.round[j], &a.plan.block[j]
	before, after := a.plan.layer[j], a.plan.layer[j+1]
	dAfter := a.dBond[j+1]

	a.poolUpdates(w.pool, &r.attention, j, a.dMol[j])
	a.matrix(w.edge1, a.bond[j], r.dProjBond, before.bonds, f, h)
	a.matrix(w.edge1.plus(f*h), a.atom[j], r.dProjSrc, before.atoms, f, h)
	a.matrix(w.edge1.plus(2*f*h), a.atom[j], r.dProjDst, before.atoms, f, h)
	a.matrix(w.edge1.plus(3*f*h), a.mol[j+1], r.dEdgeBias, 1, m, h)
	a.bias(w.edge1.plus((3*f+m)*h), r.dEdgeBias, 1, h)
	a.matrix(w.edge2, r.edge, dAfter, after.bonds, h, f)
	a.bias(w.edge2Bias, dAfter, after.bonds, f)
	if j == a.config.NumMessages-1 { // the last block updates no atoms
		return
	}
	a.matrix(w.msg1, a.atom[j], r.dProjMsg, before.atoms, f, h)
	a.matrix(w.msg1.plus(f*h), a.bond[j+1], r.dMessage, after.bonds, f, h)
	a.matrix(w.msg1.plus(2*f*h), a.mol[j+1], r.dMessageBias, 1, m, h)
	a.bias(w.msg1.plus((2*f+m)*h), r.dMessageBias, 1, h)
	a.matrix(w.msg2, r.sum, r.dGathered, after.atoms, h, f)
	a.bias(w.msg2Bias, r.dGathered, after.atoms, f)
	a.updates[len(a.updates)-1].W[0] = k.degree
	a.matrix(w.node1, r.gathered, r.dNode, after.atoms, f, h)
	a.bias(w.node1Bias, r.dNode, after.atoms, h)
	a.matrix(w.node2, r.node, a.dAtom[j+1], after.atoms, h, f)
	a.bias(w.node2Bias, a.dAtom[j+1], after.atoms, f)
}

// EmbedBackward ends the gradient with that of the embeddings, and updates all
// weights: one phase, large enough to fill any device.
func (a *assembler) EmbedBackward() {
	f, first := a.config.AtomFeatures, a.plan.layer[0]
	a.phase(a.poolBack(a.net.init, &a.init, ref(0)))
	dAtom := op{Kind: opProduct, Out: a.dAtom[0], X: [3]ref{a.dAtom[0]}, M: int32(first.atoms), N: int32(f)}
	dBond := op{Kind: opProduct, Out: a.dBond[0], X: [3]ref{a.dBond[0]}, M: int32(first.bonds), N: int32(f)}
	a.attendBackward(&dAtom, a.net.init, &a.init, a.atom[0], 0)
	a.attendBackward(&dBond, a.net.init, &a.init, a.bond[0], first.atoms)
	a.phase(dAtom, dBond)

	a.poolUpdates(a.net.init, &a.init, 0, a.dMol[0])
	a.updates = append(a.updates,
		op{Kind: opClasses, Out: a.net.atom, X: [3]ref{a.dAtom[0]}, Index: [3]ref{a.plan.atomTokens},
			M: int32(a.sizes.AtomClasses), N: int32(f), K: int32(first.atoms)},
		op{Kind: opClasses, Out: a.net.bond, X: [3]ref{a.dBond[0]}, Index: [3]ref{a.plan.bondTokens},
			M: int32(a.sizes.BondClasses), N: int32(f), K: int32(first.bonds)})
	a.phase(a.updates...)
}

// collect adds rows of dy up into the rows they were gathered from.
func (a *assembler) collect(dx, dy ref, by listRefs, rows, n int) op {
	return op{Kind: opSegments, Out: dx, X: [3]ref{dy}, Off: by.off, Row: by.row, M: int32(rows), N: int32(n)}
}

// total adds up all rows of x.
func (a *assembler) total(out, x ref, rows, n int) op {
	return op{Kind: opSum, Out: out, Sources: 1, X: [3]ref{x}, K: int32(rows), N: int32(n)}
}

// poolBack is the operation that takes the gradient of the global state to that
// of a pooling's mean.
func (a *assembler) poolBack(w poolRefs, at *attention, dMol ref) op {
	o := op{Kind: opPoolBack, Out: dMol, DMean: at.dMean, W: [3]ref{w.value},
		M: int32(a.config.MolFeatures), N: int32(a.config.AtomFeatures)}
	if dMol == 0 { // the initial pooling's is block 0's
		o.Out, o.X[2] = a.dMol[0], a.dMol[0]
	}
	return o
}

// attendBackward has o, which sets the gradient of the rows x, add what they
// get from a pooling in which they come after skip others.
func (a *assembler) attendBackward(o *op, w poolRefs, at *attention, x ref, skip int) {
	o.Out2, o.Query, o.Mean, o.DMean = x, w.query, at.mean, at.dMean
	o.P, o.DLogit = at.p.plus(skip), at.dLogit.plus(skip)
}

// matrix notes the update of a k×n matrix that x of some rows was multiplied by.
func (a *assembler) matrix(w, x, dy ref, rows, k, n int) {
	a.updates = append(a.updates, op{Kind: opGradient, Out: w, A: [3]ref{x}, W: [3]ref{dy}, M: int32(k), N: int32(n), K: int32(rows)})
}

// bias notes the update of a vector that was added to some rows.
func (a *assembler) bias(w, dy ref, rows, n int) {
	a.updates = append(a.updates, op{Kind: opVector, Out: w, X: [3]ref{dy}, Sources: 1, K: int32(rows), N: int32(n)})
}

// poolUpdates notes the updates of a pooling of layer t. The query's gradient is
// Σ dLogit[r]·x[r]; as Σ dLogit is 0, x's mean may be subtracted, and then a
// rounding error that all of dLogit share does no harm. The query's bias has no
// gradient, but decays.
func (a *assembler) poolUpdates(w poolRefs, at *attention, t int, dMol ref) {
	f, m, l := a.config.AtomFeatures, a.config.MolFeatures, a.plan.layer[t]
	a.matrix(w.value, at.mean, dMol, 1, f, m)
	a.bias(w.valueBias, dMol, 1, m)
	a.updates = append(a.updates,
		op{Kind: opVector, Out: w.query, X: [3]ref{a.atom[t], a.bond[t]}, W: [3]ref{at.dLogit, at.dLogit.plus(l.atoms)},
			Mean: at.mean, Sources: 2, K: int32(l.atoms), K2: int32(l.bonds), N: int32(f)},
		op{Kind: opVector, Out: w.queryBias, N: 1})
}
