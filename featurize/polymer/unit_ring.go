package polymer

import (
	"polyid-trainer/featurize/mol"
)

// widestFusedRing is the largest ring, in bonds, that RDKit's aromaticity model
// looks at together with others.
const widestFusedRing = 24

// Ring links n units head to tail and the last to the first, so that no unit
// differs from another: the chain without ends. With n = 0 it takes the least
// number that leaves each unit as it is in an infinite chain, see MinRing.
//
// It returns an *Error with code RingTooSmall if n is so small that an atom
// would be bonded to itself or twice to another.
func (u *Unit) Ring(n int) (*mol.Mol, error) {
	if n < 0 {
		return nil, failure(InvalidDP, "a ring needs at least one unit, not %d", n)
	}
	if n == 0 {
		var err error
		if n, err = u.MinRing(); err != nil {
			return nil, err
		}
	}
	if least := u.simpleRing(); n < least {
		return nil, failure(RingTooSmall, "this repeat unit needs at least %d copies to close into a ring, not %d", least, n)
	}
	if err := checkSize(n, MaxAtoms/len(u.m.Atoms)); err != nil {
		return nil, err
	}
	return u.link(n, true).finish()
}

// simpleRing is the least number of units whose ring has no atom bonded to
// itself and no two atoms bonded twice.
func (u *Unit) simpleRing() int {
	switch u.backbone() {
	case 0:
		return 3
	case 1:
		return 2
	}
	return 1
}

// LeastRing is the least number of units of which a ring may be like an infinite
// chain; MinRing says whether it is.
func (u *Unit) LeastRing() int {
	return max(widestFusedRing/(u.backbone()+1)+1, u.simpleRing())
}

// MinRing is the number of units that Ring(0) takes: the least with which the
// ring of units is wider than RDKit's aromaticity model looks at together with
// other rings, and every atom and bond is as aromatic as in the middle of a
// chain. (A polyacetylene of 26 carbons is the reason for the second condition:
// it would count as an annulene.)
func (u *Unit) MinRing() (int, error) {
	middle, err := u.aromatic(u.link(3, false), 1)
	if err != nil {
		return 0, err
	}
	perUnit := u.backbone() + 1
	if err := checkSize(widestFusedRing/perUnit+4, MaxAtoms/len(u.m.Atoms)); err != nil {
		return 0, err
	}
	least := u.LeastRing()
	for n := least; n <= least+3; n++ {
		first, err := u.aromatic(u.link(n, true), 0)
		if err != nil {
			return 0, err
		}
		if first == middle {
			return n, nil
		}
	}
	return 0, failure(RingTooSmall, "no ring of %d to %d units leaves this repeat unit's aromaticity as it is in a chain", least, least+3)
}

// aromatic lists which atoms and bonds of one copy are aromatic.
func (u *Unit) aromatic(c *chain, copyIndex int) (string, error) {
	m := c.graph()
	if err := mol.Sanitize(m); err != nil {
		return "", err
	}
	atoms, bonds := len(u.m.Atoms)-2, len(u.m.Bonds)-2
	flags := make([]byte, 0, atoms+bonds)
	flag := func(aromatic bool) {
		if aromatic {
			flags = append(flags, 'a')
		} else {
			flags = append(flags, '-')
		}
	}
	for _, a := range m.Atoms[copyIndex*atoms : (copyIndex+1)*atoms] {
		flag(a.Aromatic)
	}
	for _, b := range m.Bonds[copyIndex*bonds : (copyIndex+1)*bonds] {
		flag(b.Aromatic)
	}
	return string(flags), nil
}
