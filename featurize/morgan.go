package featurize

import (
	"cmp"
	"slices"

	"polyid-trainer/featurize/mol"
)

// Environment is one Morgan environment: Hash identifies the atoms and bonds
// within Radius bonds of atom Center.
type Environment struct {
	Hash   uint32
	Center int32
	Radius int32
}

// MorganRadius is the radius of PolyID's domain of validity, in bonds.
const MorganRadius = 2

// Environments lists the Morgan environments of m up to MorganRadius, equal to
// RDKit's unhashed Morgan fingerprint (bond types on, no chirality, no
// features, no redundant environments). Of environments that span the same
// bonds only the one of smallest radius, then of smallest hash, is kept. m is
// the sanitized molecule without added hydrogens. Cost: O(n log n) for bounded
// degree.
//
// The method is that of Rogers and Hahn, J. Chem. Inf. Model. 2010, 50, 742.
func Environments(m *mol.Mol) []Environment {
	n := len(m.Atoms)
	envs := make([]Environment, n, (MorganRadius+1)*n)
	inv := invariants(m)
	for i, h := range inv {
		envs[i] = Environment{Hash: h, Center: int32(i)}
	}

	seen := make(map[uint64]bool, 2*n) // bond sets already represented
	dead := make([]bool, n)            // atoms whose environment another atom has
	next := make([]uint32, n)
	var around []typedNeighbor
	type candidate struct {
		bonds uint64
		hash  uint32
		atom  int32
	}
	candidates := make([]candidate, 0, n)

	spans := incidentBonds(m)
	for layer := range uint32(MorganRadius) {
		if layer > 0 {
			spans = bondsWithinTwo(m, spans)
		}
		candidates = candidates[:0]
		for a := range n {
			nbrs := m.Neighbors(a)
			if dead[a] || len(nbrs) == 0 {
				continue
			}
			around = around[:0]
			for _, nb := range nbrs {
				around = append(around, typedNeighbor{bondInvariant(m.Bonds[nb.Bond].Kind), inv[nb.Atom]})
			}
			slices.SortFunc(around, compareTyped)
			h := combine(layer, inv[a])
			for _, t := range around {
				h = combine(h, combine(combine(0, t.bond), t.hash))
			}
			next[a] = h
			candidates = append(candidates, candidate{spans[a], h, int32(a)})
		}
		slices.SortFunc(candidates, func(x, y candidate) int {
			return cmp.Or(cmp.Compare(x.bonds, y.bonds), cmp.Compare(x.hash, y.hash), cmp.Compare(x.atom, y.atom))
		})
		for _, c := range candidates {
			if seen[c.bonds] {
				dead[c.atom] = true
				continue
			}
			seen[c.bonds] = true
			envs = append(envs, Environment{c.hash, c.atom, int32(layer) + 1})
		}
		inv, next = next, inv
	}
	return envs
}

// Morgan counts the environments of m by hash: RDKit's
// GetMorganFingerprint(mol, 2), to the bit.
func Morgan(m *mol.Mol) map[uint32]int {
	envs := Environments(m)
	counts := make(map[uint32]int, len(envs))
	for _, e := range envs {
		counts[e.Hash]++
	}
	return counts
}

// typedNeighbor is a neighbour as an atom's next invariant sees it.
type typedNeighbor struct{ bond, hash uint32 }

func compareTyped(x, y typedNeighbor) int {
	return cmp.Or(cmp.Compare(x.bond, y.bond), cmp.Compare(x.hash, y.hash))
}

// invariants are the hashes of radius 0: element, degree and hydrogens (both
// with the implicit ones), charge, isotope and ring membership.
func invariants(m *mol.Mol) []uint32 {
	inv := make([]uint32, len(m.Atoms))
	for i := range m.Atoms {
		a := &m.Atoms[i]
		hs := uint32(a.ExplicitHs) + uint32(a.ImplicitHs)
		degree := uint32(m.Degree(i)) + hs
		for _, nb := range m.Neighbors(i) {
			if m.Atoms[nb.Atom].Element == 1 {
				hs++
			}
		}
		h := combine(0, uint32(a.Element))
		h = combine(h, degree)
		h = combine(h, hs)
		h = combine(h, uint32(int32(a.Charge)))
		h = combine(h, uint32(massShift(a)))
		if a.Ring != 0 {
			h = combine(h, 1)
		}
		inv[i] = h
	}
	return inv
}

