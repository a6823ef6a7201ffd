package structure

import (
	"errors"
	"fmt"

	"polyid-trainer/featurize/mol"
	"polyid-trainer/featurize/smiles"
)

// Occlusion makes structures in which heavy atoms are replaced by saturated carbon:
// what an atom contributes to a prediction is what that changes. Every structure
// it makes is a molecule of its own, so that any kind of model can be asked about
// it; a saturated carbon replaces itself, and contributes nothing. Atoms of an
// aromatic system are one part: none can be replaced without breaking the others.
type Occlusion struct {
	m     *mol.Mol // Kekulé
	heavy []int32  // atoms that are shown: all but hydrogens
	parts [][]int  // places in heavy
}

// NewOcclusion reads a SMILES of a chain or repeat unit.
func NewOcclusion(text string) (*Occlusion, error) {
	m, err := smiles.Read(text)
	if err != nil {
		return nil, Describe(err)
	}
	system := aromaticSystems(m)
	if err := m.Kekulize(); err != nil {
		return nil, Describe(err)
	}
	o := &Occlusion{m: m}
	of := map[int32]int{} // part of each aromatic system
	for i := range m.Atoms {
		if m.Atoms[i].Element == 1 {
			continue
		}
		place := len(o.heavy)
		o.heavy = append(o.heavy, int32(i))
		if s := system[i]; s >= 0 && m.Atoms[i].Element != 0 {
			if _, begun := of[s]; !begun {
				of[s] = len(o.parts)
				o.parts = append(o.parts, nil)
			}
			o.parts[of[s]] = append(o.parts[of[s]], place)
		} else if !o.fixed(int32(i)) {
			o.parts = append(o.parts, []int{place})
		}
	}
	return o, nil
}

// aromaticSystems numbers the atoms that aromatic bonds connect by the first of them;
// -1 is none.
func aromaticSystems(m *mol.Mol) []int32 {
	system := make([]int32, len(m.Atoms))
	for i := range system {
		system[i] = -1
	}
	for i := range m.Atoms {
		if system[i] >= 0 || !m.Atoms[i].Aromatic {
			continue
		}
		system[i] = int32(i)
		for queue := []int32{int32(i)}; len(queue) > 0; queue = queue[1:] {
			for _, nb := range m.Neighbors(int(queue[0])) {
				if m.Bonds[nb.Bond].Aromatic && system[nb.Atom] < 0 {
					system[nb.Atom] = int32(i)
					queue = append(queue, nb.Atom)
				}
			}
		}
	}
	return system
}

// Atoms is the number of heavy atoms and *, in the order of the SMILES.
func (o *Occlusion) Atoms() int { return len(o.heavy) }

// Parts are what can be replaced: an atom, or the atoms of an aromatic system, by
// their places among Atoms.
func (o *Occlusion) Parts() [][]int { return o.parts }

// fixed reports whether an atom stays what it is: a *, or a carbon that is saturated
// already, or an atom that carbon has too few bonds for.
func (o *Occlusion) fixed(at int32) bool {
	a := &o.m.Atoms[at]
	if a.Element == 0 || o.m.Degree(int(at)) > 4 {
		return true
	}
	if a.Element != 6 || a.Charge != 0 || a.Radicals != 0 || a.Isotope != 0 {
		return false
	}
	for _, nb := range o.m.Neighbors(int(at)) {
		if o.m.Atoms[nb.Atom].Element != 0 && o.order(nb.Bond, nil) != 1 {
			return false
		}
	}
	return true
}

// Without is the structure with one part replaced.
func (o *Occlusion) Without(part int) (string, error) { return o.write(o.parts[part : part+1]) }

// Skeleton is the structure with every part replaced.
func (o *Occlusion) Skeleton() (string, error) { return o.write(o.parts) }

// order is a bond's order with some atoms replaced, whose bonds are single. Bonds to
// * keep theirs: both ends of a unit must be alike.
func (o *Occlusion) order(bond int32, replaced []bool) int {
	b := &o.m.Bonds[bond]
	ends := o.m.Atoms[b.Begin].Element != 0 && o.m.Atoms[b.End].Element != 0
	if replaced != nil && ends && (replaced[b.Begin] || replaced[b.End]) {
		return 1
	}
	switch b.Kind {
	case mol.Double:
		return 2
	case mol.Triple:
		return 3
	case mol.Quadruple:
		return 4
	}
	return 1
}

// write builds the molecule, and its SMILES without stereo around what changed.
func (o *Occlusion) write(parts [][]int) (string, error) {
	replaced := make([]bool, len(o.m.Atoms))
	for _, part := range parts {
		for _, place := range part {
			replaced[o.heavy[place]] = true
		}
	}
	out := mol.New(len(o.m.Atoms), len(o.m.Bonds))
	lost := make([]int, len(o.m.Atoms)) // bond orders that hydrogens take the place of
	touched := make([]bool, len(o.m.Atoms))
	for b := range o.m.Bonds {
		bond := &o.m.Bonds[b]
		if !replaced[bond.Begin] && !replaced[bond.End] {
			continue
		}
		gone := o.order(int32(b), nil) - o.order(int32(b), replaced)
		lost[bond.Begin], lost[bond.End] = lost[bond.Begin]+gone, lost[bond.End]+gone
		touched[bond.Begin], touched[bond.End] = true, true
	}
	for i := range o.m.Atoms {
		a := o.m.Atoms[i]
		fresh := mol.Atom{Element: a.Element, Charge: a.Charge, Isotope: a.Isotope, NoImplicit: a.NoImplicit, ExplicitHs: a.ExplicitHs}
		switch {
		case replaced[i]:
			fresh = mol.Atom{Element: 6}
		case a.NoImplicit:
			fresh.ExplicitHs += uint8(lost[i])
		}
		if !touched[i] && !replaced[i] {
			fresh.Chirality = a.Chirality
		}
		out.AddAtom(fresh)
	}
	for b := range o.m.Bonds {
		bond := o.m.Bonds[b]
		fresh := mol.Bond{Begin: bond.Begin, End: bond.End, Kind: bond.Kind}
		if replaced[bond.Begin] || replaced[bond.End] {
			fresh.Kind = [...]mol.BondKind{mol.Single, mol.Single, mol.Double, mol.Triple, mol.Quadruple}[o.order(int32(b), replaced)]
		}
		if !touched[bond.Begin] && !touched[bond.End] {
			fresh.Stereo, fresh.StereoAtom = bond.Stereo, bond.StereoAtom
		}
		out.AddBond(fresh)
	}
	if err := mol.Sanitize(out); err != nil {
		return "", fmt.Errorf("occlude: %w", err)
	}
	text := smiles.Write(out)
	if text == "" {
		return "", errors.New("occlude: nothing is left")
	}
	return text, nil
}
