package polymer

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
	"testing"

	"polyid-trainer/featurize/mol"
	"polyid-trainer/featurize/smiles"
)

// works are the cases in which m2p always fails by a defect, and this package
// does not.
func works(g *golden) bool {
	switch string(g.Monomers) {
	case `["OCCO", "O=C1CCC(=O)O1"]`: // anhydride
		return g.Mechanism == Ester
	case `["NCCCCN", "O=C(Cl)CCCCC(=O)Cl"]`: // acid chloride
		return g.Mechanism == Amide
	}
	return g.Kind == "seeded_infinite" && (g.Mechanism == Urethane || g.Mechanism == NIPU) // rings
}

// TestSeeded holds the samples m2p drew against the exact probabilities here, or
// against a sample where these are too many.
func TestSeeded(t *testing.T) {
	for _, kind := range []string{"seeded", "seeded_infinite"} {
		for _, g := range goldens(t, kind) {
			var drawn map[string]int
			if err := json.Unmarshal(g.Outcomes, &drawn); err != nil {
				t.Fatal(err)
			}
			name := fmt.Sprintf("%s %s %s DP %d", kind, g.Mechanism, g.Monomers, g.DP)
			want := map[string]int{}
			n := 0
			for s, k := range drawn {
				want[canonical(t, s)] += k
				n += k
			}
			p, err := New(Spec{Monomers: g.monomers(t), Mechanism: g.Mechanism, DP: g.DP, Ring: kind == "seeded_infinite"})
			switch {
			case works(&g) && want["error"] == n:
				if err == nil {
					_, err = p.Chain(0)
				}
				if err != nil {
					t.Errorf("%s: %v", name, err)
				}
				continue
			case err != nil:
				if want["error"] != n {
					t.Errorf("%s: %v", name, err)
				}
				continue
			}
			if odds, ok := enumerate(t, p); ok {
				agree(t, name, odds, want, n)
			} else {
				alike(t, name, p, drawn)
			}
		}
	}
}

// enumerate lists all outcomes of p unless there are too many ways.
func enumerate(t *testing.T, p *Polymerization) (odds map[string]*big.Rat, ok bool) {
	defer func() {
		if r := recover(); r == errTooMany {
			odds, ok = nil, false
		} else if r != nil {
			panic(r)
		}
	}()
	ways := 0
	return outcomes(func(choose chooser) string {
		if ways++; ways > 300 {
			panic(errTooMany)
		}
		m, err := p.chain(choose)
		return whole(t, m, err)
	}), true
}

var errTooMany = errors.New("too many ways")

// agree checks that counts out of n may well have been drawn with these odds:
// no count is one that as many draws would reach or pass, or fall to or below,
// in less than one of ten million cases, nor has m2p missed outcomes that it
// should have drawn.
func agree(t *testing.T, name string, odds map[string]*big.Rat, counts map[string]int, n int) {
	t.Helper()
	for s, k := range counts {
		if odds[s] == nil {
			t.Errorf("%s: m2p drew %s %d times of %d, which cannot happen here", name, s, k, n)
		}
	}
	unseen := 0.0
	for s, odd := range odds {
		p, _ := odd.Float64()
		if counts[s] == 0 {
			unseen += p
		}
		below, above := 0.0, 0.0
		for k := range n + 1 {
			b := binomial(n, k, p)
			if k <= counts[s] {
				below += b
			}
			if k >= counts[s] {
				above += b
			}
		}
		if min(below, above) < 1e-7 {
			t.Errorf("%s: m2p drew %s %d times of %d, the odds here are %v", name, s, counts[s], n, odd)
		}
	}
	if len(odds) <= n/4 && math.Pow(1-unseen, float64(n)) < 1e-5 {
		t.Errorf("%s: m2p drew none of the outcomes that have %v of the odds here in %d draws", name, unseen, n)
	}
}

// binomial is the probability of k of n draws.
func binomial(n, k int, p float64) float64 {
	if p == 1 {
		if k == n {
			return 1
		}
		return 0
	}
	gamma := func(x int) float64 { g, _ := math.Lgamma(float64(x) + 1); return g }
	return math.Exp(gamma(n) - gamma(k) - gamma(n-k) + float64(k)*math.Log(p) + float64(n-k)*math.Log1p(-p))
}

// alike checks that m2p's chains have the composition of chains drawn here.
func alike(t *testing.T, name string, p *Polymerization, drawn map[string]int) {
	t.Helper()
	seen := map[string]bool{}
	for i := range 2000 / p.spec.DP {
		m, err := p.Chain(i)
		if r := whole(t, m, err); r == "error" {
			seen[r] = true
		} else {
			seen[composition(m)] = true
		}
	}
	for s := range drawn {
		c := canonical(t, s)
		if c != "error" {
			m, err := perceive(s)
			if err != nil {
				t.Fatal(err)
			}
			c = composition(m)
		}
		if !seen[c] {
			t.Errorf("%s: m2p drew %s (%s), unlike all chains drawn here", name, s, c)
		}
	}
}

// composition counts atoms by element, degree and hydrogens.
func composition(m *mol.Mol) string {
	counts := map[[3]int]int{}
	for i := range m.Atoms {
		counts[[3]int{int(m.Atoms[i].Element), m.Degree(i), m.TotalHs(i)}]++
	}
	return fmt.Sprint(counts)
}

func TestSeedsRepeat(t *testing.T) {
	spec := Spec{Monomers: []string{"C=CC", "C=Cc1ccccc1"}, Mechanism: Vinyl, DP: 12, Seed: 7}
	text := func(spec Spec, i int) string {
		p, err := New(spec)
		if err != nil {
			t.Fatal(err)
		}
		m, err := p.Chain(i)
		if err != nil {
			t.Fatal(err)
		}
		return smiles.Write(m)
	}
	first := text(spec, 3)
	if again := text(spec, 3); again != first {
		t.Errorf("the same seed and replicate gave %s and %s", first, again)
	}
	if other := text(spec, 4); other == first {
		t.Errorf("replicates 3 and 4 are both %s", first)
	}
	spec.Seed = 8
	if other := text(spec, 3); other == first {
		t.Errorf("seeds 7 and 8 both gave %s", first)
	}
}