// combine is boost's hash_combine on 32 bits.
func combine(seed, v uint32) uint32 {
	return seed ^ (v + 0x9e3779b9 + seed<<6 + seed>>2)
}

// bondInvariant is the number of a bond's type in RDKit's enumeration.
func bondInvariant(k mol.BondKind) uint32 {
	switch k {
	case mol.Single:
		return 1
	case mol.Double:
		return 2
	case mol.Triple:
		return 3
	case mol.Quadruple:
		return 4
	case mol.AromaticBond:
		return 12
	case mol.Dative:
		return 17
	}
	return 0
}

// offsetFrom says that offset holds for mass numbers from .from on.
type offsetFrom struct {
	from   uint16
	offset int16
}

// massShift is int(mass - atomic weight) of an atom with a stated isotope, 0
// of others.
func massShift(a *mol.Atom) int32 {
	if a.Isotope == 0 || int(a.Element) >= len(isotopeOffset) {
		return 0
	}
	runs := isotopeOffset[a.Element]
	i := len(runs) - 1
	for i >= 0 && runs[i].from > a.Isotope {
		i--
	}
	if i < 0 {
		return 0
	}
	return int32(a.Isotope) + int32(runs[i].offset)
}

// incidentBonds gives for each atom the set of its bonds, the span of radius 1.
// A set is the wrapping sum of its bonds' bondHash: equal sets have equal sums,
// different sets of one molecule the same with probability 2^-64, and no list
// of bonds per atom is ever held.
func incidentBonds(m *mol.Mol) []uint64 {
	sets := make([]uint64, len(m.Atoms))
	for i, b := range m.Bonds {
		h := bondHash(i)
		sets[b.Begin] += h
		sets[b.End] += h
	}
	return sets
}

// bondsWithinTwo gives for each atom the set of bonds that touch it or a
// neighbour, the span of radius 2, from the spans of radius 1. The sum over the
// neighbours counts the atom's own bonds once, those leading away once, and a
// bond between two neighbours, which closes a triangle, twice.
func bondsWithinTwo(m *mol.Mol, incident []uint64) []uint64 {
	sets := make([]uint64, len(incident))
	for _, b := range m.Bonds {
		sets[b.Begin] += incident[b.End]
		sets[b.End] += incident[b.Begin]
	}
	triangles(m, func(atom, opposite int32) { sets[atom] -= bondHash(int(opposite)) })
	return sets
}

// triangles calls visit for each corner of each triangle of bonds with the
// index of the bond opposite. A triangle is found once, at its corner of middle
// rank, by walking the neighbours of the lowest: ranking by degree bounds the
// cost by O(m^1.5) whatever the graph.
func triangles(m *mol.Mol, visit func(atom, opposite int32)) {
	before := func(x, y int32) bool {
		dx, dy := m.Degree(int(x)), m.Degree(int(y))
		return dx < dy || dx == dy && x < y
	}
	bondTo := make([]int32, len(m.Atoms)) // 1 + its bond to the middle corner, 0 = none
	for v := range int32(len(m.Atoms)) {
		for _, w := range m.Neighbors(int(v)) {
			bondTo[w.Atom] = w.Bond + 1
		}
		for _, u := range m.Neighbors(int(v)) {
			if !before(u.Atom, v) {
				continue
			}
			for _, w := range m.Neighbors(int(u.Atom)) {
				if bondTo[w.Atom] != 0 && before(v, w.Atom) {
					visit(u.Atom, bondTo[w.Atom]-1)
					visit(v, w.Bond)
					visit(w.Atom, u.Bond)
				}
			}
		}
		for _, w := range m.Neighbors(int(v)) {
			bondTo[w.Atom] = 0
		}
	}
}

// bondHash spreads a bond's index over 64 bits (the SplitMix64 finalizer).
func bondHash(bond int) uint64 {
	x := (uint64(bond) + 1) * 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
