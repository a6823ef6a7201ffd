package featurize

import "polyid-trainer/featurize/mol"

// BondFunc appends the feature string of a directed bond to dst: of a bond and
// the atom it leaves. The molecule is sanitized and has its hydrogens added.
type BondFunc func(dst []byte, m *mol.Mol, bond, from int) []byte

// BondFeature looks up a bond feature function by PolyID's name for it.
func BondFeature(name string) (BondFunc, bool) {
	for _, f := range bondFeatures {
		if f.name == name {
			return f.f, true
		}
	}
	return nil, false
}

// BondFeatures lists the names of the bond feature functions.
func BondFeatures() []string {
	var names []string
	for _, f := range bondFeatures {
		names = append(names, f.name)
	}
	return names
}

var bondFeatures = [...]struct {
	name string
	f    BondFunc
}{
	{"bond_features_v1", bondFeaturesV1},
	{"bond_features_v2", bondFeaturesV2},
	{"bond_features_v3", bondFeaturesV3},
}

// bondType holds Python's names of RDKit's bond types, as they show inside a
// tuple.
var bondType = [...]string{
	mol.Unset:        "rdkit.Chem.rdchem.BondType.UNSPECIFIED",
	mol.Single:       "rdkit.Chem.rdchem.BondType.SINGLE",
	mol.Double:       "rdkit.Chem.rdchem.BondType.DOUBLE",
	mol.Triple:       "rdkit.Chem.rdchem.BondType.TRIPLE",
	mol.Quadruple:    "rdkit.Chem.rdchem.BondType.QUADRUPLE",
	mol.AromaticBond: "rdkit.Chem.rdchem.BondType.AROMATIC",
	mol.Dative:       "rdkit.Chem.rdchem.BondType.DATIVE",
	mol.Any:          "rdkit.Chem.rdchem.BondType.UNSPECIFIED",
}

// bondFeaturesV1 is nfp's bond_features_v1: type, conjugation, ring membership
// and sorted symbols of the atoms.
func bondFeaturesV1(dst []byte, m *mol.Mol, bond, _ int) []byte {
	b := &m.Bonds[bond]
	dst = append(dst, '(')
	dst = append(dst, bondType[b.Kind]...)
	dst = appendBool(dst, b.Conjugated)
	dst = appendBool(dst, b.Ring != 0)
	dst = append(dst, ", "...)
	return append(appendSymbols(dst, m, b), ')')
}

// appendSymbols appends the sorted symbols of a bond's atoms as a list.
func appendSymbols(dst []byte, m *mol.Mol, b *mol.Bond) []byte {
	first, second := m.Atoms[b.Begin].Element.Symbol(), m.Atoms[b.End].Element.Symbol()
	if first > second {
		first, second = second, first
	}
	dst = append(dst, "['"...)
	dst = append(dst, first...)
	dst = append(dst, "', '"...)
	dst = append(dst, second...)
	return append(dst, "']"...)
}
