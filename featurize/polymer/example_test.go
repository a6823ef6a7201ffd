package polymer_test

import (
	"fmt"
	"log"

	"polyid-trainer/featurize/polymer"
	"polyid-trainer/featurize/smiles"
)

// Six monomers of adipic acid and ethylene glycol, esterified.
func ExamplePolymerization_Chain() {
	p, err := polymer.New(polymer.Spec{Monomers: []string{"O=C(O)CCCCC(=O)O", "OCCO"}, Mechanism: "ester", DP: 6})
	if err != nil {
		log.Fatal(err)
	}
	m, err := p.Chain(0)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(smiles.Write(m))
	// Output: O=C(OCCO)CCCCC(=O)OCCOC(=O)CCCCC(=O)OCCOC(=O)CCCCC(=O)O
}

// Three repeat units of polylactide, ended by hydrogens.
func ExampleUnit_Chain() {
	u, err := polymer.ReadUnit("*OC(C)C(=O)*")
	if err != nil {
		log.Fatal(err)
	}
	m, err := u.Chain(3)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(smiles.Write(m))
	// Output: OC(C)C(=O)OC(C)C(=O)OC(C)C=O
}
