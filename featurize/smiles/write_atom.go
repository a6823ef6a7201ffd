package smiles

import (
	"strconv"

	"polyid-trainer/featurize/mol"
)

// atomText writes atom i: bare if the reader would give it the hydrogens it
// has, in brackets otherwise.
//
//	atom    = organic / aromatic organic / "*" / bracket
//	bracket = "[" isotope? symbol chirality? hydrogens? charge? map? "]"
func (w *writer) atomText(i int32, tag mol.Chirality) {
	a := &w.m.Atoms[i]
	if tag == mol.Unspecified && w.bare(i) {
		w.symbol(a)
		return
	}
	w.buf = append(w.buf, '[')
	if a.Isotope > 0 {
		w.buf = strconv.AppendUint(w.buf, uint64(a.Isotope), 10)
	}
	w.symbol(a)
	switch tag {
	case mol.Counterclockwise:
		w.buf = append(w.buf, '@')
	case mol.Clockwise:
		w.buf = append(w.buf, '@', '@')
	}
	if h := totalHs(a); h > 0 {
		w.buf = append(w.buf, 'H')
		if h > 1 {
			w.buf = strconv.AppendInt(w.buf, int64(h), 10)
		}
	}
	if a.Charge != 0 {
		w.charge(int(a.Charge))
	}
	if a.Map > 0 {
		w.buf = strconv.AppendInt(append(w.buf, ':'), int64(a.Map), 10)
	}
	w.buf = append(w.buf, ']')
}

// charge writes + - +2 -2.
func (w *writer) charge(c int) {
	if c > 0 {
		w.buf = append(w.buf, '+')
	} else {
		w.buf, c = append(w.buf, '-'), -c
	}
	if c > 1 {
		w.buf = strconv.AppendInt(w.buf, int64(c), 10)
	}
}

// symbol writes the element, lower case if the atom is aromatic.
func (w *writer) symbol(a *mol.Atom) {
	s := a.Element.Symbol()
	if !writtenAromatic(a) {
		w.buf = append(w.buf, s...)
		return
	}
	w.buf = append(w.buf, s[0]|0x20)
	w.buf = append(w.buf, s[1:]...)
}

// totalHs is the number of hydrogens of a that are not atoms of their own.
func totalHs(a *mol.Atom) int { return int(a.ExplicitHs) + int(a.ImplicitHs) }

// bare reports whether atom i can do without brackets.
func (w *writer) bare(i int32) bool {
	a := &w.m.Atoms[i]
	if !organic(a) || a.Isotope != 0 || a.Charge != 0 || a.Map != 0 || a.Radicals != 0 {
		return false
	}
	return !a.NoImplicit && a.ExplicitHs == 0 || totalHs(a) == bareHs(w.m, i)
}

// organic reports whether a is of the elements that need no brackets.
func organic(a *mol.Atom) bool {
	switch a.Element {
	case 5, 6, 7, 8, 15, 16: // B C N O P S, upper and lower case
		return true
	case 0, 9, 17, 35, 53: // * F Cl Br I
		return !writtenAromatic(a)
	}
	return false
}

// writtenAromatic reports whether a is written lower case: if it is aromatic
// and of the elements that have such a symbol.
func writtenAromatic(a *mol.Atom) bool {
	if !a.Aromatic {
		return false
	}
	switch a.Element {
	case 5, 6, 7, 8, 14, 15, 16, 33, 34, 52: // b c n o si p s as se te
		return true
	}
	return false
}

// bareHs is the number of hydrogens the reader gives atom i if it has no
// brackets: up to the lowest valence its bonds fit into, -1 if they fit in none.
func bareHs(m *mol.Mol, i int32) int {
	a := &m.Atoms[i]
	halves := 0 // twice the sum of bond orders
	for _, nb := range m.Neighbors(int(i)) {
		switch b := &m.Bonds[nb.Bond]; b.Kind {
		case mol.Single:
			halves += 2
		case mol.Double:
			halves += 4
		case mol.Triple:
			halves += 6
		case mol.Quadruple:
			halves += 8
		case mol.AromaticBond:
			halves += 3
		case mol.Dative:
			if b.End == i {
				halves += 2
			}
		}
	}
	valences := a.Element.Valences()
	if writtenAromatic(a) {
		return max(0, int(valences[0])-(halves+1)/2)
	}
	for _, v := range valences {
		if 2*int(v) >= halves || v < 0 {
			return max(0, int(v)-(halves+1)/2)
		}
	}
	return -1
}
