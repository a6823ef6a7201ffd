package polymer

import (
	"testing"

	"polyid-trainer/featurize/smiles"
)

// BenchmarkChain builds 18-mers from monomers read before.
func BenchmarkChain(b *testing.B) {
	for _, spec := range []Spec{
		{Monomers: []string{"OCCO", "OC(=O)c1ccc(cc1)C(=O)O"}, Mechanism: Ester},
		{Monomers: []string{"C=Cc1ccccc1"}, Mechanism: Vinyl},
		{Monomers: []string{"O=C1OC(=O)c2cc3c(cc12)C(=O)OC3=O", "Nc1ccc(Oc2ccc(N)cc2)cc1"}, Mechanism: Imide},
		{Monomers: []string{"C[C@@H](O)C(=O)O", "C[C@H](O)C(=O)O"}, Mechanism: EsterStereo},
	} {
		spec.DP = 18
		p, err := New(spec)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(string(spec.Mechanism), func(b *testing.B) {
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				m, err := p.Chain(i)
				if err != nil {
					b.Fatal(err)
				}
				_ = smiles.Write(m)
				i++
			}
		})
	}
}
