package mol

import "slices"

// Limits of RDKit's aromaticity model.
const (
	maxFusedSize    = 24  // rings of more bonds are not taken together with others
	maxFusedRings   = 6   // so many rings are taken together at most
	manyFusedRings  = 300 // in systems of more, pairs at most
	macrocycle      = 9   // a ring in which ether bridges donate nothing
	maxFusedSubsets = 1 << 20
)

// setAromaticity marks the atoms and bonds of aromatic rings: Hückel's rule on
// rings and on sets of rings that share one bond each. It needs Kekulé
// structures and rings.
func (m *Mol) setAromaticity() error {
	if len(m.rings) == 0 {
		return nil
	}
	s := newAromaticity(m)
	for i := range m.rings {
		r := &m.rings[i]
		ok, err := s.candidate(r)
		if err != nil {
			return err
		}
		if ok {
			s.rings = append(s.rings, r)
		}
	}
	if len(s.rings) == 0 {
		return nil
	}
	s.graph = m.newRingGraph(s.rings, maxFusedSize, 1)
	return s.graph.systems(s.system)
}

// aromaticity is the state of one perception.
type aromaticity struct {
	m     *Mol
	donor []donor
	rings []*Ring // the candidates
	graph *ringGraph

	round   int32   // number of the system at hand
	marked  []int32 // bond: the last system it was found aromatic in
	done    int     // how many of the system's are
	times   []uint8 // atom or bond: how many rings of the subset have it
	touched []int32
	left    int // subsets that may still be tried

	subset []int32
	barred []uint8 // ring: in the subset or next to it, or not to be added
}

func newAromaticity(m *Mol) *aromaticity {
	return &aromaticity{
		m:      m,
		donor:  make([]donor, len(m.Atoms)),
		marked: make([]int32, len(m.Bonds)),
		times:  make([]uint8, max(len(m.Atoms), len(m.Bonds))),
		left:   maxFusedSubsets,
		rings:  make([]*Ring, 0, len(m.rings)),
	}
}

// candidate reports whether all atoms of a ring can be part of an aromatic one,
// and not all are dummies.
func (s *aromaticity) candidate(r *Ring) (bool, error) {
	ok, real := true, false
	for _, a := range r.Atoms {
		real = real || s.m.Atoms[a].Element != dummy
		if s.donor[a] == unknownDonor {
			d := s.m.donor(a)
			if d == twoElectrons && len(r.Atoms) >= macrocycle && s.m.bridge(a) {
				d = noDonor
			}
			if d != noDonor {
				can, err := s.m.canBeAromatic(a)
				if err != nil {
					return false, err
				}
				if !can {
					d = noDonor
				}
			}
			s.donor[a] = d
		}
		ok = ok && s.donor[a] != noDonor
	}
	return ok && real, nil
}

// system finds the aromatic rings of a fused system: it tries single rings,
// then connected pairs and so on until all bonds are marked.
func (s *aromaticity) system(rings []int32) error {
	bonds := s.countBonds(rings)
	s.done = 0
	s.round++
	for size := 1; size <= min(len(rings), maxFusedRings) && s.done < bonds; size++ {
		if size > 2 && len(rings) > manyFusedRings {
			break
		}
		if size == 1 {
			for _, r := range rings {
				s.subset = append(s.subset[:0], r)
				s.try()
			}
		} else if !s.trySubsets(rings, size) {
			first := s.rings[rings[0]].Atoms[0]
			return &ComplexityError{Pos: int(s.m.Atoms[first].Pos), Reason: "ring system with too many rings"}
		}
	}
	return nil
}

// countBonds is the number of different bonds in some rings.
func (s *aromaticity) countBonds(rings []int32) int {
	if len(rings) == 1 {
		return len(s.rings[rings[0]].Bonds)
	}
	for _, r := range rings {
		for _, b := range s.rings[r].Bonds {
			if s.times[b] == 0 {
				s.times[b] = 1
				s.touched = append(s.touched, b)
			}
		}
	}
	n := len(s.touched)
	s.untouch()
	return n
}

