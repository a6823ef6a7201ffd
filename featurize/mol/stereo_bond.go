package mol

// minStereoRing is the smallest ring in which a double bond has a geometry.
const minStereoRing = 8

// doubleBonds are the double bonds that perception may give a geometry.
type doubleBonds struct {
	pending []int32 // with directions at both ends and no geometry yet; by index
	others  bool    // there are ones without directions, which never get a geometry

	directed        bool // some double bond has a direction beside it
	undirectedFirst bool // a double bond without comes before the first one with
}

// side is what one end of a double bond says about its geometry: its senior
// neighbour and where that lies, looking from the double bond.
type side struct {
	atom     int32
	dir      Direction
	conflict bool // both neighbours are said to lie on the same side
}

// findDoubleBonds lists the double bonds that can have a geometry, whatever the
// ranks: in no small ring, with one or two further neighbours at each end.
func (s *stereo) findDoubleBonds() {
	m, d := s.m, &s.doubleBonds
	directed := make([]bool, len(m.Atoms))
	for i := range m.Bonds {
		if b := &m.Bonds[i]; b.Direction != NoDirection {
			directed[b.Begin], directed[b.End] = true, true
		}
	}
	for i := range m.Bonds {
		b := &m.Bonds[i]
		if b.Kind != Double || b.Ring != 0 && b.Ring < minStereoRing {
			continue
		}
		if !d.directed {
			d.directed = directed[b.Begin] || directed[b.End]
			d.undirectedFirst = d.undirectedFirst || !d.directed
		}
		begin, end := m.Degree(int(b.Begin)), m.Degree(int(b.End))
		switch {
		case begin < 2 || begin > 3 || end < 2 || end > 3:
		case directed[b.Begin] && directed[b.End]:
			d.pending = append(d.pending, int32(i))
		default:
			d.others = true
		}
	}
}

// labelDoubleBonds gives a geometry to the double bonds whose neighbours differ
// in rank at both ends. It reports whether any double bond is left, and whether
// it met a conflict, whose directions it removes.
func (s *stereo) labelDoubleBonds() (left, conflict bool) {
	left = s.doubleBonds.others
	pending := s.doubleBonds.pending
	s.doubleBonds.pending = pending[:0]
	var contradicted []int32 // atoms between two directions that exclude each other
	for _, i := range pending {
		b := &s.m.Bonds[i]
		begin, okBegin := s.side(b.Begin, i)
		end, okEnd := s.side(b.End, i)
		switch {
		case !okBegin || !okEnd:
			s.doubleBonds.pending = append(s.doubleBonds.pending, i)
			left = true
			continue
		case begin.conflict || end.conflict:
			if begin.conflict {
				contradicted = append(contradicted, b.Begin)
			}
			if end.conflict {
				contradicted = append(contradicted, b.End)
			}
			s.doubleBonds.others = true // from the next round on
			conflict = true
			continue
		case begin.dir == end.dir:
			b.Stereo = StereoZ
		default:
			b.Stereo = StereoE
		}
		b.StereoAtom = [2]int32{begin.atom, end.atom}
		s.changed = append(s.changed, b.Begin, b.End)
	}
	for _, a := range contradicted {
		for _, nb := range s.m.adj[a] {
			s.m.Bonds[nb.Bond].Direction = NoDirection
		}
	}
	return left, conflict
}

// side looks at one end of a double bond. It is not ok if no neighbour has a
// direction or if the two have the same rank.
func (s *stereo) side(atom, double int32) (side, bool) {
	var at [2]side
	n := 0
	for _, nb := range s.m.adj[atom] {
		if nb.Bond != double {
			at[n] = side{atom: nb.Atom, dir: s.m.Bonds[nb.Bond].directionFrom(atom)}
			n++
		}
	}
	first, second := at[0], at[1]
	if n == 1 {
		return first, first.dir != NoDirection
	}
	if s.ranks.rank(first.atom) == s.ranks.rank(second.atom) {
		return side{}, false
	}
	switch {
	case first.dir == NoDirection && second.dir == NoDirection:
		return side{}, false
	case first.dir == NoDirection:
		first.dir = second.dir.Inverse()
	case second.dir == NoDirection:
		second.dir = first.dir.Inverse()
	}
	senior := second
	if s.ranks.rank(first.atom) > s.ranks.rank(second.atom) {
		senior = first
	}
	senior.conflict = first.dir == second.dir
	return senior, true
}

// dropDirections removes the directions beside double bonds without geometry
// that no other double bond needs.
func dropDirections(m *Mol) {
	const without, with = 1, 2
	double := make([]uint8, len(m.Atoms)) // which double bonds an atom has
	for i := range m.Bonds {
		b := &m.Bonds[i]
		if b.Kind != Double {
			continue
		}
		kind := uint8(with)
		if b.Stereo == StereoNone || b.Stereo == StereoAny {
			kind = without
		}
		double[b.Begin] |= kind
		double[b.End] |= kind
	}
	for i := range m.Bonds {
		b := &m.Bonds[i]
		if b.Direction == NoDirection || b.Kind != Single && b.Kind != AromaticBond {
			continue
		}
		if double[b.Begin]&without != 0 && double[b.End]&with == 0 ||
			double[b.End]&without != 0 && double[b.Begin]&with == 0 {
			b.Direction = NoDirection
		}
	}
}

// directionFrom is b's direction seen from one of its atoms.
func (b *Bond) directionFrom(atom int32) Direction {
	if atom == b.Begin {
		return b.Direction
	}
	return b.Direction.Inverse()
}
