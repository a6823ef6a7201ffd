package featurize

import (
	"slices"

	"polyid-trainer/featurize/mol"
)

// builder makes graphs, one at a time, and keeps its buffers between them.
type builder struct {
	atomFeature AtomFunc
	bondFeature BondFunc
	diads       bool // the features show diads
	undirected  bool // bondFeature is the same in both directions
	lexicons    *Lexicons

	word  []byte
	first []int32 // per bond: 1 + its first directed edge, 0 = not met yet
}

// build makes the graph of m, which gets all its hydrogens as atoms. Edges are
// in nfp's order: by the atom they leave, then by bond.
func (b *builder) build(m *mol.Mol) *Graph {
	mol.AddHs(m)
	if b.diads {
		mol.AssignDiads(m)
	}
	nA, nB := len(m.Atoms), 2*len(m.Bonds)
	slab := make([]int32, nA+4*nB)
	cut := func(n int) []int32 {
		s := slab[:n:n]
		slab = slab[n:]
		return s
	}
	g := &Graph{Atom: cut(nA), Bond: cut(nB), Src: cut(nB), Dst: cut(nB), Rev: cut(nB)}

	b.first = slices.Grow(b.first[:0], len(m.Bonds))[:len(m.Bonds)]
	clear(b.first)
	e := int32(0)
	for u := range nA {
		b.word = b.atomFeature(b.word[:0], m, u)
		g.Atom[u] = b.lexicons.Atom.ID(b.word)
		for _, nb := range m.Neighbors(u) {
			g.Src[e], g.Dst[e] = int32(u), nb.Atom
			back := b.first[nb.Bond] - 1
			if back < 0 {
				b.first[nb.Bond] = e + 1
			} else {
				g.Rev[e], g.Rev[back] = back, e
			}
			if b.undirected && back >= 0 {
				g.Bond[e] = g.Bond[back]
			} else {
				b.word = b.bondFeature(b.word[:0], m, int(nb.Bond), u)
				g.Bond[e] = b.lexicons.Bond.ID(b.word)
			}
			e++
		}
	}
	return g
}
