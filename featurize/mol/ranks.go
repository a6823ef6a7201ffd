package mol

import (
	"cmp"
	"slices"
)

// canonicalRanks numbers the atoms from 0 by what they are and how they are
// bonded, not by their order, as RDKit does where it breaks ties by rank (after
// Schneider, Sahnoun and Landrum, "Get Your Atoms in Order", JCIM 55 (2015),
// without its rules for symmetric ring systems and dependent chirality). Atoms
// that this cannot tell apart are numbered by their order.
func canonicalRanks(m *Mol) []int32 {
	r := newRanker(m)
	r.push(0)
	r.refine()
	r.breakTies()
	return r.cell
}

// maxRankWork bounds how many atoms are put into order again and again; beyond
// it those left are ranked by their order.
const maxRankWork = 1 << 18

// ranker refines an ordered partition of the atoms: those of a cell could not be
// told apart yet. A cell goes by the index of its first atom in order, which is
// also the rank of its atoms.
type ranker struct {
	m      *Mol
	key    []atomKey
	order  []int32 // the atoms, cell by cell
	cell   []int32 // atom: its cell
	size   []int32 // cell: how many atoms it has
	stack  []int32 // cells to look at, the next last
	queued []bool  // cell: is in stack

	sides   []uint64 // kinds and cells of the neighbours of the cell at hand, highest first
	sideAt  []int32  // atom: where its are
	scratch []int32
	work    int
}

// atomKey is what an atom is on its own.
type atomKey struct{ a, b uint64 }

func newRanker(m *Mol) *ranker {
	n := len(m.Atoms)
	r := &ranker{
		m:      m,
		key:    make([]atomKey, n),
		order:  make([]int32, n),
		cell:   make([]int32, n),
		size:   make([]int32, n),
		queued: make([]bool, n),
		sideAt: make([]int32, n),
	}
	r.size[0] = int32(n)
	for i := range m.Atoms {
		a := &m.Atoms[i]
		r.order[i] = int32(i)
		r.key[i] = atomKey{
			uint64(uint32(a.Map))<<32 | uint64(len(m.adj[i]))<<8 | uint64(a.Element),
			uint64(a.Isotope)<<24 | uint64(m.TotalHs(i))<<16 | uint64(uint8(a.Charge))<<8,
		}
		if a.Chirality != Unspecified {
			r.key[i].b |= 1
		}
	}
	return r
}

func (r *ranker) push(cell int32) {
	if r.size[cell] > 1 && !r.queued[cell] {
		r.queued[cell] = true
		r.stack = append(r.stack, cell)
	}
}

// refine splits the cells on the stack, and those next to what splits, until
// the neighbours tell no more atoms apart.
func (r *ranker) refine() {
	for len(r.stack) > 0 {
		c := r.stack[len(r.stack)-1]
		r.stack = r.stack[:len(r.stack)-1]
		r.queued[c] = false
		if r.work += int(r.size[c]); r.work <= maxRankWork {
			r.pushAround(r.split(c))
		}
	}
}

// split puts the atoms of a cell into order, makes cells of those that differ
// and returns the atoms of all but the first of these.
func (r *ranker) split(c int32) []int32 {
	atoms := r.order[c : c+r.size[c]]
	r.sides = r.sides[:0]
	for _, i := range atoms {
		r.sideAt[i] = int32(len(r.sides))
		for _, nb := range r.m.adj[i] {
			r.sides = append(r.sides, r.side(nb))
		}
		own := r.sides[r.sideAt[i]:]
		slices.SortFunc(own, func(x, y uint64) int { return cmp.Compare(y, x) })
	}
	slices.SortStableFunc(atoms, r.compare)
	first := len(atoms)
	for k := len(atoms) - 1; k > 0; k-- {
		if r.compare(atoms[k-1], atoms[k]) != 0 {
			first = k
		}
	}
	starts := c
	for k := first; k < len(atoms); k++ {
		if k == first || r.compare(atoms[k-1], atoms[k]) != 0 {
			r.size[starts] = c + int32(k) - starts
			starts = c + int32(k)
		}
	}
	r.size[starts] = c + int32(len(atoms)) - starts
	return r.renumber(c, first, atoms)
}

// renumber gives the atoms from first on the numbers of their new cells.
func (r *ranker) renumber(c int32, first int, atoms []int32) []int32 {
	for k := first; k < len(atoms); {
		start := c + int32(k)
		for range r.size[start] {
			r.cell[atoms[k]] = start
			k++
		}
	}
	return atoms[first:]
}

// side is a bond seen from one end: its kind, by RDKit's numbers, and the cell
// of the atom at the other.
func (r *ranker) side(nb Neighbor) uint64 {
	var kind uint64
	switch b := &r.m.Bonds[nb.Bond]; {
	case b.Aromatic || b.Kind == AromaticBond:
		kind = 12
	case b.Kind == Dative:
		kind = 17
	case b.Kind != Any:
		kind = uint64(b.Kind)
	}
	return kind<<32 | uint64(r.cell[nb.Atom])
}

// compare orders two atoms of the cell at hand.
func (r *ranker) compare(i, j int32) int {
	x, y := r.key[i], r.key[j]
	if c := cmp.Or(cmp.Compare(x.a, y.a), cmp.Compare(x.b, y.b)); c != 0 {
		return c
	}
	if r.m.Atoms[i].Chirality != Unspecified {
		if c := cmp.Compare(r.handedness(i), r.handedness(j)); c != 0 {
			return c
		}
	}
	degree := int32(len(r.m.adj[i]))
	return slices.Compare(r.sides[r.sideAt[i]:][:degree], r.sides[r.sideAt[j]:][:degree])
}

// handedness is 1 or 2 for an atom with a tetrahedral tag whose neighbours are
// all in different cells, by the order of these, and else 0.
func (r *ranker) handedness(i int32) int {
	tag := r.m.Atoms[i].Chirality
	if tag != Clockwise && tag != Counterclockwise {
		return 0
	}
	odd := tag == Counterclockwise
	nbrs := r.m.adj[i]
	for k, a := range nbrs {
		for _, b := range nbrs[:k] {
			switch x, y := r.cell[b.Atom], r.cell[a.Atom]; {
			case x == y:
				return 0
			case x > y:
				odd = !odd
			}
		}
	}
	if odd {
		return 1
	}
	return 2
}

// pushAround puts the cells next to some atoms on the stack, the highest last.
func (r *ranker) pushAround(atoms []int32) {
	r.scratch = r.scratch[:0]
	for _, i := range atoms {
		for _, nb := range r.m.adj[i] {
			if c := r.cell[nb.Atom]; r.size[c] > 1 && !r.queued[c] {
				r.scratch = append(r.scratch, c)
			}
		}
	}
	slices.Sort(r.scratch)
	for _, c := range r.scratch {
		r.push(c)
	}
}

// breakTies takes the last atom out of a cell, refines and goes on until every
// atom has its own.
func (r *ranker) breakTies() {
	for at := 0; at < len(r.order); {
		i := r.order[at]
		before := r.cell[i]
		for r.order[r.cell[i]] == i && r.size[r.cell[i]] > 1 {
			c := r.cell[i]
			r.size[c]--
			last := c + r.size[c]
			r.size[last] = 1
			r.cell[r.order[last]] = last
			r.pushAround(r.order[last : last+1])
			r.refine()
		}
		if r.cell[i] == before {
			at++
		}
	}
}
