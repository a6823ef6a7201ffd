package smiles

import (
	"slices"

	"polyid-trainer/featurize/mol"
)

// Canonical returns SMILES that depend on the molecule alone and not on the
// order of its atoms: two sanitized molecules have the same string if they are
// the same with charges, isotopes, atom maps, hydrogens, chirality and
// double-bond geometry. It is this package's own form, not RDKit's.
//
// Atoms are ranked by partition refinement (McKay, Practical graph isomorphism,
// 1981) in which stereo elements take part as soon as their neighbours are told
// apart. It costs O(n log n) for n atoms, and a factor n more where ring
// stereochemistry or fused rings leave ties that every member of a class must
// be tried for.
func Canonical(m *mol.Mol) string {
	return string(newWriter(m, canonicalRanks(m)).molecule())
}

// canonicalRanks numbers atoms 0..n-1 independently of their order in m.
func canonicalRanks(m *mol.Mol) []int32 {
	r := newRefinement(m)
	r.refine()
	intricate := fused(m)
	for from := 0; ; {
		from = r.p.tied(from)
		if from < 0 {
			return r.p.place
		}
		if !intricate && !r.unsettled {
			// Ties that are left in trees and single rings are symmetries.
			r.p.single(r.p.cell(from)[0])
			r.refine()
			continue
		}
		r.breakTie(from)
	}
}

// fused reports whether m has an atom in more than one ring. Elsewhere,
// refinement that starts from ring sizes tells all atoms apart that differ.
func fused(m *mol.Mol) bool {
	for i := range m.Atoms {
		inRing := 0
		for _, nb := range m.Neighbors(i) {
			if m.Bonds[nb.Bond].Ring != 0 {
				inRing++
			}
		}
		if inRing > 2 {
			return true
		}
	}
	return false
}

// breakTie singles out that member of the class at position from which leads to
// the least signature.
func (r *refinement) breakTie(from int) {
	var best *refinement
	var least uint64
	for _, atom := range slices.Clone(r.p.cell(from)) {
		try := r.clone()
		try.p.single(atom)
		try.refine()
		if s := try.signature(); best == nil || s < least {
			best, least = try, s
		}
	}
	*r = *best
}

// refinement is a partition of the atoms with what it is refined by.
type refinement struct {
	m         *mol.Mol
	p         *partition
	bonds     []uint64 // bond → what matters of it, seen from its Begin and from its End
	centres   []int32  // atoms with a tag
	doubles   []geometry
	unsettled bool // some stereo element has neighbours that are tied
}

func newRefinement(m *mol.Mol) *refinement {
	r := &refinement{m: m, bonds: make([]uint64, 2*len(m.Bonds)), doubles: slices.Collect(geometries(m))}
	kinds := make([]uint64, len(m.Atoms))
	for i := range m.Atoms {
		a := &m.Atoms[i]
		if tagged(a) {
			r.centres = append(r.centres, int32(i))
		}
		kinds[i] = atomKind(m, int32(i))
	}
	for i := range m.Bonds {
		b := &m.Bonds[i]
		kind := uint64(b.Kind) + 1
		r.bonds[2*i], r.bonds[2*i+1] = mix(kind), mix(kind)
		if b.Kind == mol.Dative {
			r.bonds[2*i+1] = mix(kind + 1<<8)
		}
	}
	r.p = newPartition(kinds)
	return r
}

func (r *refinement) clone() *refinement {
	c := *r
	c.p = r.p.clone()
	return &c
}

func tagged(a *mol.Atom) bool {
	return a.Chirality == mol.Clockwise || a.Chirality == mol.Counterclockwise
}

// atomKind packs what tells atoms apart by themselves, the degree on top so
// that strings start at ends of chains.
func atomKind(m *mol.Mol, i int32) uint64 {
	a := &m.Atoms[i]
	flags := uint64(0)
	if a.Aromatic {
		flags |= 1
	}
	if tagged(a) {
		flags |= 2
	}
	rest := mix(uint64(uint8(a.Charge)) | uint64(a.Isotope)<<8 | uint64(totalHs(a))<<24 |
		uint64(a.Ring)<<32 | uint64(a.Radicals)<<40 | flags<<48)
	rest = mix(rest ^ uint64(uint32(a.Map)))
	return uint64(min(m.Degree(int(i)), 255))<<56 | uint64(a.Element)<<48 | rest>>16
}

// refine refines until neither neighbours nor stereo elements tell any atoms of
// a class apart.
func (r *refinement) refine() {
	label := make([]uint64, len(r.m.Atoms))
	for {
		r.p.refine(func(i int32) []mol.Neighbor { return r.m.Neighbors(int(i)) }, func(from int32, bond int32) uint64 {
			if r.m.Bonds[bond].Begin == from {
				return r.bonds[2*bond]
			}
			return r.bonds[2*bond+1]
		})
		if len(r.centres)+len(r.doubles) == 0 {
			return
		}
		r.stereo(label)
		if !r.p.splitBy(label) {
			return
		}
	}
}

// stereo labels the atoms of stereo elements by their handedness with respect
// to the classes of their neighbours, and 0 while these are tied.
func (r *refinement) stereo(label []uint64) {
	clear(label)
	r.unsettled = false
	for _, i := range r.centres {
		odd, ok := r.parity(r.m.Neighbors(int(i)))
		if !ok {
			r.unsettled = true
			continue
		}
		label[i] += 1
		if odd == (r.m.Atoms[i].Chirality == mol.Clockwise) {
			label[i] += 1
		}
	}
	for _, g := range r.doubles {
		trans, ok := g.trans, true
		for side, end := range g.atom {
			first, tied := r.first(end, g.atom[1-side])
			if tied {
				ok = false
			} else if first != g.ref[side] {
				trans = !trans
			}
		}
		if !ok {
			r.unsettled = true
			continue
		}
		v := uint64(4)
		if trans {
			v = 8
		}
		label[g.atom[0]] += v
		label[g.atom[1]] += v
	}
}

// parity is the permutation of neighbours from class order to bond order, and
// whether no two are of one class.
func (r *refinement) parity(nbrs []mol.Neighbor) (odd, ok bool) {
	for x := range nbrs {
		for y := range x {
			switch px, py := r.p.class[nbrs[x].Atom], r.p.class[nbrs[y].Atom]; {
			case px == py:
				return false, false
			case py > px:
				odd = !odd
			}
		}
	}
	return odd, true
}

// first is the neighbour of least class at an end of a double bond, and whether
// it shares that class.
func (r *refinement) first(end, across int32) (atom int32, tied bool) {
	atom = -1
	for _, nb := range r.m.Neighbors(int(end)) {
		switch {
		case nb.Atom == across:
		case atom < 0 || r.p.class[nb.Atom] < r.p.class[atom]:
			atom, tied = nb.Atom, false
		case r.p.class[nb.Atom] == r.p.class[atom]:
			tied = true
		}
	}
	return atom, tied
}

// signature sums up a refined partition: its classes, and the handedness of
// their stereo elements.
func (r *refinement) signature() uint64 {
	label := make([]uint64, len(r.m.Atoms))
	r.stereo(label)
	sum := uint64(0)
	for i := range r.m.Atoms {
		sum += mix(uint64(r.p.class[i])<<8 | label[i])
	}
	return sum
}

// mix is the finalizer of splitmix64.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
