package mol

// donor is what an atom gives to an aromatic ring.
type donor uint8

const (
	unknownDonor donor = iota
	noDonor            // it cannot be part of one
	vacant             // an empty orbital
	oneElectron
	twoElectrons
	anyElectrons // a dummy: one or two
)

// donor is what atom i of a ring could give by its electrons.
func (m *Mol) donor(i int32) donor {
	a := &m.Atoms[i]
	if a.Element == dummy {
		if m.multipleRingBond(i) {
			return oneElectron
		}
		return anyElectrons
	}
	n := m.piElectrons(i)
	if n < 0 {
		return noDonor
	}
	outer, exocyclic := m.multipleOuterBond(i)
	stolen := exocyclic && m.Atoms[outer].Element.moreElectronegative(a.Element)
	switch {
	case n == 0 && exocyclic:
		return vacant
	case n == 0 && m.multipleRingBond(i):
		return oneElectron
	case n == 0:
		return noDonor
	case n == 1 && stolen:
		return vacant
	case n == 1 && (exocyclic || m.unsaturated(i)):
		return oneElectron
	case n == 1 && a.Charge == 1:
		return vacant // tropylium
	case n == 1:
		return noDonor
	case stolen:
		n--
	}
	if n%2 == 1 {
		return oneElectron
	}
	return twoElectrons
}

// multipleOuterBond finds the first multiple bond of atom i outside rings.
func (m *Mol) multipleOuterBond(i int32) (other int32, ok bool) {
	for _, nb := range m.adj[i] {
		if b := &m.Bonds[nb.Bond]; b.Ring == 0 && b.halfOrder(i) >= 4 {
			return nb.Atom, true
		}
	}
	return 0, false
}

// multipleRingBond reports whether atom i has a multiple bond in a ring.
func (m *Mol) multipleRingBond(i int32) bool {
	for _, nb := range m.adj[i] {
		if b := &m.Bonds[nb.Bond]; b.Ring != 0 && b.halfOrder(i) >= 4 {
			return true
		}
	}
	return false
}

// unsaturated reports whether atom i has more valence than neighbours.
func (m *Mol) unsaturated(i int32) bool {
	degree := len(m.adj[i]) + int(m.Atoms[i].ExplicitHs)
	for _, nb := range m.adj[i] {
		if m.Bonds[nb.Bond].halfOrder(i) == 0 {
			degree--
		}
	}
	return m.ExplicitValence(int(i)) != degree
}

// bridge reports whether atom i is an ether or thioether, which donates nothing
// to a macrocycle.
func (m *Mol) bridge(i int32) bool {
	a := &m.Atoms[i]
	if a.Element != oxygen && a.Element != sulfur || len(m.adj[i]) != 2 || a.Charge != 0 {
		return false
	}
	for _, nb := range m.adj[i] {
		if k := m.Bonds[nb.Bond].Kind; k == Double || k == Triple {
			return false
		}
	}
	return true
}

// canBeAromatic reports whether atom i may be part of an aromatic ring at all,
// whatever it would donate.
func (m *Mol) canBeAromatic(i int32) (bool, error) {
	a := &m.Atoms[i]
	if a.Element > 18 && a.Element != selenium && a.Element != tellurium {
		return false, nil
	}
	if a.Element.defaultValence() > 0 {
		z := int(a.Element) - int(a.Charge)
		if z < 0 || z > int(MaxElement) {
			return false, m.valenceError(i, "has an impossible charge")
		}
		if m.Valence(int(i)) > Element(z).defaultValence() {
			return false, nil
		}
	}
	if a.Radicals > 0 && (a.Element != carbon || a.Charge != 0) {
		return false, nil
	}
	if m.ExplicitValence(int(i))-len(m.adj[i]) > 1 {
		multiple := 0
		for _, nb := range m.adj[i] {
			if k := m.Bonds[nb.Bond].Kind; k == Double || k == Triple {
				multiple++
			}
		}
		return multiple <= 1, nil
	}
	return true, nil
}
