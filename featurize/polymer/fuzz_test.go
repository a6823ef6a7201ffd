package polymer

import (
	"errors"
	"strings"
	"testing"

	"polyid-trainer/featurize/smiles"
)

// FuzzUnit links any repeat unit there is and reads the result.
func FuzzUnit(f *testing.F) {
	for _, s := range []string{
		"*CC(*)c1ccccc1", "*/C=C(/*)C", "*[C@H](C)C*", "*=CC=*", "*C*", "[1*]C[2*]", "*n1c(=O)c2cc3c(=O)n(*)c(=O)c3cc2c1=O", "*[P@](=O)(C)C*",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if len(s) > 300 {
			t.Skip("too long")
		}
		u, err := ReadUnit(s)
		if err != nil {
			t.Skip("no unit")
		}
		if _, err := u.Chain(2); err != nil {
			t.Skip("hydrogens or links that its ends do not take")
		}
		var refused *Error
		if _, err := u.Ring(3); err != nil && errors.As(err, &refused) {
			t.Errorf("%q: a ring of three: %v", s, err)
		}
	})
}

// FuzzPolymerization joins any monomers by any mechanism.
func FuzzPolymerization(f *testing.F) {
	for i, s := range []string{
		"C=CC", "C=CC(=O)O", "OCCO.OC(=O)c1ccc(cc1)C(=O)O", "NCCCCCC(=O)O", "ClC(=O)Cl.Oc1ccc(O)cc1", "O=C1OC(=O)C2CC(=O)OC(=O)C12.NCCN",
		"O=C1OCC(CCC2COC(=O)O2)O1.NCCN", "O=C=NCCN=C=O.OCCO", "OCCO.O=C1CCC(=O)O1", "C=CC=C", "C=C(Cl)C", "C[C@@H](O)C(=O)O.C[C@H](O)C(=O)O",
		"CC(O)CO.C=Cc1ccccc1.O=C(O)C=CC(=O)O",
	} {
		f.Add(s, uint8(i), uint8(4), false)
	}
	f.Fuzz(func(t *testing.T, s string, mechanism, dp uint8, ring bool) {
		if len(s) > 200 {
			t.Skip("too long")
		}
		monomers, _, err := ParseMonomers(s)
		if err != nil {
			t.Skip("no monomers")
		}
		p, err := New(Spec{Monomers: monomers, Mechanism: mechanisms[int(mechanism)%len(mechanisms)], DP: int(dp % 6), Ring: ring})
		if err != nil {
			t.Skip("no polymerization")
		}
		for i := range 3 {
			m, err := p.Chain(i)
			if err != nil {
				continue
			}
			if text := smiles.Write(m); text == "" || strings.Contains(text, ".") {
				t.Errorf("%q: %s gives the chain %q", s, p.spec.Mechanism, text)
			}
		}
	})
}
