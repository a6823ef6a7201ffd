package data

import (
	"errors"
	"slices"
	"testing"
)

func TestParseMonomers(t *testing.T) {
	for cell, want := range map[string][]string{
		"":                           nil,
		"NaN":                        nil,
		"()":                         nil,
		"[]":                         nil,
		"C":                          {"C"},
		"CO.CC(=O)O":                 {"CO", "CC(=O)O"},
		"[Na+].[Cl-]":                {"[Na+]", "[Cl-]"},
		"[C@H](O)C":                  {"[C@H](O)C"},
		"('CO', 'O')":                {"CO", "O"},
		" ( 'CO' ,'O' , ) ":          {"CO", "O"},
		"('CO',)":                    {"CO"},
		"['CO', \"O\"]":              {"CO", "O"},
		`('C/C=C\\C',)`:              {`C/C=C\C`},
		`('C/C=C\C',)`:               {`C/C=C\C`},
		`("it\'s", 'say \"x\"')`:     {"it's", `say "x"`},
		"('[Na+].[Cl-]', 'O=C=O')":   {"[Na+].[Cl-]", "O=C=O"},
		"[ 'C' ]":                    {"C"},
		"('C[C@@H](O)CC(=O)O', 'C')": {"C[C@@H](O)CC(=O)O", "C"},
	} {
		got, err := ParseMonomers(cell)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: %q, %v; want %q", cell, got, err, want)
		}
	}
	for cell, position := range map[string]int{
		"(":           2,
		"('C'":        5,
		"('C' 'O')":   6,
		"('C', O)":    7,
		"('C)":        2,
		`('C\`:        2,
		"('C',,)":     6,
		"('C'] ":      5,
		"('C') x":     6,
		"('', 'C')":   4,
		"C..O":        3,
		".C":          1,
		"C.":          3,
		"(1, 2)":      2,
		"(None, 'C')": 2,
	} {
		got, err := ParseMonomers(cell)
		var at *cellError
		if !errors.As(err, &at) || at.position != position {
			t.Errorf("%q: %q, %+v; want an error at %d", cell, got, err, position)
		}
	}
}

func TestParseDistribution(t *testing.T) {
	for cell, want := range map[string][]float64{
		"": nil, "nan": nil, "[]": nil, "1": {1}, "0.3, 0.7": {0.3, 0.7}, "[1, 2,]": {1, 2}, "(1e-1,)": {0.1},
	} {
		got, err := parseDistribution(cell)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: %v, %v; want %v", cell, got, err, want)
		}
	}
	for _, cell := range []string{"[1", "1]", "[a]", "[-1]", "[1;2]", "[inf]", "(1] "} {
		if got, err := parseDistribution(cell); err == nil {
			t.Errorf("%q: %v", cell, got)
		}
	}
}

func FuzzParseMonomers(f *testing.F) {
	for _, s := range []string{"('C', 'O')", `["C\\", 'O',]`, "C.O", "(", "[''", "('C\\", "()", "[Na+].C"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, cell string) {
		m, err := ParseMonomers(cell)
		if err != nil {
			var at *cellError
			if !errors.As(err, &at) || at.position < 1 || at.position > len(cell)+1 {
				t.Fatalf("%q: error %+v outside the cell", cell, err)
			}
			return
		}
		back, err := ParseMonomers(FormatMonomers(m))
		if err != nil || !slices.Equal(back, m) {
			t.Fatalf("%q reads as %q, which is written and read as %q, %v", cell, m, back, err)
		}
	})
}
