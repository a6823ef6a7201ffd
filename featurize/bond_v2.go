package featurize

import "polyid-trainer/featurize/mol"

// bondFeaturesV2 is nfp's bond_features_v2: type, conjugation, stereo, ring
// size and sorted symbols of the atoms. It needs mol.AssignStereo.
func bondFeaturesV2(dst []byte, m *mol.Mol, bond, _ int) []byte {
	b := &m.Bonds[bond]
	dst = append(appendBondStereo(append(dst, '('), b), ", "...)
	return append(appendSymbols(dst, m, b), ')')
}

// appendBondStereo appends what bond features of versions 2 and 3 begin with.
func appendBondStereo(dst []byte, b *mol.Bond) []byte {
	dst = append(dst, bondType[b.Kind]...)
	dst = appendBool(dst, b.Conjugated)
	dst = append(dst, ", "...)
	dst = append(dst, bondStereo[b.Stereo]...)
	dst = append(dst, ", "...)
	return appendRingSize(dst, b.Ring)
}
