package mol

// setConjugation marks aromatic bonds as conjugated, and pairs of bonds on an
// atom one of which is a multiple bond if all three atoms can take part.
func (m *Mol) setConjugation() {
	for i := range m.Bonds {
		m.Bonds[i].Conjugated = m.Bonds[i].Aromatic
	}
	// The number of an atom's neighbours with hydrogens, 0 if it cannot take part.
	partners := make([]uint8, len(m.Atoms))
	for i := range m.Atoms {
		if m.canConjugate(int32(i)) {
			partners[i] = uint8(min(m.totalDegree(int32(i)), 255))
		}
	}
	for i := range int32(len(m.Atoms)) {
		if partners[i] != 2 && partners[i] != 3 {
			continue
		}
		for _, one := range m.adj[i] {
			b := &m.Bonds[one.Bond]
			if b.halfOrder(i) < 3 || partners[one.Atom] == 0 {
				continue
			}
			for _, other := range m.adj[i] {
				if other != one && partners[other.Atom] > 0 && partners[other.Atom] <= 3 {
					b.Conjugated = true
					m.Bonds[other.Bond].Conjugated = true
				}
			}
		}
	}
}

// canConjugate reports whether atom i has electrons to share and is not
// hypervalent. Beyond neon, elements of the nitrogen group cannot, and those of
// the oxygen group only at the end of a chain.
func (m *Mol) canConjugate(i int32) bool {
	a := &m.Atoms[i]
	if d := a.Element.defaultValence(); a.Charge == 0 && d >= 0 && m.Valence(int(i)) > d {
		return false
	}
	if a.Element > 10 {
		switch a.Element.outerElectrons() {
		case 5:
			return false
		case 6:
			if m.totalDegree(i) >= 2 {
				return false
			}
		}
	}
	return m.piElectrons(i) > 0
}

// piElectrons is the number of electrons atom i can give to a pi system, or
// negative if it cannot be part of one.
func (m *Mol) piElectrons(i int32) int {
	a := &m.Atoms[i]
	d := a.Element.defaultValence()
	if d <= 1 {
		return -1
	}
	degree := m.totalDegree(i)
	for _, nb := range m.adj[i] {
		if m.Bonds[nb.Bond].halfOrder(i) == 0 {
			degree--
		}
	}
	if degree > 3 {
		return -1
	}
	lone := max(a.Element.outerElectrons()-d-int(a.Charge), 0)
	n := d - degree + lone - int(a.Radicals)
	if n > 1 && m.ExplicitValence(int(i))-len(m.adj[i]) > 1 {
		return 1 // of a triple bond only one
	}
	return n
}
