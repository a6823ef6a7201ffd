package featurize_test

import (
	"strings"
	"testing"
	"time"

	"polyid-trainer/featurize"
	"polyid-trainer/featurize/mol"
	"polyid-trainer/featurize/smiles"
)

// BenchmarkFeatures is the path from one SMILES to a graph, by feature functions,
// over polymers of some 340 atoms.
func BenchmarkFeatures(b *testing.B) {
	rows := shippedPolymers(b)
	for _, c := range []featurize.Config{
		{Atom: "atom_features_v1", Bond: "bond_features_v1"},
		{Atom: "atom_features_v2", Bond: "bond_features_v2"},
		{Atom: "atom_features_v1", Bond: "bond_features_v3"},
		{Atom: "atom_features_meso", Bond: "bond_features_v1"},
	} {
		b.Run(strings.NewReplacer("_features", "").Replace(c.Atom+"+"+c.Bond), func(b *testing.B) {
			f, err := featurize.New(c)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				if _, err := f.Graph(rows[i%len(rows)]); err != nil {
					b.Fatal(err)
				}
				i++
			}
		})
	}
}

// TestStereoHostile holds stereo perception to time that grows little faster
// than its input, on inputs that make comparing everything with everything
// slow. It is generous, for busy machines: comparing every atom in every round
// takes tens of seconds.
func TestStereoHostile(t *testing.T) {
	const n = 30_000 // atoms; smiles.MaxSize is 32,768
	for name, s := range map[string]string{
		"one centre in a long chain": "F[C@](Cl)(Br)" + strings.Repeat("C", n),
		"a chain of equal centres":   "F" + strings.Repeat("[C@H](F)", n/2),
		"a tree of equal centres":    "F" + tree(13),
		"a chain of double bonds":    "F" + strings.Repeat("/C=C", n/2) + "/F",
		"a ring of tags":             "[C@H]1(F)" + strings.Repeat("[C@H](F)", n/2) + "1",
		"directions that disagree":   "F" + strings.Repeat("/C(/F)=C(/F)", n/4) + "/F",
		"many molecules":             "F" + strings.Repeat(".C[C@H](O)/C=C/C", n/6),
	} {
		t.Run(name, func(t *testing.T) {
			m, err := smiles.Read(s)
			if err != nil {
				t.Fatal(err)
			}
			start := time.Now()
			mol.AssignStereo(m)
			if took := time.Since(start); took > 2*time.Second {
				t.Errorf("took %v", took)
			} else {
				t.Log(took)
			}
		})
	}
}

// tree is a binary tree of centres that depth levels deep, on which nothing but
// the tags differs.
func tree(depth int) string {
	if depth == 0 {
		return "C"
	}
	branch := tree(depth - 1)
	return "[C@](F)(" + branch + ")" + strings.Replace(branch, "@", "@@", 1)
}
