package smiles

import "polyid-trainer/featurize/mol"

// FixGeometries turns the / and \ of a molecule as Read leaves it into cis and
// trans on the double bonds between them (Bond.Stereo and StereoAtom), whether
// or not these are stereogenic. It is for graphs that are taken apart, where
// what a mark is relative to would be lost; otherwise mol.AssignStereo decides
// which marks mean anything.
func FixGeometries(m *mol.Mol) {
	for i := range m.Bonds {
		if b := &m.Bonds[i]; b.Kind == mol.Double && b.Stereo <= mol.StereoAny {
			if stereo, atoms := written(m, b); stereo != mol.StereoNone {
				b.Stereo, b.StereoAtom = stereo, atoms
			}
		}
	}
	for i := range m.Bonds {
		m.Bonds[i].Direction = mol.NoDirection
	}
}

// written is the geometry that the marks next to double bond b say, and the
// atoms that they put on the same side or on opposite sides.
func written(m *mol.Mol, b *mol.Bond) (mol.BondStereo, [2]int32) {
	var atoms [2]int32
	var above [2]bool
	for side, end := range [...]int32{b.Begin, b.End} {
		atoms[side] = -1
		for _, nb := range m.Neighbors(int(end)) {
			s := &m.Bonds[nb.Bond]
			if s.Direction == mol.NoDirection || s == b {
				continue
			}
			atoms[side] = nb.Atom
			above[side] = (s.Direction == mol.Up) == (s.Begin == end)
			break
		}
		if atoms[side] < 0 {
			return mol.StereoNone, atoms
		}
	}
	if above[0] == above[1] {
		return mol.StereoCis, atoms
	}
	return mol.StereoTrans, atoms
}
