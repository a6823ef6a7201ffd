package mol

import (
	"cmp"
	"slices"
)

// centres are the atoms that perception may label.
type centres struct {
	tagged   []int32 // with a tag, legal, without a label yet; by index
	untagged bool    // there are legal ones without a tag, which never get a label
}

// ligand is a neighbour of a centre, by rank.
type ligand struct{ rank, at int32 }

// findCentres lists the atoms whose neighbourhood allows them to be centres,
// whatever the ranks.
func (s *stereo) findCentres(countUntagged bool) {
	for i := range int32(len(s.m.Atoms)) {
		switch {
		case s.m.Atoms[i].Chirality != Unspecified:
			if s.legalCentre(i) {
				s.centres.tagged = append(s.centres.tagged, i)
			}
		case countUntagged && !s.centres.untagged:
			s.centres.untagged = s.legalCentre(i)
		}
	}
}

// labelCentres labels the tagged centres whose neighbours all differ in rank,
// and reports whether any centre is left.
func (s *stereo) labelCentres() (left bool) {
	tagged := s.centres.tagged
	s.centres.tagged = tagged[:0]
	for _, i := range tagged {
		if s.differ(i) {
			s.m.Atoms[i].CIP = s.label(i)
			s.changed = append(s.changed, i)
		} else {
			s.centres.tagged = append(s.centres.tagged, i)
		}
	}
	return s.centres.untagged || len(s.centres.tagged) > 0
}

// differ reports whether the neighbours of centre i that matter, four at most,
// have different ranks.
func (s *stereo) differ(i int32) bool {
	var seen [4]int32
	n := 0
	for _, nb := range s.m.adj[i] {
		if !s.m.affectsChirality(nb.Bond, i) {
			continue
		}
		rank := s.ranks.rank(nb.Atom)
		if slices.Contains(seen[:n], rank) {
			return false
		}
		seen[n] = rank
		n++
	}
	return true
}

// label turns a tag, which refers to the order of bonds, into a label, which
// refers to the order of ranks.
func (s *stereo) label(i int32) CIPCode {
	a := &s.m.Atoms[i]
	s.ligands = s.ligands[:0]
	for k, nb := range s.m.adj[i] {
		s.ligands = append(s.ligands, ligand{s.ranks.rank(nb.Atom), int32(k)})
	}
	slices.SortFunc(s.ligands, func(a, b ligand) int {
		return cmp.Or(cmp.Compare(a.rank, b.rank), cmp.Compare(a.at, b.at))
	})
	odd := oddPermutation(s.ligands)
	if len(s.ligands) == 3 && s.m.TotalHs(int(i)) == 1 {
		odd = !odd // the hydrogen ranks lowest but is looked from as the first
	}
	if (a.Chirality == Counterclockwise) != odd {
		return CIPS
	}
	return CIPR
}

// oddPermutation reports whether sorting the ligands took an odd number of
// swaps. It spoils their at.
func oddPermutation(sorted []ligand) bool {
	odd := false
	for i := range sorted {
		for at := sorted[i].at; at != int32(i); at = sorted[i].at {
			sorted[i].at, sorted[at].at = sorted[at].at, at
			odd = !odd
		}
	}
	return odd
}

// affectsChirality reports whether a bond counts among the four of a
// tetrahedral atom; what atom i donates to does not.
func (m *Mol) affectsChirality(bond, i int32) bool {
	switch b := &m.Bonds[bond]; b.Kind {
	case Unset, Any:
		return false
	case Dative:
		return b.Begin != i
	}
	return true
}

// legalCentre reports whether atom i has a neighbourhood in which it can be a
// tetrahedral centre (the rules for N, P, As, S and Se are InChI's).
func (s *stereo) legalCentre(i int32) bool {
	m, a := s.m, &s.m.Atoms[i]
	degree, protium := 0, false
	for _, nb := range m.adj[i] {
		if m.affectsChirality(nb.Bond, i) {
			degree++
		}
		if h := &m.Atoms[nb.Atom]; h.Element == hydrogen && h.Isotope == 0 {
			protium = true
		}
	}
	hs := m.TotalHs(int(i))
	pnictogen := a.Element == phosphorus || a.Element == arsenic
	switch {
	case degree+hs < 3 || degree+hs > 4:
		return false
	case degree < 3:
		return pnictogen
	case degree == 4:
		return true
	case hs == 1:
		return !protium
	case a.Element == nitrogen:
		// Its lone pair inverts but in a three-ring or at a bridgehead.
		return a.Hybridization == SP3 && !m.conjugated(i) && (a.Ring == 3 || s.bridgehead(i))
	case pnictogen:
		return true
	case a.Element == sulfur || a.Element == selenium:
		v := m.ExplicitValence(int(i))
		return v == 4 || v == 3 && a.Charge == 1
	}
	return false
}

// conjugated reports whether a bond of atom i is conjugated.
func (m *Mol) conjugated(i int32) bool {
	return slices.ContainsFunc(m.adj[i], func(nb Neighbor) bool { return m.Bonds[nb.Bond].Conjugated })
}
