package descriptor

import "polyid-trainer/featurize/mol"

// hydrogensOf is the number of atom i's hydrogens, those that are atoms included.
func hydrogensOf(m *mol.Mol, i int) int {
	n := m.TotalHs(i)
	for _, nb := range m.Neighbors(i) {
		if m.Atoms[nb.Atom].Element == hydrogen {
			n++
		}
	}
	return n
}

// doubleTo reports whether atom i has a double bond to an aliphatic O, N, P or S;
// outside rings only, if so asked.
func doubleTo(m *mol.Mol, i int, outside bool) bool {
	for _, nb := range m.Neighbors(i) {
		b, a := &m.Bonds[nb.Bond], &m.Atoms[nb.Atom]
		if b.Kind != mol.Double || b.Aromatic || a.Aromatic || outside && b.Ring != 0 {
			continue
		}
		switch a.Element {
		case oxygen, nitrogen, phosphorus, sulfur:
			return true
		}
	}
	return false
}

// singleTo reports whether a single bond joins atom i to an atom that is in.
func singleTo(m *mol.Mol, i int, in func(j int) bool) bool {
	for _, nb := range m.Neighbors(i) {
		b := &m.Bonds[nb.Bond]
		if b.Kind == mol.Single && !b.Aromatic && in(int(nb.Atom)) {
			return true
		}
	}
	return false
}

// donors counts hydrogen-bond donors: N, O and S with hydrogens, by RDKit's rule.
func donors(m *mol.Mol) float64 {
	return sum(m, func(i int) bool {
		a, h := &m.Atoms[i], hydrogensOf(m, i)
		switch {
		case a.Element == nitrogen && !a.Aromatic:
			return h > 0 && (m.Valence(i) == 3 || a.Charge == 1 && m.Valence(i) == 4)
		case a.Element == nitrogen:
			return h == 1 && a.Charge == 0
		case (a.Element == oxygen || a.Element == sulfur) && !a.Aromatic:
			return h == 1 && a.Charge == 0
		}
		return false
	})
}

// acceptors counts hydrogen-bond acceptors, by RDKit's rule.
func acceptors(m *mol.Mol) float64 {
	return sum(m, func(i int) bool {
		a, h := &m.Atoms[i], hydrogensOf(m, i)
		chalcogen := a.Element == oxygen || a.Element == sulfur
		switch {
		case a.Aromatic && chalcogen:
			return a.Charge == 0
		case a.Aromatic && a.Element == nitrogen:
			return h == 0 && m.Degree(i)+m.TotalHs(i) == 2 && a.Charge == 0
		case a.Aromatic:
			return false
		case chalcogen:
			return a.Charge == -1 || m.Valence(i) == 2 &&
				(h == 0 || h == 1 && singleTo(m, i, func(j int) bool { return !doubleTo(m, j, false) }))
		case a.Element == nitrogen:
			return m.Valence(i) == 3 && !singleTo(m, i, func(j int) bool { return doubleTo(m, j, true) })
		}
		return false
	})
}

// rotatable counts single bonds outside rings between atoms that are neither ends
// nor in a triple bond.
func rotatable(m *mol.Mol) float64 {
	inner := func(i int32) bool {
		if m.Degree(int(i)) == 1 {
			return false
		}
		for _, nb := range m.Neighbors(int(i)) {
			if m.Bonds[nb.Bond].Kind == mol.Triple {
				return false
			}
		}
		return true
	}
	n := 0
	for i := range m.Bonds {
		b := &m.Bonds[i]
		if b.Ring == 0 && (b.Kind == mol.Single || b.Kind == mol.AromaticBond || b.Aromatic) && inner(b.Begin) && inner(b.End) {
			n++
		}
	}
	return float64(n)
}

// amideBonds counts the aliphatic nitrogens at aliphatic carbons with an oxygen in
// a double bond, the oxygen outside rings: each bond once, and each such oxygen.
func amideBonds(m *mol.Mol) float64 {
	n := 0
	for i := range m.Atoms {
		if m.Atoms[i].Element != carbon || m.Atoms[i].Aromatic {
			continue
		}
		oxygens, nitrogens := 0, 0
		for _, nb := range m.Neighbors(i) {
			b, a := &m.Bonds[nb.Bond], &m.Atoms[nb.Atom]
			switch {
			case a.Aromatic || b.Aromatic:
			case a.Element == oxygen && b.Kind == mol.Double && a.Ring == 0:
				oxygens++
			case a.Element == nitrogen && b.Kind == mol.Single:
				nitrogens++
			}
		}
		n += oxygens * nitrogens
	}
	return float64(n)
}
