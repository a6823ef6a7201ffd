package dataset

import (
	"math"
	"slices"
	"strings"
	"testing"

	"polyid-trainer/data"
	"polyid-trainer/featurize"
	"polyid-trainer/nn/enginetest"
	"polyid-trainer/nn/plan"
)

// shipped is PolyID's training table with its polymers.
func shipped(t *testing.T) (*data.Table, *Dataset) {
	t.Helper()
	f, err := featurize.New(featurize.Config{})
	if err != nil {
		t.Fatal(err)
	}
	table, set, err := PolyID(t.Context(), f, 12)
	if err != nil {
		t.Fatal(err)
	}
	return table, set
}

func all(n int) []int {
	rows := make([]int, n)
	for i := range rows {
		rows[i] = i
	}
	return rows
}

// TestShippedTable compares with what PolyID made of the same rows: its scaler
// (golden meta.json) and its tokens, row by row.
func TestShippedTable(t *testing.T) {
	table, set := shipped(t)
	if set.Rows() != 229 || set.Distinct() != 35 {
		t.Fatalf("%d rows, %d distinct graphs, want 229 and 35", set.Rows(), set.Distinct())
	}
	fold, err := set.Fold(table, data.Fold{Train: all(229), Validate: []int{3}})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(fold.Scaler.Center, []float64{36, 150}) || !slices.Equal(fold.Scaler.Scale, []float64{40, 63}) {
		t.Errorf("scaler %+v, PolyID has centers 36 and 150 and scales 40 and 63", fold.Scaler)
	}
	if s := fold.Sizes(); s.AtomClasses != 9 || s.BondClasses != 14 || s.Targets != 2 {
		t.Errorf("sizes %+v, PolyID has 9 atom and 14 bond classes", s)
	}
	peer := enginetest.ReadShipped(t)
	cache := plan.NewCache(12)
	for i, x := range fold.Train.All() {
		want := peer.Polymer(i, fold.Scaler.Center, fold.Scaler.Scale)
		p := cache.Plan(want.Graph())
		if !slices.Equal(x.Atom, p.AtomID) || !slices.Equal(x.Bond, p.BondID) {
			t.Fatalf("row %d: tokens %v and %v, PolyID's are %v and %v", i, x.Atom, x.Bond, p.AtomID, p.BondID)
		}
		for k, y := range want.Target {
			if y := float32(y); math.IsNaN(float64(y)) != math.IsNaN(float64(x.Target[k])) || !math.IsNaN(float64(y)) && y != x.Target[k] {
				t.Errorf("row %d: target %d is %v, want %v", i, k, x.Target[k], y)
			}
		}
		if x.Row != i {
			t.Errorf("example %d is row %d", i, x.Row)
		}
	}
	if &fold.Validate.All()[0].Plan.AtomID[0] != &fold.Train.All()[3].Plan.AtomID[0] {
		t.Error("training and validation do not share plans")
	}
}

// TestFittedOnTrainingRowsOnly hides the only row with sulfur from training.
func TestFittedOnTrainingRowsOnly(t *testing.T) {
	table, set := shipped(t)
	rows := all(229)
	var without, with []int
	for _, r := range rows {
		if strings.Contains(table.Structures[r].Polymer, "S") {
			with = append(with, r)
		} else {
			without = append(without, r)
		}
	}
	if len(with) == 0 {
		t.Fatal("no row has sulfur: the test shows nothing")
	}
	fold, err := set.Fold(table, data.Fold{Train: without, Validate: with})
	if err != nil {
		t.Fatal(err)
	}
	if slices.Contains(fold.Vocab.Atom.Words(), "('S', 2, 0, 0, False)") || !slices.Contains(fold.Validate.All()[0].Atom, featurize.Unknown) {
		t.Errorf("the vocabulary knows sulfur: %q", fold.Vocab.Atom.Words())
	}
	want, err := table.FitScaler(without)
	if err != nil || !slices.Equal(want.Center, fold.Scaler.Center) {
		t.Errorf("scaler %v, want %v", fold.Scaler, want)
	}
}

