package featurize_test

import (
	"encoding/json"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"polyid-trainer/featurize"
	"polyid-trainer/featurize/mol"
	"polyid-trainer/featurize/smiles"
)

// read reads a SMILES that is known to be good.
func read(tb testing.TB, s string) *mol.Mol {
	tb.Helper()
	m, err := smiles.Read(s)
	if err != nil {
		tb.Fatalf("%q: %v", s, err)
	}
	mol.AssignStereo(m)
	return m
}

// Every hash and count must be RDKit's.
func TestMorganGolden(t *testing.T) {
	t.Parallel()
	readGolden(t, "morgan", func(g golden) {
		m := read(t, g.SMILES)
		inv := make([]uint32, len(g.Inv))
		for _, e := range featurize.Environments(m) {
			if e.Radius == 0 {
				inv[e.Center] = e.Hash
			}
		}
		if !slices.Equal(inv, g.Inv) {
			t.Errorf("%s: invariants %v, want %v", g.SMILES, inv, g.Inv)
		}
		got := map[string]int{}
		for h, n := range featurize.Morgan(m) {
			got[strconv.FormatUint(uint64(h), 10)] = n
		}
		if !maps.Equal(got, g.Sparse) {
			t.Errorf("%s: counts %v, want %v", g.SMILES, got, g.Sparse)
		}
	})
}

// The spans of radius 2 must tell bond sets apart exactly as lists of bonds do,
// also where rings of three make a bond count from both sides.
func TestMorganSpans(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		m := mol.New(0, 0)
		n := 2 + rng.IntN(9)
		for range n {
			m.AddAtom(mol.Atom{Element: 6})
		}
		taken := map[[2]int32]bool{}
		for range rng.IntN(2 * n) {
			a, b := int32(rng.IntN(n)), int32(rng.IntN(n))
			if a != b && !taken[[2]int32{a, b}] {
				taken[[2]int32{a, b}], taken[[2]int32{b, a}] = true, true
				m.AddBond(mol.Bond{Begin: a, End: b, Kind: mol.Single})
			}
		}
		// Two atoms share a span exactly when one of them has no environment of
		// radius 2 of its own, or its span is one of radius 1.
		spans := map[string]bool{}
		bonds := func(a, radius int) string {
			set := map[int32]bool{}
			for _, nb := range m.Neighbors(a) {
				set[nb.Bond] = true
				if radius == 2 {
					for _, far := range m.Neighbors(int(nb.Atom)) {
						set[far.Bond] = true
					}
				}
			}
			return strings.Trim(string(must(json.Marshal(slices.Sorted(maps.Keys(set))))), "[]")
		}
		want := map[int32]int{}
		for radius := range 3 {
			for a := range n {
				if key := bonds(a, radius); radius > 0 && len(m.Neighbors(a)) > 0 && !spans[key] {
					spans[key] = true
					want[int32(radius)]++
				}
			}
		}
		want[0] = n
		got := map[int32]int{}
		for _, e := range featurize.Environments(m) {
			got[e.Radius]++
		}
		if !maps.Equal(got, want) {
			t.Fatalf("environments by radius %v, want %v for bonds %v", got, want, m.Bonds)
		}
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// A star of many arms has a large environment around every arm: neither time
// nor memory may grow with the square.
func TestMorganStar(t *testing.T) {
	t.Parallel()
	const arms = 100_000
	m := mol.New(0, 0)
	m.AddAtom(mol.Atom{})
	for range arms {
		m.AddAtom(mol.Atom{})
		m.AddBond(mol.Bond{Begin: 0, End: int32(len(m.Atoms) - 1), Kind: mol.Single})
	}
	counts := featurize.Morgan(m)
	if len(counts) != 4 { // the centre and the arms, at radius 0 and 1; radius 2 spans the same bonds as the centre's radius 1
		t.Errorf("%d distinct hashes, want 4", len(counts))
	}
}
