package featurize_test

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"testing"

	"polyid-trainer/featurize"
	"polyid-trainer/featurize/smiles"
)

// rowsWithErrors is the shipped table with other molecules and bad rows mixed
// in, so that features keep turning up for the first time.
func rowsWithErrors(t *testing.T) []string {
	t.Helper()
	rows := shippedPolymers(t)
	i := 0
	readGolden(t, "edge", func(g golden) {
		rows = slices.Insert(rows, i*7%len(rows), g.SMILES)
		i++
	})
	return rows
}

// However many workers there are, the graphs and the ids must be those of
// featurizing one row after another.
func TestAllIsDeterministic(t *testing.T) {
	t.Parallel()
	rows := rowsWithErrors(t)
	serial, err := featurize.New(featurize.Config{})
	if err != nil {
		t.Fatal(err)
	}
	want := make([]featurize.Result, len(rows))
	for i, s := range rows {
		want[i].Graph, want[i].Err = serial.Graph(s)
	}

	for _, workers := range []int{0, 1, 2, 7} {
		f, err := featurize.New(featurize.Config{})
		if err != nil {
			t.Fatal(err)
		}
		done, calls := 0, 0
		got, err := f.All(t.Context(), rows, workers, func(n, total int) {
			if n <= done || total != len(rows) {
				t.Errorf("progress went from %d to %d of %d", done, n, total)
			}
			done = n
			calls++
		})
		if err != nil {
			t.Fatal(err)
		}
		if done != len(rows) || calls < 2 {
			t.Errorf("%d workers: progress ended at %d of %d after %d calls", workers, done, len(rows), calls)
		}
		for i := range rows {
			switch w, g := want[i], got[i]; {
			case (w.Err == nil) != (g.Err == nil) || w.Err != nil && w.Err.Error() != g.Err.Error():
				t.Fatalf("%d workers: row %d: error %v, want %v", workers, i, g.Err, w.Err)
			case w.Err == nil && w.Graph.Key() != g.Graph.Key():
				t.Fatalf("%d workers: row %d has another graph", workers, i)
			}
		}
		if !slices.Equal(f.Atom.Words(), serial.Atom.Words()) || !slices.Equal(f.Bond.Words(), serial.Bond.Words()) {
			t.Errorf("%d workers: other ids", workers)
		}
	}
}

// Graphs of a second call must be numbered by the same ids as the first's.
func TestAllTwice(t *testing.T) {
	t.Parallel()
	f, err := featurize.New(featurize.Config{})
	if err != nil {
		t.Fatal(err)
	}
	first, err := f.All(t.Context(), []string{"CC=O", "c1ccccc1"}, 2, nil)
	if err != nil {
		t.Fatal(err)
	}
	second, err := f.All(t.Context(), []string{"O", "c1ccccc1", "CC=O"}, 2, nil)
	if err != nil {
		t.Fatal(err)
	}
	if first[0].Graph.Key() != second[2].Graph.Key() || first[1].Graph.Key() != second[1].Graph.Key() {
		t.Error("the same SMILES has another graph the second time")
	}
}

func TestAllStops(t *testing.T) {
	t.Parallel()
	f, err := featurize.New(featurize.Config{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	rows := slices.Repeat([]string{"CC=O"}, 100_000)
	last := 0
	_, err = f.All(ctx, rows, 2, func(done, _ int) {
		last = done
		cancel()
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want context.Canceled", err)
	}
	if last == len(rows) {
		t.Error("it went on to the end")
	}
}

func TestAllOfNothing(t *testing.T) {
	t.Parallel()
	f, err := featurize.New(featurize.Config{})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := f.All(t.Context(), nil, 0, nil); err != nil || len(got) != 0 {
		t.Errorf("All of no rows = %v, %v", got, err)
	}
}

// PolyID's v1 features cannot see tacticity: the 229 rows of its table are 35
// distinct graphs, and the most frequent stands for 31 rows.
func TestShippedGroups(t *testing.T) {
	t.Parallel()
	f, err := featurize.New(featurize.Config{})
	if err != nil {
		t.Fatal(err)
	}
	results, err := f.All(t.Context(), shippedPolymers(t), 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	var graphs []*featurize.Graph
	for _, r := range results {
		if r.Err != nil {
			t.Fatal(r.Err)
		}
		graphs = append(graphs, r.Graph)
	}
	rows := map[int32]int{}
	largest := 0
	for _, g := range featurize.Groups(graphs) {
		rows[g]++
		largest = max(largest, rows[g])
	}
	if len(graphs) != 229 || len(rows) != 35 || largest != 31 {
		t.Errorf("%d rows in %d groups, the largest of %d; want 229, 35 and 31", len(graphs), len(rows), largest)
	}
}

func TestConfig(t *testing.T) {
	t.Parallel()
	f, err := featurize.New(featurize.Config{})
	if err != nil {
		t.Fatal(err)
	}
	if want := (featurize.Config{Atom: "atom_features_v1", Bond: "bond_features_v1"}); f.Config() != want {
		t.Errorf("defaults %+v, want %+v", f.Config(), want)
	}
	for _, bad := range []featurize.Config{{Atom: "atom_features_v9"}, {Bond: "v1"}, {Atom: "x", Bond: "y"}} {
		if _, err := featurize.New(bad); err == nil {
			t.Errorf("New accepts %+v", bad)
		}
	}
}

// Features that ignore stereochemistry skip its perception, which must never
// show: it could only where a tag is dropped with the hydrogen written for it.
func TestStereoSkippedIsExact(t *testing.T) {
	t.Parallel()
	v1, err := featurize.New(featurize.Config{})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{"C[C@H](O)CC", "C[C@@H](C)C", "C[P@H]C", "C[P@H](C)(C)C", "C[S@H](C)C", "C[S@H](C)(C)C", "C[Si@H](C)C", "C[As@H]C", "C[N@H]C"} {
		m, err := smiles.Read(s)
		if err != nil {
			continue // not a molecule to RDKit either
		}
		skipped, err := v1.Graph(s)
		if err != nil {
			t.Fatal(err)
		}
		if perceived := v1.GraphOf(read(t, s)); skipped.Key() != perceived.Key() {
			t.Errorf("%s (%d atoms): skipping stereochemistry shows", s, len(m.Atoms))
		}
	}
	for _, name := range goldenFeatures {
		readGolden(t, name, func(g golden) {
			if !g.OK {
				return
			}
			skipped, err := v1.Graph(g.SMILES)
			if err != nil {
				t.Fatal(err)
			}
			if perceived := v1.GraphOf(read(t, g.SMILES)); skipped.Key() != perceived.Key() {
				t.Errorf("%s: skipping stereochemistry shows", g.SMILES)
			}
		})
	}
}

// Memory must grow with the rows and nothing else: a row's share is the same
// whether there are few or many.
func TestAllMemoryIsLinear(t *testing.T) {
	perRow := func(rows int) float64 {
		f, err := featurize.New(featurize.Config{})
		if err != nil {
			t.Fatal(err)
		}
		input := slices.Repeat([]string{"CC(C)Cc1ccc(cc1)[C@@H](C)C(=O)O"}, rows)
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		results, err := f.All(t.Context(), input, 2, nil)
		if err != nil {
			t.Fatal(err)
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		runtime.KeepAlive(results)
		return float64(after.HeapAlloc-before.HeapAlloc) / float64(rows)
	}
	if few, many := perRow(2_000), perRow(20_000); many > 1.2*few {
		t.Errorf("%.0f bytes a row of 20,000, %.0f of 2,000", many, few)
	}
}
