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
		from     Grower
		of       data.Structure
		chains   int
		heavy    int // atoms of the first
		replicas []int
	}{
		"a finished chain":      {Grower{Chains: Chains{DP: 3, Replicates: 4}}, data.Structure{Polymer: "CCCC", PM: none}, 1, 4, []int{0}},
		"a repeat unit":         {Grower{Chains: Chains{DP: 3}}, data.Structure{RepeatUnit: "*CC*", PM: none}, 1, 6, []int{0}},
		"its own DP":            {Grower{Chains: Chains{DP: 3}}, data.Structure{RepeatUnit: "*CC*", PM: none, DP: 5}, 1, 10, []int{0}},
		"the default DP":        {Grower{}, data.Structure{RepeatUnit: "*CC*", PM: none}, 1, 2 * DefaultDP, []int{0}},
		"monomers, replicates":  {Grower{Chains: Chains{DP: 4, Replicates: 3}}, data.Structure{Monomers: []string{"OCCC(=O)O"}, Mechanism: "ester", PM: none}, 3, 4*6 - 3, []int{0, 1, 2}},
		"from a replicate on":   {Grower{Chains: Chains{DP: 4}}, data.Structure{Monomers: []string{"C=CC"}, Mechanism: "vinyl", PM: none, Replicate: 7}, 1, 12, []int{7}},
		"a repeat unit, closed": {Grower{Chains: Chains{Periodic: true}}, data.Structure{RepeatUnit: "*CCCCCCCCCCCCCCCCCCCCCCCCCCCCCC*", PM: none}, 1, 30, []int{0}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := c.from.Grow(&c.of)
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

// A chain shrinks to the bound, but never below one unit, and a DP that the row
// states stays. Rings that are like no infinite chain stay open.
func TestBounds(t *testing.T) {
	const (
		styrene = "*CC(*)c1ccccc1"                              // 8 heavy atoms
		quinoid = "*N=C1C=CC(=NC2=CC(=O)C(*)=CC2=O)C=C1"        // 16; a ring of any size is aromatic
		large   = "*C(*)CCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCC" // 39; a ring needs 25
	)
	none := math.NaN()
	for name, c := range map[string]struct {
		from Chains
		of   data.Structure
		want Chain // without its SMILES
	}{
		"fits":                   {Chains{DP: 10, MaxHeavyAtoms: 80}, data.Structure{RepeatUnit: styrene, PM: none}, Chain{DP: 10}},
		"shrinks":                {Chains{DP: 10, MaxHeavyAtoms: 79}, data.Structure{RepeatUnit: styrene, PM: none}, Chain{DP: 9, Asked: 10}},
		"one unit":               {Chains{DP: 10, MaxHeavyAtoms: 3}, data.Structure{RepeatUnit: styrene, PM: none}, Chain{DP: 1, Asked: 10}},
		"its own DP":             {Chains{DP: 2, MaxHeavyAtoms: 40}, data.Structure{RepeatUnit: styrene, PM: none, DP: 12}, Chain{DP: 12}},
		"a ring":                 {Chains{Periodic: true}, data.Structure{RepeatUnit: styrene, PM: none}, Chain{DP: 13, Ring: true}},
		"no ring, its own DP":    {Chains{Periodic: true}, data.Structure{RepeatUnit: styrene, PM: none, DP: 4}, Chain{DP: 4}},
		"no ring like a chain":   {Chains{Periodic: true}, data.Structure{RepeatUnit: quinoid, PM: none}, Chain{DP: 18, Asked: 18}},
		"no ring in the bound":   {Chains{Periodic: true, MaxHeavyAtoms: 400}, data.Structure{RepeatUnit: large, PM: none}, Chain{DP: 10, Asked: 18}},
		"monomers":               {Chains{DP: 10, MaxHeavyAtoms: 79}, data.Structure{Monomers: []string{"C=Cc1ccccc1"}, Mechanism: "vinyl", PM: none}, Chain{DP: 9, Asked: 10}},
		"monomers that condense": {Chains{DP: 10, MaxHeavyAtoms: 30}, data.Structure{Monomers: []string{"OCCC(=O)O"}, Mechanism: "ester", PM: none}, Chain{DP: 5, Asked: 10}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Grower{Chains: c.from}.Grow(&c.of)
			if err != nil {
				t.Fatal(err)
			}
			chain := got[0]
			if n, most := atoms(t, chain.SMILES), c.from.WithDefaults().MaxHeavyAtoms; n > most && chain.DP > 1 && c.of.DP == 0 {
				t.Errorf("%d heavy atoms, more than %d", n, most)
			}
			chain.SMILES = ""
			if chain != c.want {
				t.Errorf("grown as %+v, want %+v", chain, c.want)
			}
			var noted, previewed Shortfall
			noted.Note(got)
			previewed.Preview(Grower{Chains: c.from}, &c.of)
			if noted.Shortened != previewed.Shortened || (noted.Shortened == 1) != (c.want.Asked > c.want.DP) || (noted.Open == 1) != (c.want.Asked != 0 && c.want.Asked == c.want.DP) {
				t.Errorf("counted as %+v, previewed as %+v", noted, previewed)
			}
		})
	}
}

func TestChainsValidate(t *testing.T) {
	if err := (Chains{}).WithDefaults().Validate(); err != nil {
		t.Error(err)
	}
	err := Chains{DP: -1, MaxHeavyAtoms: 1201, Replicates: 101}.Validate()
	for _, field := range []string{"dp: -1", "max_heavy_atoms: 1201", "replicates: 101"} {
		if err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("%v does not say %q", err, field)
		}
	}
}

