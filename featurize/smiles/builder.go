package smiles

import (
	"cmp"
	"fmt"
	"slices"

	"polyid-trainer/featurize/mol"
)

// builder is the Follower that builds a molecule.
type builder struct {
	m       *mol.Mol
	current int32
	stack   []int32 // atoms remembered
	rings   []ringEnd
	byAtom  bool // rings are sorted by atom, no longer as written
	chiral  []chiralAtom

	// noElement is the position of the first number of an element there is not.
	noElement int
}

// ringEnd is one use of a ring bond's number.
type ringEnd struct {
	Bond
	number, atom, pos int32
	bond              int32 // the bond's index, once closed
}

// chiralAtom is an atom whose chirality tag is still to be assigned.
type chiralAtom struct {
	atom  int32
	class Class
	order int
	root  bool // it begins a fragment
	pos   int
	// flip is what ring numbers after branches change.
	flip bool
}

func newBuilder(s string) *builder {
	// Few letters are no atoms, and few digits no ends of rings.
	atoms, digits := 0, 0
	for i := range len(s) {
		switch c := s[i]; {
		case c|0x20 >= 'a' && c|0x20 <= 'z' || c == '*':
			atoms++
		case c >= '0' && c <= '9':
			digits++
		}
	}
	atoms, digits = min(atoms, MaxSize), min(digits, MaxSize)
	return &builder{m: mol.New(atoms, atoms+digits/2), rings: make([]ringEnd, 0, digits)}
}

// Root begins a fragment.
func (b *builder) Root(a Atom) { b.add(a, true) }

// Extend bonds an atom to the current one.
func (b *builder) Extend(bond Bond, a Atom) {
	from := b.current
	to := b.add(a, false)
	nb := mol.Bond{Begin: from, End: to, Kind: bond.Kind, Direction: bond.Direction}
	switch {
	case bond.Backward:
		nb.Begin, nb.End = to, from
	case bond.Kind == mol.Unset:
		nb.Kind = b.implied(from, to)
	}
	nb.Aromatic = nb.Kind == mol.AromaticBond
	b.m.AddBond(nb)
}

// implied is the kind of a bond that is not written.
func (b *builder) implied(i, j int32) mol.BondKind {
	if b.m.Atoms[i].Aromatic && b.m.Atoms[j].Aromatic {
		return mol.AromaticBond
	}
	return mol.Single
}

// add appends an atom and makes it the current one. Numbers out of range wrap
// around as RDKit's do.
func (b *builder) add(a Atom, root bool) int32 {
	if e := a.Element & 0xff; e > int(mol.MaxElement) && b.noElement == 0 {
		b.noElement = a.ElementPos
		a.Element = 0
	}
	i := int32(b.m.AddAtom(mol.Atom{
		Element:    mol.Element(a.Element),
		Charge:     int8(a.Charge),
		Isotope:    uint16(a.Isotope),
		Map:        int32(a.Map),
		ExplicitHs: uint8(a.Hydrogens),
		NoImplicit: a.Bracket,
		Aromatic:   a.Aromatic,
		Chirality:  chirality(a.Class),
		Pos:        int32(a.Pos),
	}))
	if a.Class != NoClass {
		b.chiral = append(b.chiral, chiralAtom{atom: i, class: a.Class, order: a.Order, root: root, pos: a.ClassPos})
	}
	b.current = i
	return i
}

// Ring opens or closes a ring bond.
func (b *builder) Ring(bond Bond, number, pos int) {
	b.rings = append(b.rings, ringEnd{Bond: bond, number: int32(number), atom: b.current, pos: int32(pos)})
	if c := b.chiralAt(b.current); c != nil {
		c.flip = c.flip != b.afterBranch(c)
	}
}

// Push remembers the current atom.
func (b *builder) Push() { b.stack = append(b.stack, b.current) }

// Pop returns to the atom last remembered.
func (b *builder) Pop() {
	b.current = b.stack[len(b.stack)-1]
	b.stack = b.stack[:len(b.stack)-1]
}

// finish closes the rings and assigns chirality.
func (b *builder) finish() (*mol.Mol, error) {
	if err := b.closeRings(); err != nil {
		return nil, err
	}
	if err := b.assignChirality(); err != nil {
		return nil, err
	}
	if b.noElement != 0 {
		return nil, &SyntaxError{Pos: b.noElement, Msg: "there is no element of that number"}
	}
	return b.m, nil
}

// closeRings bonds the atoms that ring numbers pair up, number by number, and
// of one number pair by pair as written.
func (b *builder) closeRings() error {
	if len(b.rings) == 0 {
		return nil
	}
	order := make([]*ringEnd, len(b.rings))
	for i := range b.rings {
		order[i] = &b.rings[i]
	}
	slices.SortStableFunc(order, func(x, y *ringEnd) int { return cmp.Compare(x.number, y.number) })
	for i := 0; i < len(order); i += 2 {
		first := order[i]
		if i+1 == len(order) || order[i+1].number != first.number {
			return &SyntaxError{Pos: int(first.pos), Msg: "ring is never closed"}
		}
		if err := b.closeRing(first, order[i+1]); err != nil {
			return err
		}
	}
	return nil
}

func (b *builder) closeRing(first, second *ringEnd) error {
	switch {
	case first.atom == second.atom:
		return &SyntaxError{Pos: int(second.pos), Msg: "ring bonds an atom to itself"}
	case b.m.BondBetween(int(first.atom), int(second.atom)) >= 0:
		return &SyntaxError{Pos: int(second.pos), Msg: "ring bonds atoms that are bonded already"}
	}
	// What the first end says comes before what the second says. The bond begins
	// at the end that says it.
	from, to := first, second
	if first.Kind == mol.Unset {
		from, to = second, first
	}
	bond := mol.Bond{Begin: from.atom, End: to.atom, Kind: from.Kind, Direction: from.Direction}
	if bond.Direction == mol.NoDirection {
		bond.Direction = to.Direction.Inverse()
	}
	if from.Backward {
		bond.Begin, bond.End = to.atom, from.atom
		if from.Direction == mol.NoDirection {
			bond.Direction = to.Direction
		}
	}
	if bond.Kind == mol.Unset || bond.Kind == mol.Any {
		bond.Kind = b.implied(from.atom, to.atom)
	}
	bond.Aromatic = bond.Kind == mol.AromaticBond
	i := int32(b.m.AddBond(bond))
	first.bond, second.bond = i, i
	return nil
}

// assignChirality refuses permutations that a class does not have and turns the
// others into tags relative to the order of bonds.
func (b *builder) assignChirality() error {
	for i := range b.chiral {
		c := &b.chiral[i]
		if limit := permutations(c.class); c.order > limit {
			return &SyntaxError{Pos: c.pos, Msg: fmt.Sprintf("chirality has %d permutations only", limit)}
		}
	}
	for i := range b.chiral {
		c := &b.chiral[i]
		a := &b.m.Atoms[c.atom]
		switch a.Chirality {
		case mol.Clockwise, mol.Counterclockwise:
			if c.class == Tetrahedral && c.order == 2 {
				a.Chirality = mol.Clockwise
			}
			if b.odd(c) {
				a.Chirality = a.Chirality.Inverse()
			}
		}
	}
	return nil
}
