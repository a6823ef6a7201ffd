package mol_test

import (
	"fmt"

	"polyid-trainer/featurize/mol"
)

// A molecule made atom by atom gets its hydrogens and what is perceived on it.
func ExampleSanitize() {
	oxygen, _ := mol.ElementOf("O")
	carbon, _ := mol.ElementOf("C")
	m := mol.New(2, 1)
	m.AddAtom(mol.Atom{Element: carbon})
	m.AddAtom(mol.Atom{Element: oxygen})
	m.AddBond(mol.Bond{Begin: 0, End: 1, Kind: mol.Double})
	if err := mol.Sanitize(m); err != nil {
		fmt.Println(err)
		return
	}
	mol.AddHs(m)
	for i := range m.Atoms {
		fmt.Print(m.Atoms[i].Element.Symbol(), m.Degree(i), " ")
	}
	fmt.Println()
	// Output: C3 O1 H1 H1
}
