package featurize

import (
	"strconv"

	"polyid-trainer/featurize/mol"
)

// AtomFunc appends the feature string of an atom to dst. The molecule is
// sanitized and has its hydrogens added.
type AtomFunc func(dst []byte, m *mol.Mol, atom int) []byte

// AtomFeature looks up an atom feature function by PolyID's name for it.
func AtomFeature(name string) (AtomFunc, bool) {
	for _, f := range atomFeatures {
		if f.name == name {
			return f.f, true
		}
	}
	return nil, false
}

// AtomFeatures lists the names of the atom feature functions.
func AtomFeatures() []string {
	var names []string
	for _, f := range atomFeatures {
		names = append(names, f.name)
	}
	return names
}

var atomFeatures = [...]struct {
	name string
	f    AtomFunc
}{
	{"atom_features_v1", atomFeaturesV1},
	{"atom_features_v2", atomFeaturesV2},
	{"atom_features_meso", atomFeaturesMeso},
}

// atomFeaturesV1 is nfp's atom_features_v1: symbol, degree, hydrogens that are
// no atoms of their own, implicit valence and aromaticity. With all hydrogens
// added the third and fourth are 0 but for oddities.
func atomFeaturesV1(dst []byte, m *mol.Mol, atom int) []byte {
	return append(appendAtomV1(append(dst, '('), m, atom), ')')
}

// appendAtomV1 appends the elements of the tuple that is atom_features_v1.
func appendAtomV1(dst []byte, m *mol.Mol, atom int) []byte {
	a := &m.Atoms[atom]
	dst = append(dst, '\'')
	dst = append(dst, a.Element.Symbol()...)
	dst = append(dst, "', "...)
	dst = strconv.AppendInt(dst, int64(m.Degree(atom)), 10)
	dst = appendInt(dst, m.TotalHs(atom))
	dst = appendInt(dst, int(a.ImplicitHs))
	return appendBool(dst, a.Aromatic)
}
