package structure

import (
	"testing"

	"polyid-trainer/data"
)

// One polymer is written in many ways; others are others.
func TestIdentity(t *testing.T) {
	seen := map[string]string{}
	for _, same := range [][]string{
		{"*CCO*", "*OCC*", "*COC*", "C(C*)O*", "*CCOCCO*", "[1*]CCO[2*]", "*OCCOCCOCC*"},
		{"*CC*", "*CCCC*", "*C*", "[*]CCC[*]"},
		{"*C(C)C*", "*CC(*)C", "*C(C)CC(C)C*", "*CC(C)*"},
		{"*CC(C)C(C)C*", "*C(C)C(C)CC*"}, // head to head
		{"*C=C*", "*=CC=*", "*C=CC=C*"},
		{"*c1ccc(*)cc1", "*c1ccc(-c2ccc(*)cc2)cc1"},
		{"*c1cccc(*)c1"},
		{"*CCc1ccc(*)cc1", "*Cc1ccc(C*)cc1"},
		{"*/C=C/*", "*/C=C/C=C/*"},
		{"*C/C=C/C*", "*C/C=C/CC/C=C/C*", "*CC/C=C/*"},
		{"*C/C=C\\C*", "*CC/C=C\\*"},
		{"*CC=CC*"},
		{"*OCCOC(=O)c1ccc(cc1)C(=O)*", "*C(=O)c1ccc(C(=O)OCCO*)cc1", "*CCOC(=O)c1ccc(cc1)C(=O)O*"},
		{"*O[C@H](C)C(=O)*", "*C(=O)[C@@H](C)O*", "*[C@H](C)C(=O)O*"},
		{"*O[C@@H](C)C(=O)*"},
		{"*OC(C)C(=O)*"},
		{"*CC(*)(F)F", "*C(F)(F)C*"},
		{"*C(F)C(F)*", "*C(F)*"},
		{"*N*", "*NN*"},
		{"*C1CCC(*)CC1"}, {"*C1CCCC(*)C1"},
		{"*CC(*)c1ccccc1"}, {"*CC(*)C1CCCCC1"},
		{"*CC(*)[N+](C)(C)C.[Cl-]"}, {"*CC(*)[N+](C)(C)C.[Br-]"},
	} {
		for i, unit := range same {
			id := Identity(unit)
			if id == "" {
				t.Errorf("%s has none", unit)
				continue
			}
			if first := Identity(same[0]); id != first {
				t.Errorf("%s is not %s", unit, same[0])
			}
			if other, ok := seen[id]; ok && i == 0 {
				t.Errorf("%s is taken for %s", unit, other)
			}
			seen[id] = unit
		}
	}
	for _, none := range []string{"", "CC", "*CC", "*C(*)C*", "C(C"} {
		if id := Identity(none); id != "" {
			t.Errorf("%q is %s", none, id)
		}
	}
}

// Of the shipped repeat units some are one polymer, and those truly are.
func TestIdentityOfShippedUnits(t *testing.T) {
	d, _ := data.Shipped("polymers_seven_properties")
	seen := map[string]string{}
	equal := 0
	for _, l := range d.Sheet().Rows {
		unit := l.Cell(0)
		id := Identity(unit)
		if id == "" {
			t.Errorf("%s has none", unit)
		}
		if first, ok := seen[id]; ok {
			equal++
			t.Logf("%s is %s", unit, first)
		}
		seen[id] = unit
	}
	if equal != 39 { // each of them looked at
		t.Errorf("%d of 1503 units are others written anew, want 39", equal)
	}
}

func BenchmarkIdentity(b *testing.B) {
	for b.Loop() {
		Identity("*OCCOC(=O)c1ccc(cc1)C(=O)*")
	}
}
