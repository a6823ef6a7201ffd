package polymer

import (
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"slices"
	"strings"
	"testing"

	"polyid-trainer/featurize/mol"
)

// statistics is a golden line of one of the *_stats kinds.
type statistics struct {
	Kind         string
	Mechanism    Mechanism
	Monomers     []string
	Distribution []float64
	DP           int
	Seeds        int `json:"n_seeds"`
	N            int
	PM           float64
	Mean         float64
	Hist         map[string]int
	Meso         map[string]int `json:"meso_diads_hist"`
	Counts       map[string]int `json:"counts_hist"`
}

func statsOf(t *testing.T, kind string) (list []statistics) {
	t.Helper()
	for _, raw := range lines[json.RawMessage](t, "m2p.jsonl.gz") {
		var head struct{ Kind string }
		if err := json.Unmarshal(raw, &head); err != nil {
			t.Fatal(err)
		}
		if head.Kind != kind {
			continue
		}
		var s statistics
		if err := json.Unmarshal(raw, &s); err != nil {
			t.Fatal(err)
		}
		list = append(list, s)
	}
	if len(list) == 0 {
		t.Fatalf("no golden lines of kind %s", kind)
	}
	return list
}

// TestCopolymerStats compares the mean number of benzene rings in chains.
func TestCopolymerStats(t *testing.T) {
	for _, s := range statsOf(t, "copolymer_stats") {
		p, err := New(Spec{Monomers: s.Monomers, Mechanism: s.Mechanism, DP: s.DP, Distribution: s.Distribution})
		if err != nil {
			t.Fatal(err)
		}
		const n = 600
		sum, squares := 0.0, 0.0
		for i := range n {
			m, err := p.Chain(i)
			if err != nil {
				t.Fatal(err)
			}
			k := float64(benzenes(m))
			sum, squares = sum+k, squares+k*k
		}
		mean := sum / n
		variance := squares/n - mean*mean
		if d := math.Abs(mean - s.Mean); d > 5*math.Sqrt(variance*(1.0/n+1/float64(s.Seeds))) {
			t.Errorf("%s %v %v: %v benzene rings a chain, m2p has %v", s.Mechanism, s.Monomers, s.Distribution, mean, s.Mean)
		}
	}
}

func benzenes(m *mol.Mol) int {
	aromatic := 0
	for i := range m.Atoms {
		if m.Atoms[i].Aromatic {
			aromatic++
		}
	}
	return aromatic / 6
}

// TestMesoDiads checks that the number of meso diads is n·pm rounded up or down,
// with that mean exactly, and that m2p never draws another number.
func TestMesoDiads(t *testing.T) {
	for _, s := range statsOf(t, "cip_stats") {
		n := s.DP - 1
		mean := new(big.Rat)
		odds := outcomes(func(choose chooser) string {
			return fmt.Sprint(roundAtRandom(choose, s.PM*float64(n), n))
		})
		for k, p := range odds {
			count, _ := new(big.Rat).SetString(k)
			mean.Add(mean, count.Mul(count, p))
		}
		if got, _ := mean.Float64(); math.Abs(got-s.PM*float64(n)) > 1e-9 {
			t.Errorf("DP %d, pm %v: %v meso diads on average, want %v", s.DP, s.PM, got, s.PM*float64(n))
		}
		for k := range s.Meso {
			if odds[k] == nil {
				t.Errorf("DP %d, pm %v: m2p draws %s meso diads, which cannot happen here", s.DP, s.PM, k)
			}
		}
	}
}

// TestConfigurations goes through all chains of five centres.
func TestConfigurations(t *testing.T) {
	for _, pm := range []float64{0, 0.25, 0.3, 0.5, 1} {
		meso := make([]big.Rat, 4)
		for text, p := range outcomes(func(choose chooser) string {
			var b strings.Builder
			for _, s := range configurations(choose, pm, 5) {
				fmt.Fprint(&b, s, " ")
			}
			return b.String()
		}) {
			s := strings.Fields(text)
			for i := range meso {
				if s[i] == s[i+1] {
					meso[i].Add(&meso[i], p)
				}
			}
		}
		for i := range meso {
			if got, _ := meso[i].Float64(); math.Abs(got-pm) > 1e-9 {
				t.Errorf("pm %v: diad %d is meso with probability %v", pm, i, got)
			}
		}
	}
}

