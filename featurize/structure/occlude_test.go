package structure_test

import (
	"testing"

	"polyid-trainer/featurize/smiles"
	"polyid-trainer/featurize/structure"
)

func canonical(t *testing.T, text string) string {
	t.Helper()
	m, err := smiles.Read(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return smiles.Canonical(m)
}

// Each part in turn becomes saturated carbon, and hydrogens take the place of what its
// neighbours lose; * and what is saturated carbon already are no parts, and the atoms
// of an aromatic system are one.
func TestOcclusion(t *testing.T) {
	for text, want := range map[string]map[int]string{ // by the first atom of each part
		"*OC(C)C(=O)*":        {1: "*CC(C)C(=O)*", 4: "*OC(C)C(O)*", 5: "*OC(C)C(C)*"},
		"*CC(*)c1ccccc1":      {4: "*CC(*)C1CCCCC1"},
		"*C=C*":               {1: "*CC*", 2: "*CC*"},
		"*NC(=O)[N+](=O)[O-]": {1: "*CC(=O)[N+](=O)[O-]", 2: "*NC(O)[N+](=O)[O-]", 3: "*NC(C)[N+](=O)[O-]", 4: "*NC(=O)C(O)[O-]", 5: "*NC(=O)[NH+](C)[O-]", 6: "*NC(=O)[N+](C)=O"},
		"*c1cc[nH]c1*":        {1: "*C1CCCC1*"},
		"*=C1C=CC(=*)C=C1":    {1: "*=C1CCC(=*)CC1"}, // aromatic to RDKit
		"*S(=O)(=O)O*":        {1: "*C(O)(O)O*", 2: "*S(=O)(C)O*", 3: "*S(=O)(C)O*", 4: "*S(=O)(=O)C*"},
		"*CC*":                {},
	} {
		o, err := structure.NewOcclusion(text)
		if err != nil {
			t.Fatal(err)
		}
		if len(o.Parts()) != len(want) {
			t.Errorf("%s has the parts %v", text, o.Parts())
		}
		for i, part := range o.Parts() {
			got, err := o.Without(i)
			if err != nil {
				t.Errorf("%s without %v: %v", text, part, err)
				continue
			}
			if w, ok := want[part[0]]; !ok || canonical(t, got) != canonical(t, w) {
				t.Errorf("%s without %v is %s, want %s", text, part, got, w)
			}
		}
		skeleton, err := o.Skeleton()
		if err != nil {
			t.Fatal(err)
		}
		if bare, err := structure.NewOcclusion(skeleton); err != nil || len(bare.Parts()) > 0 {
			t.Errorf("the skeleton %s of %s is not bare (%v)", skeleton, text, err)
		}
	}
}
