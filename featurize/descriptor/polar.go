package descriptor

import "polyid-trainer/featurize/mol"

// environment is what an atom's polar surface depends on: its neighbours that are
// no hydrogens, hydrogens, charge, and bonds by kind to those neighbours.
type environment struct {
	element                          mol.Element
	hydrogens, charge                int8
	single, double, triple, aromatic int8
	inThreeRing                      bool // looked at for single bonds alone
}

// surfaces are the contributions of nitrogen and oxygen in Å² (Ertl, Rohde and
// Selzer, J. Med. Chem. 2000, 43, 3714, table 1).
var surfaces = map[environment]float64{
	{nitrogen, 0, 0, 0, 0, 1, 0, false}: 23.79,
	{nitrogen, 1, 0, 0, 1, 0, 0, false}: 23.85,
	{nitrogen, 2, 0, 1, 0, 0, 0, false}: 26.02,
	{nitrogen, 2, 1, 0, 1, 0, 0, false}: 25.59,
	{nitrogen, 3, 1, 1, 0, 0, 0, false}: 27.64,
	{nitrogen, 0, 0, 1, 1, 0, 0, false}: 12.36,
	{nitrogen, 0, 0, 0, 1, 1, 0, false}: 13.60,
	{nitrogen, 1, 0, 2, 0, 0, 0, true}:  21.94,
	{nitrogen, 1, 0, 2, 0, 0, 0, false}: 12.03,
	{nitrogen, 0, 1, 1, 0, 1, 0, false}: 4.36,
	{nitrogen, 1, 1, 1, 1, 0, 0, false}: 13.97,
	{nitrogen, 2, 1, 2, 0, 0, 0, false}: 16.61,
	{nitrogen, 0, 0, 0, 0, 0, 2, false}: 12.89,
	{nitrogen, 1, 0, 0, 0, 0, 2, false}: 15.79,
	{nitrogen, 1, 1, 0, 0, 0, 2, false}: 14.14,
	{nitrogen, 0, 0, 3, 0, 0, 0, true}:  3.01,
	{nitrogen, 0, 0, 3, 0, 0, 0, false}: 3.24,
	{nitrogen, 0, 0, 1, 2, 0, 0, false}: 11.68,
	{nitrogen, 0, 1, 2, 1, 0, 0, false}: 3.01,
	{nitrogen, 1, 1, 3, 0, 0, 0, false}: 4.44,
	{nitrogen, 0, 0, 0, 0, 0, 3, false}: 4.41,
	{nitrogen, 0, 0, 1, 0, 0, 2, false}: 4.93,
	{nitrogen, 0, 0, 0, 1, 0, 2, false}: 8.39,
	{nitrogen, 0, 1, 0, 0, 0, 3, false}: 4.10,
	{nitrogen, 0, 1, 1, 0, 0, 2, false}: 3.88,
	{nitrogen, 0, 1, 4, 0, 0, 0, false}: 0,

	{oxygen, 0, 0, 0, 1, 0, 0, false}:  17.07,
	{oxygen, 1, 0, 1, 0, 0, 0, false}:  20.23,
	{oxygen, 0, -1, 1, 0, 0, 0, false}: 23.06,
	{oxygen, 0, 0, 2, 0, 0, 0, true}:   12.53,
	{oxygen, 0, 0, 2, 0, 0, 0, false}:  9.23,
	{oxygen, 0, 0, 0, 0, 0, 2, false}:  13.14,
}

// threeRings are the environments whose surface is another in a ring of three.
var threeRings = func() map[environment]bool {
	set := map[environment]bool{}
	for e := range surfaces {
		if e.inThreeRing {
			e.inThreeRing = false
			set[e] = true
		}
	}
	return set
}()

// polarSurface is the topological polar surface of nitrogen and oxygen in Å².
func polarSurface(m *mol.Mol) float64 {
	total := 0.0
	for i := range m.Atoms {
		if e := m.Atoms[i].Element; e == nitrogen || e == oxygen {
			total += surfaceOf(m, i)
		}
	}
	return total
}

func surfaceOf(m *mol.Mol, i int) float64 {
	a := &m.Atoms[i]
	e := environment{element: a.Element, hydrogens: int8(hydrogensOf(m, i)), charge: a.Charge}
	neighbours := 0
	for _, nb := range m.Neighbors(i) {
		if m.Atoms[nb.Atom].Element == hydrogen {
			continue
		}
		neighbours++
		switch b := &m.Bonds[nb.Bond]; {
		case b.Aromatic:
			e.aromatic++
		case b.Kind == mol.Single:
			e.single++
		case b.Kind == mol.Double:
			e.double++
		case b.Kind == mol.Triple:
			e.triple++
		}
	}
	e.inThreeRing = a.Ring == 3 && threeRings[e]
	if s, ok := surfaces[e]; ok && neighbours == int(e.single+e.double+e.triple+e.aromatic) {
		return s
	}
	// What the table lacks is estimated from neighbours and hydrogens, as RDKit does.
	if a.Element == nitrogen {
		return max(0, 30.5-8.2*float64(neighbours)+1.5*float64(e.hydrogens))
	}
	return max(0, 28.5-8.6*float64(neighbours)+1.5*float64(e.hydrogens))
}
