package mol

// FoldHs makes hydrogens that are atoms of their own a property of their
// neighbour, as RDKit does on reading: those with one neighbour that is neither
// a hydrogen nor a dummy nor a non-tetrahedral centre, without isotope or
// negative charge, that do not define the geometry of a double bond. It runs on
// the graph as written, before Sanitize.
func FoldHs(m *Mol) {
	var drop []bool
	for i := range m.Atoms {
		if m.Atoms[i].Element == hydrogen && m.foldable(int32(i)) {
			if drop == nil {
				drop = make([]bool, len(m.Atoms))
			}
			drop[i] = true
		}
	}
	if drop == nil {
		return
	}
	// From the last to the first, as each looks at the bonds that are left.
	left := foldState{m: m, drop: drop, gone: make([]bool, len(m.Bonds))}
	for i := len(m.Atoms) - 1; i >= 0; i-- {
		if drop[i] {
			left.fold(int32(i))
		}
	}
	m.Remove(drop)
}

func (m *Mol) foldable(i int32) bool {
	h := &m.Atoms[i]
	if len(m.adj[i]) != 1 || h.Isotope != 0 || h.Charge == -1 {
		return false
	}
	nb := m.adj[i][0]
	a := &m.Atoms[nb.Atom]
	if a.Element <= hydrogen {
		return false
	}
	switch a.Chirality {
	case SquarePlanar, TrigonalBipyramidal, Octahedral:
		return false
	}
	if len(m.adj[nb.Atom]) == 2 && m.Bonds[nb.Bond].Direction != NoDirection {
		for _, o := range m.adj[nb.Atom] {
			if m.Bonds[o.Bond].Kind == Double {
				return false
			}
		}
	}
	return true
}

// foldState is the state of FoldHs.
type foldState struct {
	m    *Mol
	drop []bool // by atom
	gone []bool // bonds of hydrogens already folded
}

// fold moves hydrogen i into its neighbour.
func (s *foldState) fold(i int32) {
	m := s.m
	nb := m.adj[i][0]
	a, b := &m.Atoms[nb.Atom], &m.Bonds[nb.Bond]
	a.ExplicitHs++
	if a.Chirality != Unspecified {
		// The hydrogen goes to the end of the bonds that the tag refers to.
		for _, o := range m.adj[nb.Atom] {
			if o.Bond > nb.Bond && !s.gone[o.Bond] {
				a.Chirality = a.Chirality.Inverse()
			}
		}
	}
	if b.Direction != NoDirection {
		s.passDirection(nb.Atom, b)
	}
	s.gone[nb.Bond] = true
}

// passDirection gives the direction of bond b, whose hydrogen leaves atom i, to
// another single bond of the atom if none has a direction.
func (s *foldState) passDirection(i int32, b *Bond) {
	var heir *Bond
	for _, o := range s.m.adj[i] {
		ob := &s.m.Bonds[o.Bond]
		if ob == b || ob.Kind != Single || s.gone[o.Bond] {
			continue
		}
		if ob.Direction != NoDirection {
			return
		}
		heir = ob
	}
	if heir == nil {
		return
	}
	heir.Direction = b.Direction
	if heir.Begin == i && b.Begin == i {
		heir.Direction = b.Direction.Inverse()
	}
}

// AddHs turns all hydrogens of a sanitized molecule into atoms: for each atom by
// index first the stated, then the implicit ones, with their bonds, at the end
// of the atoms and bonds.
func AddHs(m *Mol) {
	n, hs := len(m.Atoms), 0
	for i := range m.Atoms {
		hs += m.TotalHs(i)
	}
	m.grow(hs)
	for i := range n {
		for range m.TotalHs(i) {
			h := m.addAtom(Atom{Element: hydrogen, explicit: 1}, 1)
			m.AddBond(Bond{Begin: int32(i), End: int32(h), Kind: Single})
		}
		m.Atoms[i].ExplicitHs = 0
		m.UpdateHs(i)
	}
}

// grow makes room for that many more atoms and bonds of degree one.
func (m *Mol) grow(hs int) {
	m.Atoms = append(make([]Atom, 0, len(m.Atoms)+hs), m.Atoms...)
	m.Bonds = append(make([]Bond, 0, len(m.Bonds)+hs), m.Bonds...)
	m.adj = append(make([][]Neighbor, 0, len(m.adj)+hs), m.adj...)
	if len(m.free) < hs {
		m.free = make([]Neighbor, hs)
	}
}