// The same polymer and seed give the same chains, whatever else is grown.
func TestChainsAreReproducible(t *testing.T) {
	s := data.Structure{Monomers: []string{"C=CC", "C=CO"}, Mechanism: "vinyl", PM: math.NaN()}
	all, err := Grower{Chains: Chains{DP: 12, Replicates: 6}, Seed: 3}.Grow(&s)
	if err != nil {
		t.Fatal(err)
	}
	s.Replicate = 4
	one, err := Grower{Chains: Chains{DP: 12}, Seed: 3}.Grow(&s)
	if err != nil {
		t.Fatal(err)
	}
	if one[0] != all[4] {
		t.Errorf("replicate 4 alone is %v, among others %v", one[0], all[4])
	}
	other, err := Grower{Chains: Chains{DP: 12}, Seed: 4}.Grow(&s)
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
			_, err := Grower{Chains: Chains{DP: 4}}.Grow(&c.of)
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

// TestAuto: with mechanism auto, monomers grow as by the one mechanism that fits,
// to the atom; where none or several do, the error names what there is.
func TestAuto(t *testing.T) {
	t.Parallel()
	monomers := func(mechanism string, pm float64, m ...string) *data.Structure {
		return &data.Structure{Monomers: m, Mechanism: mechanism, PM: pm, DP: 6}
	}
	for _, c := range []struct {
		mechanism string
		pm        float64
		monomers  []string
	}{
		{"vinyl", math.NaN(), []string{"C=Cc1ccccc1"}},
		{"vinyl", 0.8, []string{"C=CC"}},
		{"ester", math.NaN(), []string{"OC(=O)c1ccc(C(=O)O)cc1", "OCCO"}},
		{"amide", math.NaN(), []string{"OC(=O)CCCCC(=O)O", "NCCCCCCN"}},
		{"urethane", math.NaN(), []string{"O=C=NCCCCCCN=C=O", "OCCCCO"}},
		{"carbonate", math.NaN(), []string{"O=C(Cl)Cl", "CC(C)(c1ccc(O)cc1)c1ccc(O)cc1"}},
	} {
		want, err := Grower{Seed: 3}.Grow(monomers(c.mechanism, c.pm, c.monomers...))
		if err != nil {
			t.Fatalf("%s of %v: %v", c.mechanism, c.monomers, err)
		}
		have, err := Grower{Seed: 3}.Grow(monomers(Auto, c.pm, c.monomers...))
		if err != nil || !slices.Equal(have, want) {
			t.Errorf("auto of %v: %v, %v, want the chain of %s: %v", c.monomers, have, err, c.mechanism, want)
		}
	}
	for text, m := range map[string][]string{
		"no mechanism":           {"CCCC"},
		"name one: vinyl, ester": {"C=CCC(O)C(=O)O"},
		"monomer 1":              {"C1CC"},
	} {
		if _, err := (Grower{}).Grow(monomers(Auto, math.NaN(), m...)); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("auto of %v: %v, want %q", m, err, text)
		}
	}
}
