package mol

// assignRadicals counts the unpaired electrons of bracket atoms.
func (m *Mol) assignRadicals() {
	for i := range m.Atoms {
		if a := &m.Atoms[i]; a.NoImplicit && a.Element != dummy {
			a.Radicals = m.radicals(int32(i))
		}
	}
}

// radicals is the number of unpaired electrons of atom i: what it lacks to a
// full shell, or to empty its own if that takes less, or to its next valence.
func (m *Mol) radicals(i int32) uint8 {
	a := &m.Atoms[i]
	outer, charge := a.Element.outerElectrons(), int(a.Charge)
	if a.Element.anyValence() {
		if len(m.adj[i]) > 0 {
			return 0
		}
		return uint8(max(outer-charge, 0) % 2)
	}
	valence := m.halfOrders(i)/2 + int(a.ExplicitHs)
	shell := 8
	if a.Element <= 2 {
		shell = 2
	}
	n := shell - outer - valence + charge
	if n < 0 {
		n = 0
		if valences := a.Element.Valences(); len(valences) > 1 {
			for _, v := range valences {
				if left := int(v) - valence + charge; left >= 0 {
					n = left
					break
				}
			}
		}
	}
	if own := outer - valence - charge; own >= 0 {
		n = min(n, own)
	}
	return uint8(n)
}