// TestSequences compares how often each monomer occurs.
func TestSequences(t *testing.T) {
	for _, s := range statsOf(t, "sequence_stats") {
		weights := s.Distribution
		if len(weights) == 0 {
			weights = []float64{1}
		}
		const n = 4000
		seen := map[string]int{}
		for i := range n {
			counts := make([]int, len(weights))
			for _, k := range sequence(newDice(1, i, VinylStereo, nil), weights, s.DP) {
				counts[k]++
			}
			seen[fmt.Sprint(counts)]++
		}
		for text, k := range s.Counts {
			tuple, _, _ := strings.Cut(text, "/")
			tuple = strings.ReplaceAll(strings.Trim(strings.Trim(tuple, "()"), ","), ",", "")
			p := float64(seen["["+tuple+"]"]) / n
			if sd := math.Sqrt(float64(s.N) * max(p*(1-p), 1e-3)); math.Abs(float64(k)-p*float64(s.N)) > 5*sd {
				t.Errorf("%v DP %d: m2p draws %s %d times of %d, here its share is %v", s.Distribution, s.DP, tuple, k, s.N, p)
			}
		}
	}
}

// TestUPE compares thermosets by composition, and small ones by identity.
func TestUPE(t *testing.T) {
	type line struct {
		Kind         string
		DP           int
		Monomers     any
		Crosslinker  []float64
		Distribution []float64
		Out          string
	}
	for _, raw := range lines[json.RawMessage](t, "m2p.jsonl.gz") {
		var g line
		if json.Unmarshal(raw, &g) != nil || g.Kind != "upe" {
			continue
		}
		monomers, _, err := ParseMonomers(g.Monomers.(string))
		if err != nil {
			t.Fatal(err)
		}
		for _, crosslinker := range [][]bool{nil, marksOf(g.Crosslinker)} {
			p, err := New(Spec{Monomers: monomers, Mechanism: UPE, DP: g.DP, Distribution: g.Distribution, Crosslinker: crosslinker})
			if err != nil {
				t.Fatal(err)
			}
			want := canonical(t, g.Out)
			n, found := 200, g.DP > 3
			for i := 0; i < n && !found; i++ {
				m, err := p.Chain(i)
				if err != nil {
					t.Fatal(err)
				}
				found = found || result(t, m, nil) == want
			}
			if !found {
				t.Errorf("%s is none of %d thermosets", g.Out, n)
			}
			alike(t, "UPE", p, map[string]int{g.Out: 1})
		}
	}
}

func marksOf(numbers []float64) (marks []bool) {
	for _, n := range numbers {
		marks = append(marks, n != 0)
	}
	return marks
}

// TestMonomersGolden finds the monomers that m2p finds, which sorts them.
func TestMonomersGolden(t *testing.T) {
	type line struct {
		Kind, SMI string
		Out       []string
	}
	found := 0
	for _, raw := range lines[json.RawMessage](t, "m2p.jsonl.gz") {
		var g line
		if json.Unmarshal(raw, &g) != nil || g.Kind != "get_monomers" || len(g.Out) == 0 || slices.Contains(g.Out, "") {
			continue
		}
		found++
		monomers, offsets, err := ParseMonomers(g.SMI)
		if err != nil {
			t.Errorf("%s: %v", g.SMI, err)
			continue
		}
		for i, s := range monomers {
			if !strings.HasPrefix(g.SMI[offsets[i]:], s) {
				t.Errorf("%s: %s is not at %d", g.SMI, s, offsets[i])
			}
			monomers[i] = canonical(t, s)
		}
		for i, s := range g.Out {
			g.Out[i] = canonical(t, s)
		}
		slices.Sort(monomers)
		slices.Sort(g.Out)
		if !slices.Equal(monomers, g.Out) {
			t.Errorf("%s: %v, want %v", g.SMI, monomers, g.Out)
		}
	}
	if found == 0 {
		t.Fatal("no golden lines")
	}
}

func TestParseMonomers(t *testing.T) {
	for s, want := range map[string][]string{
		"C=C":                        {"C=C"},
		" OCCO.OC(=O)C name":         {"OCCO", "OC(=O)C"},
		"('C=C',)":                   {"C=C"},
		`("C=C", 'F/C=C\\F')`:        {"C=C", `F/C=C\F`},
		"['C=C' , 'C=CC']":           {"C=C", "C=CC"},
		"[NH3+]CC(=O)[O-].[OH]C[OH]": {"[NH3+]CC(=O)[O-]", "[OH]C[OH]"},
	} {
		got, _, err := ParseMonomers(s)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %v, %v, want %v", s, got, err, want)
		}
	}
	for s, pos := range map[string]int{"": 0, "  ": 0, "C..C": 3, ".C": 1, "C.": 3, "('C', '')": 8, "('C'": 5, "('C' 'C')": 6, "()": 2, "('C": 4} {
		_, _, err := ParseMonomers(s)
		e, ok := err.(*Error)
		if !ok || e.Code != InvalidMonomers || e.Pos != pos {
			t.Errorf("%q: %+v, want an error at %d", s, err, pos)
		}
	}
}
