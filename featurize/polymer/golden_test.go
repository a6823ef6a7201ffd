package polymer

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"polyid-trainer/featurize/mol"
	"polyid-trainer/featurize/smiles"
)

// golden is one line of testdata/m2p.jsonl.gz; which fields are set depends on
// Kind.
type golden struct {
	Kind         string
	Mechanism    Mechanism
	Monomers     json.RawMessage
	DP           int
	Distribution []float64
	Outcomes     json.RawMessage
	Seeds        int `json:"n_seeds"`

	Seq     []int
	RS      string
	Pairs   [][2]string
	Polymer string
	Error   string
}

func (g *golden) monomers(t *testing.T) (list []string) {
	t.Helper()
	if err := json.Unmarshal(g.Monomers, &list); err != nil {
		t.Fatal(err)
	}
	return list
}

// lines decodes a gzipped file of JSON lines.
func lines[T any](t *testing.T, name string) (all []T) {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	for sc := bufio.NewScanner(z); sc.Scan(); {
		var v T
		if err := json.Unmarshal(sc.Bytes(), &v); err != nil {
			t.Fatal(err)
		}
		all = append(all, v)
	}
	return all
}

// goldens are the lines of one kind.
func goldens(t *testing.T, kind string) (list []golden) {
	t.Helper()
	for _, g := range lines[golden](t, "m2p.jsonl.gz") {
		if g.Kind == kind {
			list = append(list, g)
		}
	}
	if len(list) == 0 {
		t.Fatalf("no golden lines of kind %s", kind)
	}
	return list
}

// canonical is the identity of a molecule given as SMILES; errors of m2p are
// "error".
func canonical(t *testing.T, s string) string {
	t.Helper()
	if strings.HasPrefix(s, "ERROR") {
		return "error"
	}
	m, err := perceive(s)
	if err != nil {
		t.Fatalf("%s: %v", s, err)
	}
	return smiles.Canonical(m)
}

// result is the identity of what a polymerization gave.
func result(t *testing.T, m *mol.Mol, err error) string {
	t.Helper()
	if refused := (*Error)(nil); errors.As(err, &refused) {
		return "error"
	}
	if err != nil {
		t.Fatal(err)
	}
	return smiles.Canonical(m)
}

// whole is result for a chain that must be one molecule.
func whole(t *testing.T, m *mol.Mol, err error) string {
	t.Helper()
	r := result(t, m, err)
	if strings.Contains(r, ".") {
		t.Errorf("a chain fell apart: %s", r)
	}
	return r
}

func TestExact(t *testing.T) {
	for _, g := range goldens(t, "exact") {
		var text map[string]string
		if err := json.Unmarshal(g.Outcomes, &text); err != nil {
			t.Fatal(err)
		}
		want := map[string]*big.Rat{}
		for s, p := range text {
			want[canonical(t, s)], _ = new(big.Rat).SetString(p)
		}
		p, err := New(Spec{Monomers: g.monomers(t), Mechanism: g.Mechanism, DP: g.DP, Distribution: g.Distribution})
		if err != nil {
			t.Errorf("%s: %v", g.Monomers, err)
			continue
		}
		got := outcomes(func(choose chooser) string {
			m, err := p.chain(choose)
			return whole(t, m, err)
		})
		compare(t, string(g.Monomers), got, want)
	}
}

func compare(t *testing.T, name string, got, want map[string]*big.Rat) {
	t.Helper()
	for s, p := range want {
		if got[s] == nil || got[s].Cmp(p) != 0 {
			t.Errorf("%s: %s has probability %v, want %v", name, s, got[s], p)
		}
	}
	for s, p := range got {
		if want[s] == nil {
			t.Errorf("%s: %s has probability %v and should not be", name, s, p)
		}
	}
}

func TestFunctionality(t *testing.T) {
	type line struct {
		SMILES  string
		Counts  map[string]int
		Matches map[string][][]int32
	}
	for _, want := range lines[line](t, "m2p_functionality.jsonl.gz") {
		m, err := smiles.Read(want.SMILES)
		if err != nil {
			t.Errorf("%s: %v", want.SMILES, err)
			continue
		}
		for _, g := range Groups() {
			got := g.Find(m)
			if len(got) != want.Counts[g.String()] {
				t.Errorf("%s: %d %s, want %d", want.SMILES, len(got), g, want.Counts[g.String()])
				continue
			}
			if !slices.EqualFunc(sets(got), sets(want.Matches[g.String()]), slices.Equal) {
				t.Errorf("%s: %s at %v, want %v", want.SMILES, g, got, want.Matches[g.String()])
			}
		}
	}
}

// sets sorts matches and the atoms in each.
func sets(matches [][]int32) [][]int32 {
	var list [][]int32
	for _, m := range matches {
		list = append(list, slices.Sorted(slices.Values(m)))
	}
	slices.SortFunc(list, slices.Compare)
	return list
}

func TestVinylStereoExact(t *testing.T) {
	for _, g := range goldens(t, "vinyl_stereo_exact") {
		p, err := New(Spec{Monomers: g.monomers(t), Mechanism: VinylStereo, DP: len(g.Seq)})
		got := "error"
		if err == nil {
			v, err := newVinylStereo(p.monomers, p.weights)
			if err != nil {
				t.Fatal(err)
			}
			got = assembled(t, func(c *chain) { v.grow(c, g.Seq, flags(m2pConfigurations(p, g.RS))) })
		}
		if want := canonical(t, g.want()); got != want {
			t.Errorf("%s %v %s: %s, want %s (%s)", g.Monomers, g.Seq, g.RS, got, want, g.Polymer)
		}
	}
}

// m2pConfigurations is what m2p makes of R and S. Where a monomer can be added
// in two directions or over two double bonds it takes R from the one and S from
// the other but turns both alike, so that for butene and butadiene S is R again.
func m2pConfigurations(p *Polymerization, rs string) string {
	for _, k := range p.monomers {
		from := map[int32]bool{}
		for _, double := range k.double {
			if len(k.find.bonded(double[1])) > 0 {
				from[double[0]] = true
			}
		}
		if len(from) > 1 {
			return strings.ReplaceAll(rs, "S", "R")
		}
	}
	return rs
}

func (g *golden) want() string {
	if g.Error != "" {
		return "ERROR"
	}
	return g.Polymer
}

func assembled(t *testing.T, grow func(c *chain)) string {
	t.Helper()
	c := new(chain)
	grow(c)
	m, err := c.finish()
	if err != nil {
		t.Fatal(err)
	}
	return smiles.Canonical(m)
}

// flags turns "RSS" into whether each is S.
func flags(rs string) (s []bool) {
	for _, c := range rs {
		s = append(s, c == 'S')
	}
	return s
}

func TestEsterStereoExact(t *testing.T) {
	for _, g := range goldens(t, "ester_stereo_exact") {
		var monomers []string
		for _, pair := range g.Pairs {
			monomers = append(monomers, pair[0], pair[1])
		}
		p, err := New(Spec{Monomers: monomers, Mechanism: EsterStereo, DP: len(g.Seq)})
		if err != nil {
			t.Errorf("%v: %v", monomers, err)
			continue
		}
		e, err := newEsterStereo(p.monomers, p.weights)
		if err != nil {
			t.Fatal(err)
		}
		got := assembled(t, func(c *chain) { e.grow(c, g.Seq, flags(g.RS)) })
		if want := canonical(t, g.want()); got != want {
			t.Errorf("%v %v %s: %s, want %s (%s)", monomers, g.Seq, g.RS, got, want, g.Polymer)
		}
	}
}
