package cpu

import (
	"math"

	"polyid-trainer/nn"
	"polyid-trainer/nn/kernel"
)

// Embed sets the states of layer 0.
func (e *engine[T]) Embed() {
	s, w := e.states, e.layout
	f := e.config.AtomFeatures
	atoms := kernel.Dense(e.weights.vector(w.atom), e.sizes.AtomClasses, f)
	bonds := kernel.Dense(e.weights.vector(w.bond), e.sizes.BondClasses, f)
	for i := range e.examples {
		e.ks.AddRows(s.ofAtoms(s.atom[0], 0, i), false, nil, kernel.Rows[T]{X: atoms, Idx: e.examples[i].Atom})
		e.ks.AddRows(s.ofBonds(s.bond[0], 0, i), false, nil, kernel.Rows[T]{X: bonds, Idx: e.examples[i].Bond})
	}
	e.attend(s.mol[0], 0, &w.init, &s.init)
}

// attend pools the atoms and bonds of layer t into out, [examples, M]. A class's
// members share its softmax weight, and the value's Dense is applied to the
// weighted mean in place of every row. The query's bias shifts all logits alike,
// which softmax does not see.
func (e *engine[T]) attend(out []T, t int, w *pool, a *attention[T]) {
	s, query := e.states, e.weights.vector(w.query)
	means := s.byExample(a.mean)
	for i := range e.examples {
		atom, bond := s.ofAtoms(s.atom[t], t, i), s.ofBonds(s.bond[t], t, i)
		p, mean := s.both(a.p, t, i), means.Row(i)
		atoms, bonds := p[:atom.Rows], p[atom.Rows:]
		e.ks.RowDots(atoms, atom, query)
		e.ks.RowDots(bonds, bond, query)
		e.ks.Softmax(p, p, s.both(s.count[t], t, i))
		e.ks.ColSum(mean, atom, atoms, false)
		e.ks.ColSum(mean, bond, bonds, true)
	}
	e.dense(s.byExample(out), means, w.value, false)
}

// row is a vector as a matrix of one row.
func row[T kernel.Float](v []T) kernel.View[T] { return kernel.Dense(v, 1, len(v)) }

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
	s, w, r := e.states, &e.layout.block[j], &e.states.round[j]
	atom, bond, after := s.atom[j], s.bond[j], s.bond[j+1]

	mol := s.mol[j+1]
	e.attend(mol, j, &w.pool, &r.attention)
	e.ks.Axpy(mol, s.mol[j], 1)

	// Bonds: one projection per source of edge1, each of its own rows.
	projBond, projSrc, projDst := top(s.projBond, bond.Rows), top(s.projSrc, atom.Rows), top(s.projDst, atom.Rows)
	bias := s.byExample(s.bias)
	e.dense(bias, s.byExample(mol), w.edge1Mol, false)
	e.project(projBond, bond, w.edge1Bond, false)
	e.project(projSrc, atom, w.edge1Src, false)
	e.project(projDst, atom, w.edge1Dst, false)
	for i := range e.examples {
		k := &e.examples[i].Plan.Blocks[j]
		e.ks.AddRows(s.ofBonds(r.edge, j+1, i), true, bias.Row(i),
			kernel.Rows[T]{X: s.ofBonds(projBond, j, i), Idx: k.Bond},
			kernel.Rows[T]{X: s.ofAtoms(projSrc, j, i), Idx: k.Src},
			kernel.Rows[T]{X: s.ofAtoms(projDst, j, i), Idx: k.Dst})
	}
	last := j == len(s.round)-1
	if last && !e.train {
		e.meanBond(j)
		return
	}
	for i := range e.examples {
		k := &e.examples[i].Plan.Blocks[j]
		e.ks.AddRows(s.ofBonds(after, j+1, i), false, e.weights.vector(w.edge2.bias),
			kernel.Rows[T]{X: s.ofBonds(bond, j, i), Idx: k.Bond})
	}
	e.project(after, r.edge, w.edge2.w, true)
	if last {
		return
	}

	// Atoms: msg2 has no activation, so it is applied to the sums of messages.
	e.dense(bias, s.byExample(mol), w.msg1Mol, false)
	e.project(projDst, atom, w.msg1Dst, false)
	e.project(r.message, after, w.msg1Bond, false)
	for i := range e.examples {
		k := &e.examples[i].Plan.Blocks[j]
		message := s.ofBonds(r.message, j+1, i)
		e.ks.AddRows(message, true, bias.Row(i),
			kernel.Rows[T]{X: message},
			kernel.Rows[T]{X: s.ofAtoms(projDst, j, i), Idx: k.Dst})
		e.ks.SegmentSum(s.ofAtoms(r.sum, j+1, i), e.lists(&k.Messages), message, false)
	}
	e.project(r.gathered, r.sum, w.msg2.w, false)
	for i := range e.examples {
		k := &e.examples[i].Plan.Blocks[j]
		e.ks.AddOuter(s.ofAtoms(r.gathered, j+1, i), e.asT(k.Degree), e.weights.vector(w.msg2.bias))
	}
	e.dense(r.node, r.gathered, w.node1, true)
	for i := range e.examples {
		k := &e.examples[i].Plan.Blocks[j]
		e.ks.AddRows(s.ofAtoms(s.atom[j+1], j+1, i), false, e.weights.vector(w.node2.bias),
			kernel.Rows[T]{X: s.ofAtoms(atom, j, i), Idx: k.Atom})
	}
	e.project(s.atom[j+1], r.node, w.node2.w, true)
}

