package cuda

import (
	"math"

	"polyid-trainer/nn/plan"
)

// planImage is a plan as the device holds it: all its arrays in one, and where
// each begins.
type planImage struct {
	words []uint32
	size  int // of words
	atoms int // of the polymer, for messages

	layer []layerImage
	block []blockImage
	share ref // [last bond classes], in the mean over bonds

	// A run's input, behind its header.
	atomTokens, bondTokens, targets ref
	input                           int // words, but for the targets
}

// layerImage is the classes of one layer.
type layerImage struct {
	atoms, bonds int
	count        ref // [atoms + bonds] members; none of the last layer's atoms
}

func (l layerImage) rows() int      { return l.atoms + l.bonds }
func (l layerImage) bondCount() ref { return l.count.plus(l.atoms) }

// blockImage is a plan.Block, and the ways back: for each row before, the rows
// after that read it, in ascending order.
type blockImage struct {
	bond, src, dst, atom ref
	degree               ref
	messages, readers    listRefs

	byBond, bySrc, byDst, byAtom listRefs
}

// listRefs is a plan.Lists; no row means that entry e is row e, no weight that
// all are 1.
type listRefs struct{ off, row, weight ref }

func newPlanImage(p *plan.Plan) *planImage {
	m := &planImage{atoms: p.NumAtoms}
	last := len(p.Blocks)
	for t := range last + 1 {
		l := layerImage{bonds: p.BondClasses(t), count: planRef(len(m.words))}
		if t < last {
			l.atoms = p.AtomClasses(t)
			m.floats(p.AtomMembers(t))
		}
		m.floats(p.BondMembers(t))
		m.layer = append(m.layer, l)
	}
	share := make([]float32, p.BondClasses(last))
	for i, n := range p.BondMembers(last) {
		share[i] = n / float32(p.NumBonds)
	}
	m.share = m.floats(share)
	for j := range p.Blocks {
		k := &p.Blocks[j]
		before := m.layer[j]
		b := blockImage{
			bond: m.ints(k.Bond), src: m.ints(k.Src), dst: m.ints(k.Dst),
			byBond: m.inverse(k.Bond, before.bonds), bySrc: m.inverse(k.Src, before.atoms), byDst: m.inverse(k.Dst, before.atoms),
		}
		if j < last-1 {
			b.atom, b.degree = m.ints(k.Atom), m.floats(k.Degree)
			b.messages, b.readers = m.lists(&k.Messages), m.lists(&k.Readers)
			b.byAtom = m.inverse(k.Atom, before.atoms)
		}
		m.block = append(m.block, b)
	}
	m.atomTokens = inputRef(headerWords)
	m.bondTokens = m.atomTokens.plus(len(p.AtomID))
	m.targets = m.bondTokens.plus(len(p.BondID))
	m.size = len(m.words)
	m.input = headerWords + len(p.AtomID) + len(p.BondID)
	return m
}

func (m *planImage) ints(v []int32) ref {
	at := len(m.words)
	for _, x := range v {
		m.words = append(m.words, uint32(x))
	}
	return planRef(at)
}

func (m *planImage) floats(v []float32) ref {
	at := len(m.words)
	for _, x := range v {
		m.words = append(m.words, math.Float32bits(x))
	}
	return planRef(at)
}

func (m *planImage) lists(l *plan.Lists) listRefs {
	return listRefs{m.ints(l.Off), m.ints(l.Row), m.floats(l.Weight)}
}

// inverse lists, for each of rows rows, where index names it, in ascending
// order.
func (m *planImage) inverse(index []int32, rows int) listRefs {
	off, row := make([]int32, rows+1), make([]int32, len(index))
	for _, r := range index {
		off[r+1]++
	}
	for r := range rows {
		off[r+1] += off[r]
	}
	next := append([]int32(nil), off...)
	for i, r := range index {
		row[next[r]] = int32(i)
		next[r]++
	}
	return listRefs{off: m.ints(off), row: m.ints(row)}
}
