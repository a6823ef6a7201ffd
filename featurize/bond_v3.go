package featurize

import "polyid-trainer/featurize/mol"

// bondFeaturesV3 is nfp's bond_features_v3: type, conjugation, stereo, ring
// size, the symbol of the bond's end, and atom_features_v1 of the atom the
// directed bond leaves and of the one it reaches. It needs mol.AssignStereo.
//
// The symbol is that of RDKit's end atom in both directions, and nfp calls a
// bond flipped when it leaves that atom.
func bondFeaturesV3(dst []byte, m *mol.Mol, bond, from int) []byte {
	b := &m.Bonds[bond]
	start, end := int(b.Begin), int(b.End)
	if from == end {
		start, end = end, start
	}
	dst = appendBondStereo(append(dst, '('), b)
	dst = append(dst, ", '"...)
	dst = append(dst, m.Atoms[b.End].Element.Symbol()...)
	// Strings within a tuple show quoted, and these contain single quotes.
	dst = append(dst, `', "`...)
	dst = atomFeaturesV1(dst, m, start)
	dst = append(dst, `", "`...)
	dst = atomFeaturesV1(dst, m, end)
	return append(dst, `")`...)
}
