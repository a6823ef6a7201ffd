package featurize_test

import (
	"slices"
	"testing"

	"polyid-trainer/featurize"
)

// FuzzFeaturize holds the whole path from a string to graph, tokens and
// fingerprint to what must be true of every molecule.
func FuzzFeaturize(f *testing.F) {
	readGolden(f, "edge", func(g golden) { f.Add(g.SMILES) })
	for _, s := range []string{
		"*CC(*)c1ccccc1", "C[C@H](O)CC(=O)O[C@@H](C)CC(=O)O", "F/C=C/F", "[Fe]<-[NH3]", "C~C", "[2H][13CH2]O", "C1CC1.C%(100)CC%(100)",
		"c1ccc2c(c1)c3ccccc3c4ccccc24", "O=S1(=O)[C@H]2CC[C@H]1C=C2", "[Cu@SP1](F)(Cl)(Br)I", "C C|name|",
	} {
		f.Add(s)
	}
	featurizers := []*featurize.Featurizer{
		must(featurize.New(featurize.Config{})),
		must(featurize.New(featurize.Config{Atom: "atom_features_v2", Bond: "bond_features_v2"})),
		must(featurize.New(featurize.Config{Atom: "atom_features_meso", Bond: "bond_features_v3"})),
	}
	f.Fuzz(func(t *testing.T, s string) {
		if len(s) > 1000 {
			t.Skip("length is TestHostile's business")
		}
		var first *featurize.Graph
		for _, f := range featurizers {
			m, err := f.Read(s)
			if err != nil {
				if first != nil {
					t.Fatalf("%+v refuses what others accept: %v", f.Config(), err)
				}
				continue
			}
			heavy, environments := len(m.Atoms), 0
			for _, n := range featurize.Morgan(m) {
				environments += n
			}
			if environments < heavy || environments > (featurize.MorganRadius+1)*heavy {
				t.Fatalf("%d environments of %d atoms", environments, heavy)
			}
			g := f.GraphOf(m)
			checkEdges(t, g)
			if first == nil {
				first = g
			} else if !slices.Equal(first.Src, g.Src) || !slices.Equal(first.Dst, g.Dst) {
				t.Fatalf("%+v gives other edges", f.Config())
			}
			again, err := f.Graph(s)
			if err != nil || again.Key() != g.Key() {
				t.Fatalf("the second time is different: %v", err)
			}
			vocab, err := f.Fit(once(g))
			if err != nil {
				t.Fatal(err)
			}
			if _, unknown := f.Bind(vocab).Bond.Tokens(nil, g.Bond); unknown != 0 {
				t.Fatalf("%d unknown tokens among those fitted on", unknown)
			}
		}
	})
}

// checkEdges holds the edges of a graph to nfp's order and to being in pairs.
func checkEdges(t *testing.T, g *featurize.Graph) {
	t.Helper()
	if len(g.Src) != len(g.Bond) || len(g.Dst) != len(g.Bond) || len(g.Rev) != len(g.Bond) {
		t.Fatalf("%d, %d, %d and %d entries per edge", len(g.Bond), len(g.Src), len(g.Dst), len(g.Rev))
	}
	for e := range g.Src {
		r := g.Rev[e]
		switch {
		case e > 0 && g.Src[e] < g.Src[e-1]:
			t.Fatalf("edge %d leaves atom %d after %d", e, g.Src[e], g.Src[e-1])
		case g.Rev[r] != int32(e) || g.Src[r] != g.Dst[e] || g.Dst[r] != g.Src[e] || g.Src[e] == g.Dst[e]:
			t.Fatalf("edge %d from %d to %d has reverse %d", e, g.Src[e], g.Dst[e], r)
		}
	}
}
