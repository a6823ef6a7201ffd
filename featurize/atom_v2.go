package featurize

import "polyid-trainer/featurize/mol"

// atomFeaturesV2 is nfp's atom_features_v2: chiral tag, degree, explicit
// valence, charge, hybridization, implicit valence, aromaticity, no-implicit
// flag, explicit and implicit hydrogens, radical electrons, symbol, total
// degree, total hydrogens, total valence and ring size.
//
// It needs mol.AssignStereo, and is meant for molecules with their hydrogens
// added, as nfp calls it.
func atomFeaturesV2(dst []byte, m *mol.Mol, atom int) []byte {
	a := &m.Atoms[atom]
	degree, valence := m.Degree(atom), m.ExplicitValence(atom)
	explicit, implicit := int(a.ExplicitHs), int(a.ImplicitHs)

	dst = append(dst, '(')
	dst = append(dst, chiralTag[a.Chirality]...)
	dst = appendInt(dst, degree)
	dst = appendInt(dst, valence)
	dst = appendInt(dst, int(a.Charge))
	dst = append(dst, ", "...)
	dst = append(dst, hybridization[a.Hybridization]...)
	dst = appendInt(dst, implicit)
	dst = appendBool(dst, a.Aromatic)
	dst = appendBool(dst, a.NoImplicit)
	dst = appendInt(dst, explicit)
	dst = appendInt(dst, implicit)
	dst = appendInt(dst, int(a.Radicals))
	dst = append(dst, ", '"...)
	dst = append(dst, a.Element.Symbol()...)
	dst = append(dst, '\'')
	dst = appendInt(dst, degree+explicit+implicit)
	dst = appendInt(dst, explicit+implicit)
	dst = appendInt(dst, valence+implicit)
	dst = append(dst, ", "...)
	dst = appendRingSize(dst, a.Ring)
	return append(dst, ')')
}