// meanBond sets the mean bond after block j, the last: all that a prediction
// reads of that layer. edge2 has no activation, so it is applied to the mean.
func (e *engine[T]) meanBond(j int) {
	s, w, r := e.states, &e.layout.block[j], &e.states.round[j]
	mean, hidden := s.byExample(s.bondMean), s.byExample(s.bias)
	for i := range e.examples {
		e.ks.ColSum(hidden.Row(i), s.ofBonds(r.edge, j+1, i), s.both(s.share, j+1, i), false)
	}
	e.dense(mean, hidden, w.edge2, false)
	for i := range e.examples {
		bond := s.ofBonds(s.bond[j], j, i)
		count := s.both(s.count[j], j, i)
		e.ks.ColSum(s.mean, bond, count[len(count)-bond.Rows:], false)
		e.ks.Axpy(mean.Row(i), s.mean, 1/T(e.examples[i].Plan.NumBonds))
	}
}

// Heads predicts from the mean bond, each head with a dropout of its own, and
// adds up the loss. A run with loss and dropout is of one example.
func (e *engine[T]) Heads() {
	s, last := e.states, len(e.states.round)
	if e.drops() {
		e.dropout.Seed(e.seed, e.epoch, e.example.Row)
	}
	e.loss = 0
	for x := range e.examples {
		pred := s.byExample(s.pred).Row(x)
		for i := range pred {
			w, mean := &e.layout.head[i], s.headMean[i]
			switch share := s.both(s.share, last, x); {
			case !e.train:
				mean = s.byExample(s.bondMean).Row(x)
			case e.drops():
				fillDropout(&e.dropout, s.mask[i], s.count[last])
				clear(mean)
				e.ks.MaskedColSum(mean, s.bond[last], s.mask[i], share)
			default:
				e.ks.ColSum(mean, s.bond[last], share, false)
			}
			pred[i] = e.ks.Dot(mean, e.weights.vector(w.w)) + e.weights.vector(w.bias)[0]
			if e.train && e.measured(i) {
				e.loss += math.Abs(float64(pred[i])-float64(e.example.Target[i])) * e.scale
			}
		}
	}
}

// drops reports whether the run has dropout.
func (e *engine[T]) drops() bool { return e.train && e.config.Dropout > 0 }

// measured reports whether the example has target i.
func (e *engine[T]) measured(i int) bool { return nn.Measured(e.example.Target[i]) }
