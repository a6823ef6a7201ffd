package structure

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"polyid-trainer/data"
	"polyid-trainer/featurize/smiles"
)

func atoms(t *testing.T, s string) int {
	t.Helper()
	m, err := smiles.Read(s)
	if err != nil {
		t.Fatal(err)
	}
	return len(m.Atoms)
}

func TestChains(t *testing.T) {
	none := math.NaN()
	for name, c := range map[string]struct {
		from     Defaults
		of       data.Structure
		chains   int
		heavy    int // atoms of the first
		replicas []int
	}{
		"a finished chain":      {Defaults{DP: 3, Replicates: 4}, data.Structure{Polymer: "CCCC", PM: none}, 1, 4, []int{0}},
		"a repeat unit":         {Defaults{DP: 3}, data.Structure{RepeatUnit: "*CC*", PM: none}, 1, 6, []int{0}},
		"its own DP":            {Defaults{DP: 3}, data.Structure{RepeatUnit: "*CC*", PM: none, DP: 5}, 1, 10, []int{0}},
		"the default DP":        {Defaults{}, data.Structure{RepeatUnit: "*CC*", PM: none}, 1, 2 * DefaultDP, []int{0}},
		"monomers, replicates":  {Defaults{DP: 4, Replicates: 3}, data.Structure{Monomers: []string{"OCCC(=O)O"}, Mechanism: "ester", PM: none}, 3, 4*6 - 3, []int{0, 1, 2}},
		"from a replicate on":   {Defaults{DP: 4}, data.Structure{Monomers: []string{"C=CC"}, Mechanism: "vinyl", PM: none, Replicate: 7}, 1, 12, []int{7}},
		"a repeat unit, closed": {Defaults{Periodic: true}, data.Structure{RepeatUnit: "*CCCCCCCCCCCCCCCCCCCCCCCCCCCCCC*", PM: none}, 1, 30, []int{0}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := c.from.Chains(&c.of)
			if err != nil {
				t.Fatal(err)
			}
			if len(got) != c.chains {
				t.Fatalf("%d chains, want %d", len(got), c.chains)
			}
			var numbers []int
			for _, chain := range got {
				numbers = append(numbers, chain.Replicate)
			}
			if !slices.Equal(numbers, c.replicas) {
				t.Errorf("replicates %v, want %v", numbers, c.replicas)
			}
			if n := atoms(t, got[0].SMILES); n != c.heavy {
				t.Errorf("%s has %d atoms, want %d", got[0].SMILES, n, c.heavy)
			}
		})
	}
}

// The same polymer and seed give the same chains, whatever else is grown.
func TestChainsAreReproducible(t *testing.T) {
	s := data.Structure{Monomers: []string{"C=CC", "C=CO"}, Mechanism: "vinyl", PM: math.NaN()}
	all, err := Defaults{DP: 12, Replicates: 6, Seed: 3}.Chains(&s)
	if err != nil {
		t.Fatal(err)
	}
	s.Replicate = 4
	one, err := Defaults{DP: 12, Seed: 3}.Chains(&s)
	if err != nil {
		t.Fatal(err)
	}
	if one[0] != all[4] {
		t.Errorf("replicate 4 alone is %v, among others %v", one[0], all[4])
	}
	other, err := Defaults{DP: 12, Seed: 4}.Chains(&s)
	if err != nil {
		t.Fatal(err)
	}
	if other[0].SMILES == one[0].SMILES {
		t.Error("another seed gives the same chain")
	}
}

func TestErrors(t *testing.T) {
	none := math.NaN()
	for name, c := range map[string]struct {
		of      data.Structure
		code    string
		monomer int
		pos     int
	}{
		"nothing":             {data.Structure{PM: none}, "missing_structure", -1, 0},
		"a mechanism of none": {data.Structure{Monomers: []string{"C=C"}, Mechanism: "magic", PM: none}, "unknown_mechanism", -1, 0},
		"an unread monomer":   {data.Structure{Monomers: []string{"OCCO", "C(C"}, Mechanism: "ester", PM: none}, "syntax", 1, 2},
		"a valence":           {data.Structure{Monomers: []string{"CC(C)(C)(C)C"}, Mechanism: "vinyl", PM: none}, "valence", 0, 2},
		"no such ends":        {data.Structure{RepeatUnit: "CC", PM: none}, "invalid_unit", -1, 0},
		"pm of no meaning":    {data.Structure{Monomers: []string{"NCCC(=O)O"}, Mechanism: "amide", PM: 0.5}, "invalid_pm", -1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Defaults{DP: 4}.Chains(&c.of)
			var e *Error
			if !errors.As(err, &e) {
				t.Fatalf("%v is no *Error", err)
			}
			if e.Code != c.code || e.Monomer != c.monomer || c.pos > 0 && e.Pos != c.pos || e.Detail == "" {
				t.Errorf("got %+v, want code %s, monomer %d, position %d", *e, c.code, c.monomer, c.pos)
			}
		})
	}
}

// Check is what data asks about every SMILES of a table.
func TestCheck(t *testing.T) {
	const table = "smiles_polymer,Tg\nCCO,1\nCC(C,2\nc1cccc1,3\n"
	_, report, err := data.Read(t.Context(), strings.NewReader(table), "t.csv", data.Columns{}, data.Options{Check: Check, MinValues: 1})
	if err == nil || len(report.Defects) != 2 {
		t.Fatalf("defects %v, error %v", report.Defects, err)
	}
	if d := report.Defects[0]; d.Row != 3 || d.Position != 3 {
		t.Errorf("an open branch in row 3 at position 3 is reported as %+v", d)
	}
	if err := Check(data.RepeatUnit, "*CC*"); err != nil {
		t.Error(err)
	}
	if err := Check(data.RepeatUnit, "CC"); err == nil {
		t.Error("a repeat unit without ends passes")
	}
	if !slices.Contains(Mechanisms(), "ester") {
		t.Error("no ester among the mechanisms")
	}
}
