package polymer

import (
	"fmt"
	"slices"

	"polyid-trainer/featurize/mol"
	"polyid-trainer/featurize/smiles"
)

// chain is a molecule under construction: copies of monomers, with bonds that
// join them and atoms that left.
type chain struct {
	atoms []mol.Atom
	bonds []mol.Bond
	gone  []bool   // atoms that left
	cut   []bool   // bonds that were broken
	turns []turned // centres to be given their tag again
}

// turned is a stereocentre whose bonds no longer are in the order its tag
// refers to.
type turned struct {
	atom  int32
	order []int32 // its neighbours in that order, -1 for a hydrogen
}

// reserve makes room for n copies of a monomer of that size.
func (c *chain) reserve(atoms, bonds, n int) {
	c.atoms, c.gone = slices.Grow(c.atoms, n*atoms), slices.Grow(c.gone, n*atoms)
	c.bonds, c.cut = slices.Grow(c.bonds, n*(bonds+2)), slices.Grow(c.cut, n*(bonds+2))
}

// add copies m into the chain and returns the index of its first atom.
func (c *chain) add(m *mol.Mol) int32 {
	offset := int32(len(c.atoms))
	c.atoms = append(c.atoms, m.Atoms...)
	for i := range c.atoms[offset:] {
		c.atoms[int(offset)+i].Pos = 0
	}
	c.gone = append(c.gone, make([]bool, len(m.Atoms))...)
	for _, b := range m.Bonds {
		b.Begin, b.End = b.Begin+offset, b.End+offset
		b.StereoAtom[0] += offset
		b.StereoAtom[1] += offset
		c.bonds = append(c.bonds, b)
	}
	c.cut = append(c.cut, make([]bool, len(m.Bonds))...)
	return offset
}

// join bonds two atoms.
func (c *chain) join(a, b int32, kind mol.BondKind) {
	c.bonds = append(c.bonds, mol.Bond{Begin: a, End: b, Kind: kind})
	c.cut = append(c.cut, false)
}

// giveHs puts n hydrogens on atom a. Atoms whose hydrogens follow from their
// bonds get them by themselves.
func (c *chain) giveHs(a int32, n int) {
	if c.atoms[a].NoImplicit {
		c.atoms[a].ExplicitHs += uint8(n)
	}
}

// takeHs takes n hydrogens off atom a, likewise.
func (c *chain) takeHs(a int32, n int) {
	if c.atoms[a].NoImplicit {
		c.atoms[a].ExplicitHs -= uint8(n)
	}
}

// saturate makes bond b, a double bond, single.
func (c *chain) saturate(b int32) {
	c.bonds[b].Kind, c.bonds[b].Stereo = mol.Single, mol.StereoNone
}

// graph is the molecule built so far, not yet perceived. Atoms keep their order.
func (c *chain) graph() *mol.Mol {
	m := mol.New(len(c.atoms), len(c.bonds))
	index := make([]int32, len(c.atoms))
	for i := range c.atoms {
		if !c.gone[i] {
			index[i] = int32(m.AddAtom(c.atoms[i]))
		}
	}
	for i, b := range c.bonds {
		if c.cut[i] || c.gone[b.Begin] || c.gone[b.End] {
			continue
		}
		if b.Stereo != mol.StereoNone && (c.gone[b.StereoAtom[0]] || c.gone[b.StereoAtom[1]]) {
			b.Stereo = mol.StereoNone
		}
		b.Begin, b.End = index[b.Begin], index[b.End]
		if b.Stereo != mol.StereoNone {
			b.StereoAtom[0], b.StereoAtom[1] = index[b.StereoAtom[0]], index[b.StereoAtom[1]]
		}
		m.AddBond(b)
	}
	for _, t := range c.turns {
		for k, a := range t.order {
			if a >= 0 {
				t.order[k] = index[a]
			}
		}
		retag(m, index[t.atom], t.order)
	}
	return m
}

// retag makes the tag of atom i, which refers to its neighbours in that order,
// refer to the order of its bonds.
func retag(m *mol.Mol, i int32, order []int32) {
	nbrs := m.Neighbors(int(i))
	place := func(atom int32) int {
		at := slices.IndexFunc(nbrs, func(nb mol.Neighbor) bool { return nb.Atom == atom })
		if at < 0 {
			return len(nbrs) // a hydrogen comes last
		}
		return at
	}
	odd, hydrogens := false, 0
	for x := range order {
		if order[x] < 0 {
			hydrogens++
		}
		for y := range x {
			if place(order[y]) > place(order[x]) {
				odd = !odd
			}
		}
	}
	a := &m.Atoms[i]
	switch {
	case hydrogens > 1:
		a.Chirality = mol.Unspecified
	case odd:
		a.Chirality = a.Chirality.Inverse()
	}
}

// bondBetween is the index of the bond between two atoms, looked for from the
// last one on, as chains are joined at their end.
func (c *chain) bondBetween(a, b int32) int32 {
	for i, bond := range slices.Backward(c.bonds) {
		if !c.cut[i] && (bond.Begin == a && bond.End == b || bond.Begin == b && bond.End == a) {
			return int32(i)
		}
	}
	return -1
}

// cutBond breaks the bond between two atoms.
func (c *chain) cutBond(a, b int32) { c.cut[c.bondBetween(a, b)] = true }

// smiles writes the chain as it stands.
func (c *chain) smiles() string { return smiles.Write(c.graph()) }

// finish perceives the chain: it is written and read again.
func (c *chain) finish() (*mol.Mol, error) {
	m, err := perceive(c.smiles())
	if err != nil {
		return nil, fmt.Errorf("read the assembled chain: %w", err)
	}
	return m, nil
}
