package structure

import (
	"fmt"
	"strings"
	"testing"

	"polyid-trainer/data"
)

func TestRecognize(t *testing.T) {
	for cell, want := range map[string]data.Notation{
		"*CC*": data.RepeatUnit, "[*]CC([*])c1ccccc1": data.RepeatUnit, "C(C[1*])[2*]": data.RepeatUnit,
		"*CC": data.RepeatUnit, "*C(*)C*": data.RepeatUnit, "**": "", "*C(C*": "", "CCO": "", "CC(C": "", "polyethylene": "", "": "", "C": "", "12.5": "", "PA66*": "",
		strings.Repeat("C", 40): data.Polymer, strings.Repeat("CC.", 20) + "C": "", strings.Repeat("*C", 20_000): "",
	} {
		if got := Recognize(cell); got != want {
			t.Errorf("%.40q: %q, want %q", cell, got, want)
		}
	}
}

// The column of structures is found whatever it is called, and bad cells in it
// are defects of their rows.
func TestColumnOfStructuresIsFound(t *testing.T) {
	for _, header := range []string{"SMILES", "smiles", "smiles_string", "PSMILES", "p_smiles", "canonical_smiles", "Struktur", "x"} {
		var b strings.Builder
		fmt.Fprintf(&b, "name,%s,Tg (K),note\n", header)
		for i := range 30 {
			unit := "*" + strings.Repeat("C", i+1) + "*"
			if i == 7 {
				unit = "*CC"
			}
			fmt.Fprintf(&b, "poly%d,%s,%d,CC\n", i, unit, 200+i*3)
		}
		table, report, err := data.Read(t.Context(), strings.NewReader(b.String()), "", data.Columns{}, data.Options{Check: Check, Recognize: Recognize, DropBadRows: true})
		if err != nil {
			t.Errorf("%s: %v", header, err)
			continue
		}
		if table.Rows() != 29 || table.Structures[0].RepeatUnit != "*C*" || len(report.Dropped) != 1 || report.Dropped[0].Row != 9 || report.Dropped[0].Column != header {
			t.Errorf("%s: %d rows, dropped %v", header, table.Rows(), report.Dropped)
		}
	}
}
