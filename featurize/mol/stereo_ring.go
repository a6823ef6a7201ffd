package mol

import "slices"

// dropTags removes the tags of atoms that are neither labelled nor part of a
// ring's stereochemistry. A hydrogen that was only written for the tag becomes
// an implicit one.
func (s *stereo) dropTags() {
	m := s.m
	keep := s.ringStereo()
	for i := range m.Atoms {
		a := &m.Atoms[i]
		switch a.Chirality {
		case Unspecified, SquarePlanar, TrigonalBipyramidal, Octahedral:
			continue
		}
		if a.CIP != CIPNone || keep[i] {
			continue
		}
		a.Chirality = Unspecified
		if a.ExplicitHs == 1 && a.Charge == 0 && !a.Aromatic {
			a.ExplicitHs, a.NoImplicit = 0, false
			m.UpdateHs(i)
		}
	}
}

// ringStereo marks the atoms without label whose tags mean something relative
// to each other, as in cis-1,4-dimethylcyclohexane: two or more candidates in
// one ring system (atoms connected by ring bonds).
func (s *stereo) ringStereo() []bool {
	m := s.m
	keep := make([]bool, len(m.Atoms))
	seen := make([]bool, len(m.Atoms))
	var system, candidates []int32
	for i := range int32(len(m.Atoms)) {
		if seen[i] || !s.ringCandidate(i) {
			continue
		}
		seen[i] = true
		system, candidates = append(system[:0], i), candidates[:0]
		for at := 0; at < len(system); at++ {
			a := system[at]
			if s.ringCandidate(a) {
				candidates = append(candidates, a)
			}
			for _, nb := range m.adj[a] {
				if m.Bonds[nb.Bond].Ring != 0 && !seen[nb.Atom] {
					seen[nb.Atom] = true
					system = append(system, nb.Atom)
				}
			}
		}
		if len(candidates) > 1 {
			for _, a := range candidates {
				keep[a] = true
			}
		}
	}
	return keep
}

// ringCandidate reports whether atom i is a tagged ring atom without label that
// owes this to equal ranks of its ring neighbours alone.
func (s *stereo) ringCandidate(i int32) bool {
	m := s.m
	a := &m.Atoms[i]
	if a.Chirality == Unspecified || a.CIP != CIPNone || a.Ring == 0 {
		return false
	}
	if a.Element == nitrogen && m.totalDegree(i) == 3 && a.Ring != 3 && !s.bridgehead(i) {
		return false
	}
	var in, out []int32 // ranks of neighbours over ring bonds and over others
	for _, nb := range m.adj[i] {
		rank := s.ranks.rank(nb.Atom)
		if m.Bonds[nb.Bond].Ring != 0 {
			in = append(in, rank)
		} else {
			out = append(out, rank)
		}
	}
	ring := len(in)
	slices.Sort(in)
	distinct := len(slices.Compact(in))
	switch len(out) {
	case 0:
		return ring == 4 && distinct == 3 || ring == 3 && distinct == 2
	case 1:
		return distinct < ring
	case 2:
		return distinct < ring && out[0] != out[1]
	}
	return false
}

// bridgehead reports whether atom i has three ring bonds or more and each ring
// through it shares two bonds or more with another ring through it.
func (s *stereo) bridgehead(i int32) bool {
	m := s.m
	ringBonds := 0
	for _, nb := range m.adj[i] {
		if m.Bonds[nb.Bond].Ring != 0 {
			ringBonds++
		}
	}
	if ringBonds < 3 {
		return false
	}
	if s.inRing == nil {
		s.inRing = make([]int32, len(m.Bonds))
	}
	through := s.ringsThrough(i)
	for _, r := range through {
		for _, b := range m.rings[r].Bonds {
			s.inRing[b] = r + 1
		}
		fused := slices.ContainsFunc(through, func(q int32) bool {
			shared := 0
			for _, b := range m.rings[q].Bonds {
				if s.inRing[b] == r+1 {
					shared++
				}
			}
			return q != r && shared >= 2
		})
		if !fused {
			return false
		}
	}
	return true
}

// ringsThrough lists the rings of atom i, from an index made when first needed.
func (s *stereo) ringsThrough(i int32) []int32 {
	if s.atomRings == nil {
		s.atomRings = make([][]int32, len(s.m.Atoms))
		for r := range s.m.rings {
			for _, a := range s.m.rings[r].Atoms {
				s.atomRings[a] = append(s.atomRings[a], int32(r))
			}
		}
	}
	return s.atomRings[i]
}