// TestGraphKeys counts what the network can tell apart of PolyID's table: 18
// graphs, although the order of atoms makes 35 of them. RDKit counts the same,
// by canonical SMILES without stereochemistry (data/testdata/graphs.json).
func TestGraphKeys(t *testing.T) {
	_, set := shipped(t)
	keys := set.GraphKeys()
	count := map[string]int{}
	for _, k := range keys {
		count[k]++
	}
	largest := 0
	for _, n := range count {
		largest = max(largest, n)
	}
	if len(keys) != 229 || len(count) != 18 || largest != 50 {
		t.Errorf("%d keys of %d graphs, the largest of %d rows; want 229 of 18, 50", len(keys), len(count), largest)
	}
}

// TestGraphKeyOrder writes one molecule in two orders, and another one.
func TestGraphKeyOrder(t *testing.T) {
	f, err := featurize.New(featurize.Config{})
	if err != nil {
		t.Fatal(err)
	}
	set, err := New(t.Context(), f, slices.Values([]string{"OCC(C)=O", "CC(=O)CO", "CC(=O)OC"}), 4)
	if err != nil {
		t.Fatal(err)
	}
	if k := set.GraphKeys(); k[0] != k[1] || k[0] == k[2] || set.Distinct() != 3 {
		t.Errorf("keys %x of %d graphs", k, set.Distinct())
	}
}

func TestRefused(t *testing.T) {
	f, err := featurize.New(featurize.Config{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = New(t.Context(), f, slices.Values([]string{"CC", "C(", "CC", "N)"}), 2)
	if err == nil || !strings.Contains(err.Error(), "row 1: ") || !strings.Contains(err.Error(), "row 3: ") {
		t.Errorf("error %v, want it to name rows 1 and 3", err)
	}
	table, set := shipped(t)
	if _, err := set.Fold(table, data.Fold{Train: []int{0, 229}}); err == nil {
		t.Error("a row beyond the table was accepted")
	}
	short := *table
	short.Structures = short.Structures[:3]
	if _, err := set.Fold(&short, data.Fold{Train: []int{0}}); err == nil {
		t.Error("another table was accepted")
	}
}

// TestPacking packs and unpacks graphs of every kind: chains, rings, branches and
// hydrogens, a lone atom, fragments.
func TestPacking(t *testing.T) {
	f, err := featurize.New(featurize.Config{})
	if err != nil {
		t.Fatal(err)
	}
	table, _ := shipped(t)
	structures := []string{"C", "[H][H]", "[Na+].[Cl-]", "C12C3C4C1C5C2C3C45", "O=C1NC(=O)c2ccccc12", "[2H]C([2H])O", "CC(C)(C)c1ccc2[nH]ccc2c1.O"}
	for i := range table.Structures {
		structures = append(structures, table.Structures[i].Polymer)
	}
	p := packers.Get().(*packer)
	atoms, bytes := 0, 0
	for _, s := range structures {
		g, err := f.Graph(s)
		if err != nil {
			t.Fatalf("%s: %v", s, err)
		}
		b, err := p.pack(g)
		if err != nil {
			t.Fatalf("%s: %v", s, err)
		}
		got, err := p.unpack(b)
		if err != nil || !slices.Equal(got.Atom, g.Atom) || !slices.Equal(got.Bond, g.Bond) || !slices.Equal(got.Src, g.Src) || !slices.Equal(got.Dst, g.Dst) {
			t.Fatalf("%s comes back as %+v, %v", s, got, err)
		}
		atoms, bytes = atoms+len(g.Atom), bytes+len(b)
	}
	if bytes > atoms {
		t.Errorf("%d atoms take %d bytes", atoms, bytes)
	}
}

// TestSmallCache learns the same examples from plans that are never held.
func TestSmallCache(t *testing.T) {
	table, set := shipped(t)
	fold, err := set.Fold(table, data.Fold{Train: all(229)})
	if err != nil {
		t.Fatal(err)
	}
	want := fold.Train.All()
	set.plans = plan.NewBounded(0)
	for i, x := range fold.Train.All() {
		if !x.Plan.Equal(want[i].Plan) || !slices.Equal(x.Atom, want[i].Atom) || !slices.Equal(x.Bond, want[i].Bond) || !slices.Equal(x.Target, want[i].Target) && !math.IsNaN(float64(x.Target[0]+x.Target[1])) {
			t.Fatalf("example %d is another one", i)
		}
	}
	if _, plans := set.Bytes(); plans != 0 {
		t.Errorf("%d bytes of plans are held", plans)
	}
}
