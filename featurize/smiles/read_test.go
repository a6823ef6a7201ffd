package smiles_test

import (
	"strings"
	"testing"

	"polyid-trainer/featurize/mol"
	"polyid-trainer/featurize/smiles"
)

// polymers are chains of about 340 atoms with hydrogens.
var polymers = []struct{ name, smiles string }{
	{"nylon", "C" + strings.Repeat("NCCCCCCNC(=O)CCCCC(=O)", 9) + "O"},
	{"polystyrene", "C" + strings.Repeat("C(c1ccccc1)C", 21) + "C"},
	{"polycarbonate", "O" + strings.Repeat("c1ccc(C(C)(C)c2ccc(OC(=O)O)cc2)cc1", 1) + strings.Repeat("c1ccc(C(C)(C)c2ccc(OC(=O)O)cc2)cc1", 9)},
	{"polyimide", "C" + strings.Repeat("c1ccc(Oc2ccc(N3C(=O)c4ccc(cc4C3=O)C)cc2)cc1", 9)},
	{"polylactide", "O" + strings.Repeat("[C@@H](C)C(=O)O", 38)},
}

func BenchmarkRead(b *testing.B) {
	for _, p := range polymers {
		b.Run(p.name, func(b *testing.B) {
			b.ReportAllocs()
			atoms := 0
			for range b.N {
				m, err := smiles.Read(p.smiles)
				if err != nil {
					b.Fatal(err)
				}
				mol.AddHs(m)
				atoms = len(m.Atoms)
			}
			b.ReportMetric(float64(atoms), "atoms")
		})
	}
}
