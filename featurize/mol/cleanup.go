package mol

// cleanUp rewrites a few notations that break the octet rule into charge
// separated ones.
func (m *Mol) cleanUp() {
	m.cleanUpNitrogens()
	for i := range m.Atoms {
		switch m.Atoms[i].Element {
		case phosphorus:
			m.cleanUpPhosphorus(int32(i))
		case chlorine, bromine, iodine:
			m.cleanUpHalogen(int32(i))
		}
	}
}

// cleanUpNitrogens makes N(=O) of five-valent neutral nitrogens N+–O−, then
// N(#N) of them N+=N−.
func (m *Mol) cleanUpNitrogens() {
	var fiveValent []int32
	for i := range m.Atoms {
		if a := &m.Atoms[i]; a.Element == nitrogen && a.Charge == 0 {
			if v, _ := m.explicitValence(int32(i)); v == 5 {
				fiveValent = append(fiveValent, int32(i))
				m.separate(int32(i), oxygen, Double, Single)
			}
		}
	}
	for _, i := range fiveValent { // those with an oxygen as well
		m.separate(i, nitrogen, Triple, Double)
	}
}

// separate lowers the first bond of that kind from atom i to a neutral atom of
// that element and separates the charges.
func (m *Mol) separate(i int32, e Element, from, to BondKind) {
	for _, nb := range m.adj[i] {
		o, b := &m.Atoms[nb.Atom], &m.Bonds[nb.Bond]
		if o.Element == e && o.Charge == 0 && b.Kind == from {
			b.Kind = to
			m.Atoms[i].Charge, o.Charge = 1, -1
			return
		}
	}
}

// cleanUpPhosphorus makes C=P(=O) of a five-valent neutral phosphorus with
// three neighbours C=P+–O−.
func (m *Mol) cleanUpPhosphorus(i int32) {
	a := &m.Atoms[i]
	if a.Charge != 0 || len(m.adj[i]) != 3 {
		return
	}
	if v, _ := m.explicitValence(i); v != 5 {
		return
	}
	oxo, ylide := Neighbor{Atom: -1}, false
	for _, nb := range m.adj[i] {
		if m.Bonds[nb.Bond].Kind != Double {
			continue
		}
		switch o := &m.Atoms[nb.Atom]; {
		case o.Element == oxygen && o.Charge == 0:
			oxo = nb
		case (o.Element == carbon || o.Element == nitrogen) && len(m.adj[nb.Atom]) >= 2:
			ylide = true
		}
	}
	if ylide && oxo.Atom >= 0 {
		m.Bonds[oxo.Bond].Kind = Single
		a.Charge, m.Atoms[oxo.Atom].Charge = 1, -1
	}
}

// cleanUpHalogen makes every X=O of a neutral halogen with only oxygens around
// it and valence 3, 5 or 7 X+–O−.
func (m *Mol) cleanUpHalogen(i int32) {
	a := &m.Atoms[i]
	if a.Charge != 0 {
		return
	}
	if v, _ := m.explicitValence(i); v != 3 && v != 5 && v != 7 {
		return
	}
	for _, nb := range m.adj[i] {
		if m.Atoms[nb.Atom].Element != oxygen {
			return
		}
	}
	for _, nb := range m.adj[i] {
		if b := &m.Bonds[nb.Bond]; b.Kind == Double {
			b.Kind = Single
			a.Charge++
			m.Atoms[nb.Atom].Charge = -1
		}
	}
}
