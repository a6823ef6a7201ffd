package mol

import "fmt"

// halfOrder is twice what a bond contributes to the valence of atom i, so that
// aromatic bonds stay whole numbers.
func (b *Bond) halfOrder(i int32) int {
	switch b.Kind {
	case Single:
		return 2
	case Double:
		return 4
	case Triple:
		return 6
	case Quadruple:
		return 8
	case AromaticBond:
		return 3
	case Dative:
		if b.End == i {
			return 2
		}
	}
	return 0
}

// halfOrders is twice the sum of the orders of atom i's bonds.
func (m *Mol) halfOrders(i int32) int {
	sum := 0
	for _, nb := range m.adj[i] {
		sum += m.Bonds[nb.Bond].halfOrder(i)
	}
	return sum
}

// aromaticAtom reports whether atom i or one of its bonds is aromatic.
func (m *Mol) aromaticAtom(i int32) bool {
	if m.Atoms[i].Aromatic {
		return true
	}
	for _, nb := range m.adj[i] {
		if b := &m.Bonds[nb.Bond]; b.Aromatic || b.Kind == AromaticBond {
			return true
		}
	}
	return false
}

// ExplicitValence is the sum of atom i's bond orders and its hydrogens that are
// stated, as of the last perception.
func (m *Mol) ExplicitValence(i int) int { return int(m.Atoms[i].explicit) }

// Valence is the total valence of atom i, implicit hydrogens included.
func (m *Mol) Valence(i int) int {
	return int(m.Atoms[i].explicit) + int(m.Atoms[i].ImplicitHs)
}

// TotalHs is the number of atom i's hydrogens that are no atoms of their own.
func (m *Mol) TotalHs(i int) int {
	return int(m.Atoms[i].ExplicitHs) + int(m.Atoms[i].ImplicitHs)
}

// totalDegree is the number of atom i's neighbours with all hydrogens.
func (m *Mol) totalDegree(i int32) int { return len(m.adj[i]) + m.TotalHs(int(i)) }

// UpdateHs recomputes the explicit valence and the implicit hydrogens of atom i
// without complaint about impossible valences.
func (m *Mol) UpdateHs(i int) {
	v, _ := m.explicitValence(int32(i))
	m.Atoms[i].explicit = v
	m.Atoms[i].ImplicitHs, _ = m.implicitHs(int32(i))
}

// updateAll is UpdateHs for every atom.
func (m *Mol) updateAll() {
	for i := range m.Atoms {
		m.UpdateHs(i)
	}
}

// checkAll recomputes explicit valences and implicit hydrogens and refuses what
// no atom can have.
func (m *Mol) checkAll() error {
	for i := range m.Atoms {
		a := &m.Atoms[i]
		v, reason := m.explicitValence(int32(i))
		if a.explicit = v; reason == "" {
			a.ImplicitHs, reason = m.implicitHs(int32(i))
		}
		if reason != "" {
			return m.valenceError(int32(i), reason)
		}
	}
	return nil
}

func (m *Mol) valenceError(i int32, reason string) error {
	a := &m.Atoms[i]
	return &ValenceError{Atom: int(i), Pos: int(a.Pos), Element: a.Element, Valence: int(a.explicit), Reason: reason}
}

// isoelectronic is the element whose valences an atom has for its charge: N+
// bonds like C, O- like F. Elements without known valences stay themselves.
func (a *Atom) isoelectronic() Element {
	if a.Element.anyValence() {
		return a.Element
	}
	return Element(min(max(int(a.Element)-int(a.Charge), 0), int(MaxElement)))
}

// expandsOctet reports whether an anion of P, S, As or Se keeps the valences of
// its element although it counts electrons like a halogen or a noble gas.
func (a *Atom) expandsOctet(iso Element) bool {
	return iso > sulfur && (a.Element == phosphorus || a.Element == sulfur) ||
		iso > selenium && (a.Element == arsenic || a.Element == selenium)
}

// explicitValence computes the explicit valence of atom i. The reason, if any,
// says why it is impossible.
func (m *Mol) explicitValence(i int32) (v uint8, reason string) {
	a := &m.Atoms[i]
	halves := m.halfOrders(i) + 2*int(a.ExplicitHs)
	iso := a.isoelectronic()
	if d := iso.defaultValence(); d >= 0 && halves > 2*d && m.aromaticAtom(i) {
		// An aromatic sum is a mean over Kekulé structures; take the highest
		// valence below it if that is within one and a half.
		near := d
		for _, allowed := range iso.Valences() {
			if allowed == -1 || 2*int(allowed) > halves {
				break
			}
			near = int(allowed)
		}
		if halves-2*near <= 3 {
			halves = 2 * near
		}
	}
	sum := (halves + 1) / 2
	limit, excess := iso.maxValence(), sum
	if a.expandsOctet(iso) {
		limit = a.Element.maxValence()
		excess -= int(a.Charge)
	}
	if a.Element == hydrogen && a.Charge == -1 {
		limit = 2 // hydrides may bridge
	}
	if limit >= 0 && a.Element.maxValence() >= 0 && excess > limit || sum > 127 {
		reason = fmt.Sprintf("has valence %d, more than it can", sum)
	}
	return uint8(min(sum, 127)), reason
}

// implicitHs computes how many hydrogens atom i lacks, from its explicit
// valence. The reason, if any, says why its state is impossible.
func (m *Mol) implicitHs(i int32) (hs uint8, reason string) {
	a := &m.Atoms[i]
	if a.NoImplicit || a.Element == dummy {
		return 0, ""
	}
	if a.Element == hydrogen && a.explicit == 0 && a.Radicals == 0 {
		switch a.Charge {
		case 0:
			return 1, ""
		case 1, -1:
			return 0, ""
		}
		return 0, "has an impossible charge"
	}
	iso := a.isoelectronic()
	d := iso.defaultValence()
	if d < 0 {
		return 0, ""
	}
	used := int(a.explicit) + int(a.Radicals)
	valences := iso.Valences()
	if a.expandsOctet(iso) {
		valences = a.Element.Valences()
		used -= int(a.Charge)
	}
	if m.aromaticAtom(i) {
		if used <= d {
			return uint8(d - used), ""
		}
		for _, allowed := range valences {
			if int(allowed) == used {
				return 0, ""
			}
		}
		return 0, fmt.Sprintf("has valence %d, which no aromatic atom of its kind has", used)
	}
	for _, allowed := range valences {
		if used <= int(allowed) {
			return uint8(int(allowed) - used), ""
		}
	}
	if valences[len(valences)-1] != -1 && a.Element.maxValence() > 0 {
		return 0, fmt.Sprintf("has valence %d, more than it can", used)
	}
	return 0, ""
}
