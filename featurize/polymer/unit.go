package polymer

import (
	"slices"

	"polyid-trainer/featurize/mol"
	"polyid-trainer/featurize/smiles"
)

// Unit is a repeat unit: a molecule with two dummy atoms, each with one bond,
// that stand for the neighbouring units.
type Unit struct {
	m          *mol.Mol // Kekulé, with tags and geometries as written
	head, tail end
}

// end is where a unit is linked.
type end struct {
	dummy, atom, bond int32
}

// ReadUnit reads a repeat unit such as *CC(*)c1ccccc1. The ends may be written
// *, [*], [1*] or [*:1]; labels do not matter, since a chain linked head to
// tail is the same whichever end is the head. Both may be on one atom, and
// bonded by single, double or triple bonds as long as both are alike. Ends that
// the notation leaves open are an *Error with code InvalidUnit and a position.
func ReadUnit(s string) (*Unit, error) {
	m, err := smiles.Read(s)
	if err != nil {
		return nil, err
	}
	if err := m.Kekulize(); err != nil {
		return nil, err
	}
	smiles.FixGeometries(m)
	u := &Unit{m: m}
	ends := 0
	for i := range m.Atoms {
		if m.Atoms[i].Element != dummy {
			continue
		}
		if m.Degree(i) != 1 {
			return nil, u.invalid(i, "the * at position %d has %d bonds; an end has one", m.Atoms[i].Pos, m.Degree(i))
		}
		nb := m.Neighbors(i)[0]
		e := end{dummy: int32(i), atom: nb.Atom, bond: nb.Bond}
		if m.Atoms[nb.Atom].Element == dummy {
			return nil, u.invalid(i, "the ends of the repeat unit are bonded to each other")
		}
		switch ends {
		case 0:
			u.head = e
		case 1:
			u.tail = e
		default:
			return nil, u.invalid(i, "the repeat unit has %d *; it needs exactly two, where its neighbours join", u.dummies())
		}
		ends++
	}
	if ends < 2 {
		return nil, u.invalid(-1, "the repeat unit has %d *; it needs exactly two, where its neighbours join", ends)
	}
	return u, u.check()
}

// dummies is the number of * in the unit.
func (u *Unit) dummies() int {
	n := 0
	for i := range u.m.Atoms {
		if u.m.Atoms[i].Element == dummy {
			n++
		}
	}
	return n
}

// check refuses links that cannot be made.
func (u *Unit) check() error {
	head, tail := u.m.Bonds[u.head.bond].Kind, u.m.Bonds[u.tail.bond].Kind
	if head != tail {
		return u.invalid(int(u.tail.dummy), "the two * are held by bonds of different order")
	}
	switch head {
	case mol.Single, mol.Double, mol.Triple:
	default:
		return u.invalid(int(u.head.dummy), "a * is held by a bond that cannot link two units")
	}
	if u.backbone() < 0 {
		return u.invalid(int(u.tail.dummy), "the two * are in separate fragments")
	}
	return nil
}

func (u *Unit) invalid(atom int, format string, args ...any) *Error {
	e := failure(InvalidUnit, format, args...)
	if atom >= 0 {
		e.Pos = int(u.m.Atoms[atom].Pos)
	}
	return e
}

// backbone is the number of bonds from the first to the last atom of the unit
// on the shortest way, -1 if there is none.
func (u *Unit) backbone() int {
	distance := make([]int, len(u.m.Atoms))
	for i := range distance {
		distance[i] = -1
	}
	distance[u.head.atom] = 0
	for queue := []int32{u.head.atom}; len(queue) > 0; queue = queue[1:] {
		for _, nb := range u.m.Neighbors(int(queue[0])) {
			if distance[nb.Atom] < 0 {
				distance[nb.Atom] = distance[queue[0]] + 1
				queue = append(queue, nb.Atom)
			}
		}
	}
	return distance[u.tail.atom]
}

// HeavyAtoms is the number of atoms that a unit adds to a chain and that are no
// hydrogen; at least 1.
func (u *Unit) HeavyAtoms() int {
	n := 0
	for i := range u.m.Atoms {
		if u.m.Atoms[i].Element > 1 { // the ends are element 0
			n++
		}
	}
	return max(1, n)
}

