package smiles

import (
	"slices"

	"polyid-trainer/featurize/mol"
)

// chirality is the tag of atom i as it must be written: m's refers to the order
// of the atom's bonds, with a hydrogen or lone pair last, the written one to that
// of w.seen, its neighbours in the order they are written.
func (w *writer) chirality(i int32, first bool, ringBonds int) mol.Chirality {
	a := &w.m.Atoms[i]
	if a.Chirality != mol.Clockwise && a.Chirality != mol.Counterclockwise {
		return mol.Unspecified
	}
	nbrs := w.m.Neighbors(int(i))
	place := func(written int32) int {
		return slices.IndexFunc(nbrs, func(nb mol.Neighbor) bool { return nb.Atom == written })
	}
	odd := false
	for x := range w.seen {
		for y := range x {
			if place(w.seen[y]) > place(w.seen[x]) {
				odd = !odd
			}
		}
	}
	// With three neighbours the place of what is missing counts.
	switch {
	case len(nbrs) != 3:
	case totalHs(a) == 1:
		// A hydrogen is written after the atom before, from where it may as well
		// be last; but it is first if there is none.
		odd = odd != first
	case ringBonds == 1 && !w.unsaturated(i):
		// The reader takes the lone pair of C[S@]1CCO1 to follow the ring bond.
		odd = !odd
	}
	if !odd {
		return a.Chirality
	}
	return a.Chirality.Inverse()
}

// unsaturated reports whether atom i has a bond of an order above one.
func (w *writer) unsaturated(i int32) bool {
	for _, nb := range w.m.Neighbors(int(i)) {
		switch w.m.Bonds[nb.Bond].Kind {
		case mol.Double, mol.Triple, mol.Quadruple, mol.AromaticBond:
			return true
		}
	}
	return false
}
