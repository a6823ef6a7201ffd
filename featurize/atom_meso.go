package featurize

import "polyid-trainer/featurize/mol"

// atomFeaturesMeso is PolyID's atom_features_meso: atom_features_v1 with the
// chiral tag and, for the stereocentres along the chain of a polyhydroxy-
// alkanoate, whether the diads to the left and to the right are meso (1),
// racemic (0) or absent (2). It needs mol.AssignStereo before and
// mol.AssignDiads after hydrogens are added.
func atomFeaturesMeso(dst []byte, m *mol.Mol, atom int) []byte {
	a := &m.Atoms[atom]
	dst = append(appendAtomV1(append(dst, '('), m, atom), ", "...)
	dst = append(dst, chiralTag[a.Chirality]...)
	dst = append(dst, ", ["...)
	dst = append(dst, diad[a.Diads[0]]...)
	dst = append(dst, ", "...)
	dst = append(dst, diad[a.Diads[1]]...)
	return append(dst, "])"...)
}

// diad is how PolyID numbers diads.
var diad = [...]string{mol.NoDiad: "2", mol.Racemic: "0", mol.Meso: "1"}
