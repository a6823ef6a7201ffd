package mol

// setHybridization gives every atom but dummies the hybridization that its
// neighbours and lone pairs ask for.
func (m *Mol) setHybridization() {
	for i := range m.Atoms {
		m.Atoms[i].Hybridization = m.hybridization(int32(i))
	}
}

func (m *Mol) hybridization(i int32) Hybridization {
	a := &m.Atoms[i]
	if a.Element == dummy {
		return HybridizationUnspecified
	}
	degree := m.totalDegree(i)
	switch a.Chirality { // what was written says it
	case Clockwise, Counterclockwise:
		if degree == 4 {
			return SP3
		}
	case SquarePlanar:
		if degree >= 2 && degree <= 4 {
			return SP2D
		}
	case TrigonalBipyramidal:
		if degree >= 2 && degree <= 5 {
			return SP3D
		}
	case Octahedral:
		if degree >= 2 && degree <= 6 {
			return SP3D2
		}
	}
	orbitals := degree
	if a.Element < 89 {
		orbitals = m.orbitals(i)
	}
	switch orbitals {
	case 0, 1:
		return S
	case 2:
		return SP
	case 3:
		return SP2
	case 4:
		if degree <= 3 && m.conjugated(i) {
			return SP2
		}
		return SP3
	case 5:
		return SP3D
	case 6:
		return SP3D2
	}
	return HybridizationUnspecified
}

// orbitals is the number of atom i's neighbours, lone pairs and, below an octet,
// unpaired electrons. What it donates to does not count.
func (m *Mol) orbitals(i int32) int {
	a := &m.Atoms[i]
	n := m.totalDegree(i)
	for _, nb := range m.adj[i] {
		if b := &m.Bonds[nb.Bond]; b.Kind == Dative && b.Begin == i {
			n--
		}
	}
	if a.Element == hydrogen {
		return n
	}
	outer, valence, charge := a.Element.outerElectrons(), m.Valence(int(i)), int(a.Charge)
	free := outer - valence - charge
	if valence+outer-charge < 8 {
		return n + (free-int(a.Radicals))/2 + int(a.Radicals)
	}
	return n + free/2
}

// dropTags takes chiral tags off atoms that cannot have that geometry.
func (m *Mol) dropTags() {
	for i := range m.Atoms {
		a := &m.Atoms[i]
		var limit int
		switch a.Chirality {
		case Clockwise, Counterclockwise:
			if a.Hybridization != SP3 {
				a.Chirality = Unspecified
			}
			continue
		case SquarePlanar:
			limit = 4
		case TrigonalBipyramidal:
			limit = 5
		case Octahedral:
			limit = 6
		default:
			continue
		}
		if d := m.totalDegree(int32(i)); d < 2 || d > limit {
			a.Chirality = Unspecified
		}
	}
}

// HsHingeOnStereo reports whether AssignStereo could change the hydrogens of a
// sanitized molecule: when it drops the tag of an atom with one stated hydrogen,
// RDKit counts the hydrogens anew, which for a metal makes none.
func (m *Mol) HsHingeOnStereo() bool {
	for i := range m.Atoms {
		a := &m.Atoms[i]
		if a.Chirality == Unspecified || a.ExplicitHs != 1 || a.Charge != 0 || a.Aromatic {
			continue
		}
		as := *a
		a.ExplicitHs, a.NoImplicit = 0, false
		m.UpdateHs(i)
		hs := a.ImplicitHs
		*a = as
		if hs != 1 {
			return true
		}
	}
	return false
}