func (s *aromaticity) untouch() {
	for _, i := range s.touched {
		s.times[i] = 0
	}
	s.touched = s.touched[:0]
}

// count sets times for the lists of the subset's rings.
func (s *aromaticity) count(list func(*Ring) []int32) {
	for _, r := range s.subset {
		for _, i := range list(s.rings[r]) {
			if s.times[i]++; s.times[i] == 1 {
				s.touched = append(s.touched, i)
			}
		}
	}
}

// try applies Hückel's rule to the subset and marks its outer bonds if it holds.
// Atoms in three of its rings do not count.
func (s *aromaticity) try() {
	low, high, any := 0, 0, 0
	s.count(func(r *Ring) []int32 { return r.Atoms })
	for _, a := range s.touched {
		if s.times[a] > 2 {
			continue
		}
		switch s.donor[a] {
		case oneElectron:
			low, high = low+1, high+1
		case twoElectrons:
			low, high = low+2, high+2
		case anyElectrons:
			low, high, any = low+1, high+2, any+1
		}
	}
	s.untouch()
	if any <= 1 && huckel(low, high) {
		s.mark()
	}
}

// huckel reports whether a number from low to high is 4n+2. Up to five
// electrons, only two make a ring aromatic.
func huckel(low, high int) bool {
	if high < 6 {
		return high == 2
	}
	for n := low; n <= high; n++ {
		if (n-2)%4 == 0 {
			return true
		}
	}
	return false
}

// mark makes the bonds that are in one ring of the subset aromatic.
func (s *aromaticity) mark() {
	s.count(func(r *Ring) []int32 { return r.Bonds })
	for _, i := range s.touched {
		if s.times[i] != 1 {
			continue
		}
		if s.marked[i] != s.round {
			s.marked[i] = s.round
			s.done++
		}
		b := &s.m.Bonds[i]
		b.Aromatic = true
		if b.Kind == Single || b.Kind == Double {
			b.Kind = AromaticBond
			s.m.Atoms[b.Begin].Aromatic, s.m.Atoms[b.End].Aromatic = true, true
		}
	}
	s.untouch()
}

// trySubsets tries every connected set of that many rings once. It reports
// whether it came to an end within the limit. (Wernicke, "Efficient detection of
// network motifs", IEEE/ACM TCBB 3 (2006); it goes six deep at most.)
func (s *aromaticity) trySubsets(rings []int32, size int) bool {
	if s.barred == nil {
		s.barred = make([]uint8, len(s.rings))
	}
	for _, r := range rings {
		s.subset = append(s.subset[:0], r)
		s.barred[r] = 1
		var next []int32
		for _, j := range s.graph.neighbors(r) {
			if j > r {
				s.barred[j]++
				next = append(next, j)
			}
		}
		ok := s.extend(r, next, size)
		for _, j := range next {
			s.barred[j]--
		}
		s.barred[r] = 0
		if !ok {
			return false
		}
	}
	return true
}

// extend tries all sets of that size that add to the subset rings from next, or
// later neighbours of those, above the first.
func (s *aromaticity) extend(first int32, next []int32, size int) bool {
	if len(s.subset) == size {
		if s.left--; s.left < 0 {
			return false
		}
		s.try()
		return true
	}
	for k, j := range next {
		more := slices.Clone(next[k+1:])
		from := len(more)
		for _, n := range s.graph.neighbors(j) {
			if n > first && s.barred[n] == 0 {
				s.barred[n] = 1
				more = append(more, n)
			}
		}
		s.subset = append(s.subset, j)
		ok := s.extend(first, more, size)
		s.subset = s.subset[:len(s.subset)-1]
		for _, n := range more[from:] {
			s.barred[n] = 0
		}
		if !ok {
			return false
		}
	}
	return true
}
