package smiles_test

import (
	"errors"
	"fmt"

	"polyid-trainer/featurize/smiles"
)

// A molecule is perceived as RDKit perceives it, and written again.
func ExampleRead() {
	m, err := smiles.Read("C1=CC=CC=C1C(=O)O")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(smiles.Write(m), len(m.Atoms), "atoms")
	// Output: OC(=O)c1ccccc1 9 atoms
}

// An error says which character is wrong.
func ExampleSyntaxError() {
	_, err := smiles.Read("CC(=O")
	var wrong *smiles.SyntaxError
	if errors.As(err, &wrong) {
		fmt.Println(wrong.Pos, wrong.Msg)
	}
	// Output: 3 parenthesis is never closed
}

// Two spellings of one molecule have one canonical SMILES.
func ExampleCanonical() {
	for _, s := range []string{"OCC", "C(O)C"} {
		m, err := smiles.Read(s)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(smiles.Canonical(m))
	}
	// Output:
	// CCO
	// CCO
}