// Chain links dp units head to tail, with hydrogens in place of the outermost
// two dummies. Stereochemistry is kept where it means something in the chain.
func (u *Unit) Chain(dp int) (*mol.Mol, error) {
	if dp < 1 {
		return nil, failure(InvalidDP, "a chain needs at least one unit, not %d", dp)
	}
	if err := checkSize(dp, MaxAtoms/len(u.m.Atoms)); err != nil {
		return nil, err
	}
	c := u.link(dp, false)
	return c.finish()
}

// copyOf is one copy of a unit in a chain.
type copyOf struct {
	u      *Unit
	offset int32 // its first atom
	bond   int32 // its first bond
	// what replaces the dummies, -1 for hydrogens
	head, tail int32
}

// link copies the unit n times and links the copies, the last to the first if
// closed.
func (u *Unit) link(n int, closed bool) *chain {
	c := new(chain)
	c.reserve(len(u.m.Atoms), len(u.m.Bonds), n)
	copies := make([]copyOf, n)
	for i := range copies {
		copies[i] = copyOf{u: u, bond: int32(len(c.bonds)), head: -1, tail: -1}
		copies[i].offset = c.add(u.m)
	}
	kind := u.m.Bonds[u.head.bond].Kind
	for i := range copies {
		next := i + 1
		if next == n {
			if !closed {
				break
			}
			next = 0
		}
		from, to := copies[i].offset+u.tail.atom, copies[next].offset+u.head.atom
		c.join(from, to, kind)
		copies[i].tail, copies[next].head = to, from
	}
	hydrogens := bondOrder(kind)
	for _, k := range copies {
		if k.head < 0 {
			c.giveHs(k.offset+u.head.atom, hydrogens)
		}
		if k.tail < 0 {
			c.giveHs(k.offset+u.tail.atom, hydrogens)
		}
		k.keepStereo(c)
		c.gone[k.offset+u.head.dummy], c.gone[k.offset+u.tail.dummy] = true, true
	}
	return c
}

func bondOrder(k mol.BondKind) int { return int(k-mol.Single) + 1 }

// replacement is what stands in the chain for an atom of the unit, -1 for a
// hydrogen.
func (k *copyOf) replacement(atom int32) int32 {
	switch atom {
	case k.u.head.dummy:
		return k.head
	case k.u.tail.dummy:
		return k.tail
	}
	return k.offset + atom
}

// keepStereo makes tags and geometries that refer to the dummies refer to what
// replaces them.
func (k *copyOf) keepStereo(c *chain) {
	m := k.u.m
	ends := []int32{k.u.head.atom, k.u.tail.atom}
	for _, i := range slices.Compact(ends) {
		if m.Atoms[i].Chirality == mol.Unspecified {
			continue
		}
		t := turned{atom: k.offset + i}
		for _, nb := range m.Neighbors(int(i)) {
			t.order = append(t.order, k.replacement(nb.Atom))
		}
		if m.TotalHs(int(i)) > 0 {
			t.order = append(t.order, -1)
		}
		c.turns = append(c.turns, t)
	}
	for i := range m.Bonds {
		b := &c.bonds[int(k.bond)+i]
		if b.Stereo <= mol.StereoAny {
			continue
		}
		for side, atom := range m.Bonds[i].StereoAtom {
			if m.Atoms[atom].Element == dummy {
				k.refer(b, i, side)
			}
		}
	}
}

// refer makes the geometry of b, a copy of bond i of the unit, refer to what
// replaces the dummy on that side: an atom of the next unit, or if that is a
// hydrogen the other neighbour, or nothing.
func (k *copyOf) refer(b *mol.Bond, i, side int) {
	old := k.u.m.Bonds[i]
	was := old.StereoAtom[side]
	if r := k.replacement(was); r >= 0 {
		b.StereoAtom[side] = r
		return
	}
	at, across := old.Begin, old.End
	if side == 1 {
		at, across = across, at
	}
	for _, nb := range k.u.m.Neighbors(int(at)) {
		if nb.Atom == across || nb.Atom == was {
			continue
		}
		if r := k.replacement(nb.Atom); r >= 0 {
			b.StereoAtom[side] = r
			b.Stereo = otherSide(b.Stereo)
			return
		}
	}
	b.Stereo = mol.StereoNone
}

// otherSide is the geometry with respect to the other neighbour of one end. It
// no longer follows the ranks that Z and E stand for.
func otherSide(s mol.BondStereo) mol.BondStereo {
	if s == mol.StereoZ || s == mol.StereoCis {
		return mol.StereoTrans
	}
	return mol.StereoCis
}
