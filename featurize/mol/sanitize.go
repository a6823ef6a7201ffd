package mol

// Sanitize perceives valences, rings, radicals, aromaticity, conjugation and
// hybridization on a molecular graph as written, in RDKit's order, and puts a
// few notations right. It does not touch stereochemistry beyond dropping tags of
// atoms that are not tetrahedral: that is AssignStereo's, to be called next if
// it is wanted.
//
// The error is a *ValenceError, *KekulizeError or *ComplexityError.
func Sanitize(m *Mol) error {
	m.cleanUp()
	if err := m.cleanUpMetals(); err != nil {
		return err
	}
	if err := m.checkAll(); err != nil {
		return err
	}
	wasAromatic := make([]bool, len(m.Atoms))
	m.noteAromatic(wasAromatic)
	if err := m.findRings(); err != nil {
		return err
	}
	if err := m.Kekulize(); err != nil {
		return err
	}
	m.assignRadicals()
	if err := m.setAromaticity(); err != nil {
		return err
	}
	m.noteAromatic(wasAromatic)
	m.setConjugation()
	m.setHybridization()
	m.dropTags()
	m.adjustHs(wasAromatic)
	return m.checkAll()
}

// noteAromatic sets the marks of atoms that are aromatic or have an aromatic
// bond.
func (m *Mol) noteAromatic(marks []bool) {
	for i := range m.Atoms {
		marks[i] = marks[i] || m.Atoms[i].Aromatic
	}
	for i := range m.Bonds {
		if b := &m.Bonds[i]; b.Aromatic {
			marks[b.Begin], marks[b.End] = true, true
		}
	}
}

// adjustHs states the hydrogens that atoms would lose by becoming aromatic, such
// as that of pyrrole.
func (m *Mol) adjustHs(atoms []bool) {
	for i, adjust := range atoms {
		if !adjust {
			continue
		}
		a := &m.Atoms[i]
		before := a.ImplicitHs
		m.UpdateHs(i)
		if a.ImplicitHs < before {
			a.ExplicitHs += before - a.ImplicitHs
			a.explicit, _ = m.explicitValence(int32(i))
		}
	}
}
