package smiles_test

import (
	"errors"
	"testing"

	"polyid-trainer/featurize/mol"
	"polyid-trainer/featurize/smiles"
)

// Positions are RDKit's where it says one, and else those of the digit or the
// chirality at fault.
func TestSyntaxErrors(t *testing.T) {
	for _, test := range []struct {
		smiles string
		pos    int
	}{
		{" ", 1}, {"\n", 1}, {"é", 1}, {"C\x00C", 2}, {" C name", 2}, {"C\rC", 2}, {"C(\nC)", 3},
		{"(C)", 1}, {"C()C", 3}, {"C((C)C)C", 3}, {"C(.C)C", 3}, {"C(", 2}, {"C(C", 2}, {"CC(C(C)", 3}, {"CC)", 3}, {"C(C))", 5},
		{"=C", 1}, {"C==C", 3}, {"C-=C", 3}, {"C.=C", 3}, {"C-", 2}, {"C.", 2}, {"C..C", 3}, {"C//C", 3}, {`C\\\C`, 4}, {"C<C", 2},
		{"H", 1}, {"CLC", 2}, {"brc", 2}, {"Si", 2}, {"C@", 2}, {"C@TH", 4}, {"[C@@@]", 5}, {"[C@@TH1]", 6}, {"[H@]", 3}, {"[CH@]", 4},
		{"[", 1}, {"[C", 2}, {"[C@", 3}, {"[]", 2}, {"[C]]", 4}, {"[CCl]", 4}, {"[Xx]", 2}, {"[12]", 4}, {"[#]", 3}, {"['Rf]", 2},
		{"[00C]", 3}, {"[C+01]", 5}, {"[C+++]", 5}, {"[C+-]", 4}, {"[C++2]", 5}, {"[H2]", 3}, {"[C:1:2]", 5}, {"[C->]", 4},
		{"[99999999999C]", 11}, {"[2147483639C]C(", 15}, {"[2147483640C]", 11}, {"[C:12345678901]", 14},
		{"[C@TH0]", 6}, {"[C@TH01]", 6}, {"C[C@TH3](F)(Cl)Br", 4}, {"[C@OH31]", 3}, {"[#119]", 3}, {"[13#255]", 5},
		{"C%", 2}, {"C%1", 3}, {"C%05C", 3}, {"C%(", 3}, {"C%()", 4}, {"C%(1", 4}, {"C%(1CC", 5}, {"C%(123456)C", 9},
		{"C1CC", 2}, {"C2CC1", 5}, {"C%12CC", 3}, {"C11", 3}, {"C1C1", 4}, {"C12CC12", 7}, {"C1CC%(1)C1", 10},
	} {
		_, err := smiles.Read(test.smiles)
		var e *smiles.SyntaxError
		if !errors.As(err, &e) {
			t.Errorf("%q: %v, want a syntax error", test.smiles, err)
		} else if e.Pos != test.pos {
			t.Errorf("%q: %v, want it at position %d", test.smiles, err, test.pos)
		}
	}
}

// What RDKit makes of odd strings.
func TestOddities(t *testing.T) {
	for _, test := range []struct {
		smiles string
		atoms  int
		first  mol.Atom
	}{
		{"", 0, mol.Atom{}},
		{" \tC", 1, mol.Atom{Element: 6}},
		{"C name", 1, mol.Atom{Element: 6}},
		{"C\t|$a$|", 1, mol.Atom{Element: 6}},
		{"\u2212C\u200b", 1, mol.Atom{Element: 6}},
		{"CC\nC(", 2, mol.Atom{Element: 6}},
		{"[#300]", 1, mol.Atom{Element: 44}},
		{"[65537C]", 1, mol.Atom{Element: 6, Isotope: 1}},
		{"[CH260]", 1, mol.Atom{Element: 6, ExplicitHs: 4}},
		{"[C+200]", 1, mol.Atom{Element: 6, Charge: -56}},
		{"[Uuu]", 1, mol.Atom{Element: 111}},
		{"[C@'TH1](F)(Cl)(Br)I", 5, mol.Atom{Element: 6, Chirality: mol.Counterclockwise}},
	} {
		m, err := smiles.Parse(test.smiles)
		if err != nil {
			t.Errorf("%q: %v", test.smiles, err)
			continue
		}
		if len(m.Atoms) != test.atoms {
			t.Errorf("%q has %d atoms, want %d", test.smiles, len(m.Atoms), test.atoms)
			continue
		}
		if test.atoms == 0 {
			continue
		}
		a, want := m.Atoms[0], test.first
		if a.Element != want.Element || a.Isotope != want.Isotope || a.ExplicitHs != want.ExplicitHs || a.Charge != want.Charge || a.Chirality != want.Chirality {
			t.Errorf("%q begins with %+v, want %+v", test.smiles, a, want)
		}
	}
}
