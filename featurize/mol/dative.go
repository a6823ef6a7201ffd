package mol

import (
	"cmp"
	"slices"
)

// cleanUpMetals turns single bonds from a non-metal with more bonds than it can
// have to a metal into dative ones.
func (m *Mol) cleanUpMetals() error {
	found := false
	for i := range m.Atoms {
		over, err := m.hypervalent(int32(i))
		if err != nil {
			return err
		}
		if over && m.hasMetal(int32(i)) {
			found = true
			break
		}
	}
	if !found {
		return nil
	}
	m.updateAll()
	ranks := canonicalRanks(m)
	order := make([]int32, len(m.Atoms))
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortFunc(order, func(a, b int32) int { return cmp.Compare(ranks[a], ranks[b]) })
	for _, i := range order {
		if err := m.donate(i, ranks); err != nil {
			return err
		}
	}
	return nil
}

// hypervalent reports whether atom i is a non-metal that can donate and has
// more bonds than it can. An aromatic atom that is full counts if it has four
// neighbours, as in cyclopentadienyl complexes.
func (m *Mol) hypervalent(i int32) (bool, error) {
	a := &m.Atoms[i]
	if a.Element.metal() {
		return false, nil
	}
	m.UpdateHs(int(i))
	z := int(a.Element) - int(a.Charge)
	if z <= 0 {
		return false, nil
	}
	if z > int(MaxElement) {
		return false, m.valenceError(i, "has an impossible charge")
	}
	switch a.Element {
	case 1, 2, 9, 10: // these never donate
		return false, nil
	}
	limit, v := Element(z).maxValence(), int(a.explicit)
	return limit > 0 && (v > limit || v == limit && a.Aromatic && m.totalDegree(i) == 4), nil
}

// hasMetal reports whether atom i has a single bond to a metal.
func (m *Mol) hasMetal(i int32) bool {
	for _, nb := range m.adj[i] {
		if m.Bonds[nb.Bond].Kind == Single && m.Atoms[nb.Atom].Element.metal() {
			return true
		}
	}
	return false
}

// donate makes one single bond from atom i to a metal dative if atom i is
// hypervalent: the bond to the metal with the fewest dative bonds, of those the
// one with the highest rank.
func (m *Mol) donate(i int32, ranks []int32) error {
	over, err := m.hypervalent(i)
	if !over || err != nil {
		return err
	}
	best, fewest := Neighbor{Atom: -1}, 0
	for _, nb := range m.adj[i] {
		if m.Bonds[nb.Bond].Kind != Single || !m.Atoms[nb.Atom].Element.metal() {
			continue
		}
		n := m.dativeBonds(nb.Atom)
		if best.Atom < 0 || n < fewest || n == fewest && ranks[nb.Atom] > ranks[best.Atom] {
			best, fewest = nb, n
		}
	}
	if best.Atom >= 0 {
		b := &m.Bonds[best.Bond]
		b.Kind, b.Begin, b.End = Dative, i, best.Atom
	}
	return nil
}

func (m *Mol) dativeBonds(i int32) (n int) {
	for _, nb := range m.adj[i] {
		if m.Bonds[nb.Bond].Kind == Dative {
			n++
		}
	}
	return n
}
