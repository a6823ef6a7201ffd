package cuda

import "polyid-trainer/nn/global100"

var _ global100.Operators = (*assembler)(nil)

// plus is the ref of the word n after r's first.
func (r ref) plus(n int) ref { return r + ref(n) }

// times is c = x·w.
func (a *assembler) times(c, x, w ref, rows, k, n int) op {
	return op{Kind: opProduct, Out: c, A: [3]ref{x}, W: [3]ref{w}, M: int32(rows), K: int32(k), N: int32(n)}
}

// Embed sets the states of layer 0.
func (a *assembler) Embed() {
	f, t := a.config.AtomFeatures, a.sizes.Targets
	first, last := a.plan.layer[0], a.plan.layer[a.config.NumMessages]
	a.phase(
		op{Kind: opEmbed, Out: a.atom[0], W: [3]ref{a.net.atom}, Index: [3]ref{a.plan.atomTokens}, M: int32(first.atoms), N: int32(f)},
		op{Kind: opEmbed, Out: a.bond[0], W: [3]ref{a.net.bond}, Index: [3]ref{a.plan.bondTokens}, M: int32(first.bonds), N: int32(f)},
		op{Kind: opDropout, Out: a.mask, Weight: last.bondCount(), M: int32(last.bonds), N: int32(t), K: int32(f)},
	)
	a.phase(a.logits(0, a.net.init, &a.init)...)
	o := a.pool(0, a.net.init, &a.init, a.mol[0])
	a.phase(o)
}

// logits are the operations that set a's logits of layer t.
func (a *assembler) logits(t int, w poolRefs, at *attention) []op {
	f, l := a.config.AtomFeatures, a.plan.layer[t]
	return []op{
		{Kind: opLogits, Out: at.p, X: [3]ref{a.atom[t]}, Query: w.query, M: int32(l.atoms), N: int32(f)},
		{Kind: opLogits, Out: at.p.plus(l.atoms), X: [3]ref{a.bond[t]}, Query: w.query, M: int32(l.bonds), N: int32(f)},
	}
}

// pool is the operation that pools layer t into mol.
func (a *assembler) pool(t int, w poolRefs, at *attention, mol ref) op {
	l := a.plan.layer[t]
	return op{Kind: opPool, Out: mol, P: at.p, Mean: at.mean, Weight: l.count,
		X: [3]ref{a.atom[t], a.bond[t]}, W: [3]ref{w.value}, Bias: w.valueBias,
		M: int32(a.config.MolFeatures), N: int32(a.config.AtomFeatures), K: int32(l.atoms), K2: int32(l.bonds)}
}

// Block runs block j: it sets the states of layer j+1.
func (a *assembler) Block(j int) {
	f, h := a.config.AtomFeatures, 2*a.config.AtomFeatures
	w, r, k := &a.net.block[j], &a.round[j], &a.plan.block[j]
	before, after := a.plan.layer[j], a.plan.layer[j+1]
	atom, bond := a.atom[j], a.bond[j]
	nodes := j < a.config.NumMessages-1

	a.phase(a.logits(j, w.pool, &r.attention)...)

	// The pooling takes one block; a projection per source, the others.
	o := a.pool(j, w.pool, &r.attention, a.mol[j+1])
	o.X[2] = a.mol[j]
	o.Sources, o.A[0], o.W[1] = 1, r.edgeBias, w.edge1.plus(3*f*h)
	if nodes {
		o.Sources, o.A[1], o.W[2] = 2, r.messageBias, w.msg1.plus(2*f*h)
	}
	ops := append([]op{o},
		a.times(a.projBond, bond, w.edge1, before.bonds, f, h),
		a.times(a.projSrc, atom, w.edge1.plus(f*h), before.atoms, f, h),
		a.times(a.projDst, atom, w.edge1.plus(2*f*h), before.atoms, f, h))
	if nodes {
		ops = append(ops, a.times(a.projMsg, atom, w.msg1, before.atoms, f, h))
	}
	a.phase(ops...)

	// Bonds.
	a.phase(op{Kind: opGather, Out: r.edge, Bias: r.edgeBias, Sources: 3, M: int32(after.bonds), N: int32(h),
		X:     [3]ref{a.projBond, a.projSrc, a.projDst},
		Index: [3]ref{k.bond, k.src, k.dst}})
	o = a.times(a.bond[j+1], r.edge, w.edge2, after.bonds, h, f)
	o.Bias, o.X[0], o.Index[0] = w.edge2Bias, bond, k.bond
	a.phase(o)
	if !nodes {
		return
	}

	// Atoms: msg2 has no activation, so it is applied to the sums of messages.
	o = a.times(r.message, a.bond[j+1], w.msg1.plus(f*h), after.bonds, f, h)
	o.Flags, o.Bias, o.X[0], o.Index[0] = relu, r.messageBias, a.projMsg, k.dst
	a.phase(o)
	a.phase(op{Kind: opSegments, Out: r.sum, X: [3]ref{r.message}, M: int32(after.atoms), N: int32(h),
		Off: k.messages.off, Row: k.messages.row, Weight: k.messages.weight})
	o = a.times(r.gathered, r.sum, w.msg2, after.atoms, h, f)
	o.OuterRow, o.OuterCol = k.degree, w.msg2Bias
	a.phase(o)
	o = a.times(r.node, r.gathered, w.node1, after.atoms, f, h)
	o.Flags, o.Bias = relu, w.node1Bias
	a.phase(o)
	o = a.times(a.atom[j+1], r.node, w.node2, after.atoms, h, f)
	o.Bias, o.X[0], o.Index[0] = w.node2Bias, atom, k.atom
	a.phase(o)
}

// Heads predicts from the mean bond, each head with a dropout of its own.
func (a *assembler) Heads() {
	f, t := a.config.AtomFeatures, a.sizes.Targets
	last := a.plan.layer[a.config.NumMessages]
	var means []op
	for i := range t {
		means = append(means, op{Kind: opSum, Out: a.headMean.plus(i * f), Sources: 1,
			X: [3]ref{a.bond[a.config.NumMessages]}, W: [3]ref{a.plan.share}, Mask: a.mask.plus(i * last.bonds * f),
			K: int32(last.bonds), N: int32(f)})
	}
	a.phase(means...)
	a.phase(op{Kind: opHead, Out: outputRef(0), Out2: a.dOut, A: [3]ref{a.headMean}, W: [3]ref{a.net.head},
		Weight: a.plan.targets, M: int32(t), N: int32(f)})
	a.program.forward = len(a.program.phases)
}
