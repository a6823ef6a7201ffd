package smiles

import (
	"slices"

	"polyid-trainer/featurize/mol"
)

// chirality is the tag of a class before its order of neighbours is looked at.
func chirality(c Class) mol.Chirality {
	switch c {
	case Anticlockwise, Tetrahedral:
		return mol.Counterclockwise
	case Clockwise:
		return mol.Clockwise
	case Allene:
		return mol.Allene
	case SquarePlanar:
		return mol.SquarePlanar
	case TrigonalBipyramidal:
		return mol.TrigonalBipyramidal
	case Octahedral:
		return mol.Octahedral
	}
	return mol.Unspecified
}

// permutations is how many orders of neighbours a class tells apart.
func permutations(c Class) int {
	switch c {
	case Tetrahedral, Allene:
		return 2
	case SquarePlanar:
		return 3
	case TrigonalBipyramidal:
		return 20
	case Octahedral:
		return 30
	}
	return 0
}

// chiralAt is the entry of an atom, nil if it is not chiral.
func (b *builder) chiralAt(atom int32) *chiralAtom {
	if b.m.Atoms[atom].Chirality == mol.Unspecified {
		return nil
	}
	i, ok := slices.BinarySearchFunc(b.chiral, atom, func(c chiralAtom, atom int32) int { return int(c.atom - atom) })
	if !ok {
		return nil
	}
	return &b.chiral[i]
}

// afterBranch reports whether a ring number that comes after a branch of an
// atom written @ or @@ changes its handedness, as it moves one neighbour.
func (b *builder) afterBranch(c *chiralAtom) bool {
	if c.class != Anticlockwise && c.class != Clockwise || int(c.atom) == len(b.m.Atoms)-1 {
		return false
	}
	switch b.m.Degree(int(c.atom)) {
	case 1:
		return true
	case 2:
		return c.atom != 0
	case 3:
		return c.atom == 0
	}
	return false
}

// odd reports whether the handedness of a tetrahedral atom in the order of its
// bonds is the opposite of the one written.
func (b *builder) odd(c *chiralAtom) bool {
	i := c.atom
	a := &b.m.Atoms[i]
	nbrs := b.m.Neighbors(int(i))
	if len(nbrs) > maxLigands {
		return c.flip // no tetrahedron: Sanitize drops the tag
	}
	var written [maxLigands]int32
	order := written[:0]
	closures := b.closures(i)
	isClosure := func(bond int32) bool {
		return slices.ContainsFunc(closures, func(e ringEnd) bool { return e.bond == bond })
	}
	for _, nb := range nbrs {
		if nb.Atom < i && !isClosure(nb.Bond) {
			order = append(order, nb.Bond)
		}
	}
	for _, e := range closures {
		order = append(order, e.bond)
	}
	for _, nb := range nbrs {
		if nb.Atom > i && !isClosure(nb.Bond) {
			order = append(order, nb.Bond)
		}
	}
	odd := c.flip
	for k, x := range order {
		for _, y := range order[:k] {
			if x < y {
				odd = !odd
			}
		}
	}
	if len(nbrs) == 3 && (c.root && a.ExplicitHs == 1 ||
		a.ExplicitHs != 1 && len(closures) == 1 && !b.unsaturated(i)) {
		odd = !odd
	}
	return odd
}

// maxLigands is more neighbours than a tetrahedral atom has.
const maxLigands = 8

// closures lists the ring bonds of an atom in the order written.
func (b *builder) closures(atom int32) []ringEnd {
	if !b.byAtom {
		slices.SortStableFunc(b.rings, func(x, y ringEnd) int { return int(x.atom - y.atom) })
		b.byAtom = true
	}
	find := func(atom int32) int {
		i, _ := slices.BinarySearchFunc(b.rings, atom, func(e ringEnd, atom int32) int { return int(e.atom - atom) })
		return i
	}
	return b.rings[find(atom):find(atom+1)]
}

// unsaturated reports whether an atom has a bond of an order above one.
func (b *builder) unsaturated(atom int32) bool {
	for _, nb := range b.m.Neighbors(int(atom)) {
		switch b.m.Bonds[nb.Bond].Kind {
		case mol.Double, mol.Triple, mol.Quadruple, mol.AromaticBond:
			return true
		}
	}
	return false
}
