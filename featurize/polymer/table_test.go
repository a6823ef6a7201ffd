package polymer

import (
	"encoding/csv"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"polyid-trainer/featurize/mol"
	"polyid-trainer/featurize/smiles"
)

// TestPolyIDTable builds the polymers of PolyID's table, which came from m2p with
// a DP of 10, and compares all but their tacticity, which is random.
func TestPolyIDTable(t *testing.T) {
	f, err := os.Open(filepath.Join("..", "..", "data", "stereopolymer_input_nopush.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	column := map[string]int{}
	for i, name := range rows[0] {
		column[name] = i
	}
	for _, row := range rows[1:] {
		monomers, _, err := ParseMonomers(row[column["monomers"]])
		if err != nil {
			t.Errorf("%s: %v", row[column["monomers"]], err)
			continue
		}
		pm, err := strconv.ParseFloat(row[column["pm"]], 64)
		if err != nil {
			t.Fatal(err)
		}
		p, err := New(Spec{Monomers: monomers, Mechanism: Mechanism(row[column["mechanism"]]), DP: 10, PM: &pm})
		if err != nil {
			t.Errorf("%v: %v", monomers, err)
			continue
		}
		got, err := p.Chain(0)
		if err != nil {
			t.Errorf("%v: %v", monomers, err)
			continue
		}
		want, err := perceive(row[column["smiles_polymer"]])
		if err != nil {
			t.Fatal(err)
		}
		if g, w := flat(got), flat(want); g != w {
			t.Errorf("%v: %s, want %s", monomers, g, w)
		}
	}
}

// flat is the identity of m without its stereochemistry, which it loses.
func flat(m *mol.Mol) string {
	for i := range m.Atoms {
		m.Atoms[i].Chirality = mol.Unspecified
	}
	for i := range m.Bonds {
		m.Bonds[i].Stereo, m.Bonds[i].Direction = mol.StereoNone, mol.NoDirection
	}
	return smiles.Canonical(m)
}
