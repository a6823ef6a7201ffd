// Package descriptor computes numbers that chemists describe molecules by: sizes,
// compositions, rings, hydrogen bonds, flexibility. Those that RDKit has too are
// equal to RDKit 2026.9.1's; the golden file and the script that made it lie
// beside the tests.
//
// All take a sanitized molecule without added hydrogens, as smiles.Read gives it.
// Cost: linear in the atoms and bonds for each.
package descriptor

import (
	"polyid-trainer/featurize/mol"
)

// Descriptor is one number.
type Descriptor struct {
	Name string
	// Extensive ones grow with the molecule: of a chain they are to be divided by
	// its repeat units.
	Extensive bool
	Of        func(m *mol.Mol) float64
}

// All lists the descriptors. Those without a comment have no RDKit counterpart.
func All() []Descriptor {
	list := []Descriptor{
		{"heavy_atoms", true, heavyAtoms},        // CalcNumHeavyAtoms
		{"weight", true, weight},                 // Descriptors.MolWt, g/mol; isotopes count by their mass number
		{"hydrogens", true, hydrogens},           // GetTotalNumHs of all atoms, and hydrogens that are atoms
		{"heteroatoms", true, heteroatoms},       // CalcNumHeteroatoms
		{"fraction_csp3", false, fractionCSP3},   // CalcFractionCSP3
		{"rings", true, rings},                   // CalcNumRings
		{"aromatic_rings", true, aromaticRings},  // CalcNumAromaticRings
		{"donors", true, donors},                 // CalcNumHBD
		{"acceptors", true, acceptors},           // CalcNumHBA
		{"rotatable_bonds", true, rotatable},     // CalcNumRotatableBonds(strict=False)
		{"amide_bonds", true, amideBonds},        // CalcNumAmideBonds
		{"polar_surface", true, polarSurface},    // CalcTPSA, Å²
		{"aromatic_atoms", true, aromaticAtoms},  // GetNumAromaticAtoms
		{"double_bonds", true, kind(mol.Double)}, // of Kekulé structures only those that are not aromatic
		{"triple_bonds", true, kind(mol.Triple)},
		{"branch_points", true, degree(3)},
		{"quaternary_atoms", true, degree(4)},
		{"ring_atoms", true, ringAtoms},
		{"positive_atoms", true, charged(1)},
		{"negative_atoms", true, charged(-1)},
	}
	for _, symbol := range []string{"C", "N", "O", "F", "Si", "P", "S", "Cl", "Br", "I", "B"} {
		e, _ := mol.ElementOf(symbol)
		list = append(list, Descriptor{"count_" + symbol, true, count(e)})
	}
	return list
}

// The elements that rules name.
const (
	hydrogen   mol.Element = 1
	carbon     mol.Element = 6
	nitrogen   mol.Element = 7
	oxygen     mol.Element = 8
	phosphorus mol.Element = 15
	sulfur     mol.Element = 16
)

// sum counts the atoms that are in.
func sum(m *mol.Mol, in func(i int) bool) float64 {
	n := 0
	for i := range m.Atoms {
		if in(i) {
			n++
		}
	}
	return float64(n)
}

func heavyAtoms(m *mol.Mol) float64 {
	return sum(m, func(i int) bool { return m.Atoms[i].Element > hydrogen })
}

func hydrogens(m *mol.Mol) float64 {
	n := 0
	for i := range m.Atoms {
		n += m.TotalHs(i)
		if m.Atoms[i].Element == hydrogen {
			n++
		}
	}
	return float64(n)
}

func weight(m *mol.Mol) float64 {
	w := 0.0
	for i := range m.Atoms {
		a := &m.Atoms[i]
		w += float64(m.TotalHs(i)) * weights[hydrogen]
		if a.Isotope == 0 {
			w += weights[a.Element]
		} else {
			w += float64(a.Isotope) // the mass number: within 0.6 % of the isotope's mass
		}
	}
	return w
}

func heteroatoms(m *mol.Mol) float64 {
	return sum(m, func(i int) bool { e := m.Atoms[i].Element; return e != hydrogen && e != carbon })
}

func count(e mol.Element) func(*mol.Mol) float64 {
	return func(m *mol.Mol) float64 { return sum(m, func(i int) bool { return m.Atoms[i].Element == e }) }
}

func fractionCSP3(m *mol.Mol) float64 {
	carbons, sp3 := 0, 0
	for i := range m.Atoms {
		if m.Atoms[i].Element != carbon {
			continue
		}
		carbons++
		if m.Degree(i)+m.TotalHs(i) == 4 {
			sp3++
		}
	}
	if carbons == 0 {
		return 0
	}
	return float64(sp3) / float64(carbons)
}

func rings(m *mol.Mol) float64 { return float64(len(m.Rings())) }

func aromaticRings(m *mol.Mol) float64 {
	n := 0
	for _, r := range m.Rings() {
		all := true
		for _, b := range r.Bonds {
			all = all && m.Bonds[b].Aromatic
		}
		if all {
			n++
		}
	}
	return float64(n)
}

func aromaticAtoms(m *mol.Mol) float64 {
	return sum(m, func(i int) bool { return m.Atoms[i].Aromatic })
}

func ringAtoms(m *mol.Mol) float64 {
	return sum(m, func(i int) bool { return m.Atoms[i].Ring != 0 })
}

func degree(n int) func(*mol.Mol) float64 {
	return func(m *mol.Mol) float64 { return sum(m, func(i int) bool { return m.Degree(i) == n }) }
}

func charged(sign int8) func(*mol.Mol) float64 {
	return func(m *mol.Mol) float64 { return sum(m, func(i int) bool { return m.Atoms[i].Charge*sign > 0 }) }
}

func kind(k mol.BondKind) func(*mol.Mol) float64 {
	return func(m *mol.Mol) float64 {
		n := 0
		for i := range m.Bonds {
			if m.Bonds[i].Kind == k && !m.Bonds[i].Aromatic {
				n++
			}
		}
		return float64(n)
	}
}
