package data

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
)

func partition(t *testing.T, table *Table, q PartitionRequest) *Partition {
	t.Helper()
	p, err := table.Partition(q)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func codes(ws []Warning) []string {
	out := []string{}
	for _, w := range ws {
		out = append(out, w.Code)
	}
	return out
}

// graphKeys are equal for rows of PolyID's table with equal v1 token graphs.
func graphKeys(t *testing.T, kind string) []string {
	t.Helper()
	text, err := os.ReadFile("testdata/graphs.json")
	if err != nil {
		t.Fatal(err)
	}
	var graphs map[string][]json.Number
	if err := json.Unmarshal(text, &graphs); err != nil {
		t.Fatal(err)
	}
	keys := make([]string, len(graphs[kind]))
	for i, n := range graphs[kind] {
		keys[i] = n.String()
	}
	return keys
}

// checkDealt checks what a dealt partition guarantees.
func checkDealt(t *testing.T, table *Table, p *Partition, k int) {
	t.Helper()
	wantEqual(t, "number of folds", len(p.Folds), k)
	members := p.Groups.Members()
	var validated []int
	rows := table.Rows() - len(p.Holdout)
	for i, f := range p.Folds {
		validated = append(validated, f.Validate...)
		if len(f.Train)+len(f.Validate) != rows {
			t.Errorf("fold %d: %d rows train and %d validate, of %d", i, len(f.Train), len(f.Validate), rows)
		}
		if !slices.IsSorted(f.Train) || !slices.IsSorted(f.Validate) {
			t.Errorf("fold %d is not ascending", i)
		}
		largest := 0
		for _, r := range f.Validate {
			largest = max(largest, len(members[p.Groups[r]]))
		}
		if over := float64(len(f.Validate)) - float64(rows)/float64(k); over > float64(largest) {
			t.Errorf("fold %d has %d rows, over %d/%d by more than its largest group, %d", i, len(f.Validate), rows, k, largest)
		}
	}
	all := slices.Concat(validated, p.Holdout)
	slices.Sort(all)
	wantEqual(t, "rows validated or held out", all, allRows(table))
	side := make(map[int32]int) // group → fold, k for the hold-out
	put := func(rows []int, at int) {
		for _, r := range rows {
			if was, ok := side[p.Groups[r]]; ok && was != at {
				t.Errorf("group %d is in %d and %d", p.Groups[r], was, at)
			}
			side[p.Groups[r]] = at
		}
	}
	for i, f := range p.Folds {
		put(f.Validate, i)
	}
	put(p.Holdout, k)
}

func TestPartitionByPolymer(t *testing.T) {
	table := stereo(t)
	for seed := range uint64(10) {
		p := partition(t, table, PartitionRequest{Folds: 5, Seed: seed})
		checkDealt(t, table, p, 5)
		wantEqual(t, "warnings", p.Warnings, []Warning{})
	}
}

func TestPartitionByGraph(t *testing.T) {
	table := stereo(t)
	keys := graphKeys(t, "tokens")
	for seed := range uint64(10) {
		p := partition(t, table, PartitionRequest{Folds: 5, Seed: seed, Split: Split{GroupBy: ByGraph}, GraphKeys: keys})
		checkDealt(t, table, p, 5)
		if s := table.GraphStats(keys, p.Folds); s.ValidationKnown != 0 {
			t.Errorf("seed %d: %d validation rows have a graph their fold trains on", seed, s.ValidationKnown)
		}
	}
	if _, err := table.Partition(PartitionRequest{Folds: 5, Split: Split{GroupBy: ByGraph}}); err == nil {
		t.Error("grouped by graph without graphs")
	}
}

func TestPartitionFollowsItsSeed(t *testing.T) {
	table := stereo(t)
	a := partition(t, table, PartitionRequest{Folds: 5, Seed: 7})
	b := partition(t, table, PartitionRequest{Folds: 5, Seed: 7})
	c := partition(t, table, PartitionRequest{Folds: 5, Seed: 8})
	wantEqual(t, "the same seed", a, b)
	if slices.Equal(a.Folds[0].Validate, c.Folds[0].Validate) {
		t.Error("another seed, the same fold")
	}
}

func TestPartitionLeavesUnmeasuredRowsOut(t *testing.T) {
	d, _ := Shipped("stereopolymer_input_nopush")
	table, report, err := Parse(t.Context(), []*Sheet{d.Sheet()}, Columns{Targets: []string{"Tm"}}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	wantEqual(t, "warnings", codes(report.Warnings), []string{"unmeasured_rows"})
	p := partition(t, table, PartitionRequest{Folds: 5})
	n := 0
	for _, f := range p.Folds {
		for _, r := range f.Validate {
			n++
			if !table.Measured(r) {
				t.Errorf("row %d has nothing to judge by", r)
			}
		}
	}
	wantEqual(t, "validated rows", n, 123)
}

func TestPartitionTakesPolyIDsFolds(t *testing.T) {
	table := stereo(t)
	text, err := os.ReadFile("testdata/polyid_split.json")
	if err != nil {
		t.Fatal(err)
	}
	var folds Folds
	if err := json.Unmarshal(text, &folds); err != nil {
		t.Fatal(err)
	}
	p := partition(t, table, PartitionRequest{Folds: 5, Split: Split{Folds: folds}})
	wantEqual(t, "folds", p.Folds, folds)
	wantEqual(t, "warnings", codes(p.Warnings), []string{"groups_straddle"})

	// What the tables look like to v1 features, and what PolyID's split makes of it.
	s := table.GraphStats(graphKeys(t, "tokens"), p.Folds)
	wantEqual(t, "token graphs", s, GraphStats{Rows: 229, Polymers: 83, Graphs: 35, Largest: 31, ValidationRows: 229, ValidationKnown: 199})
	s = table.GraphStats(graphKeys(t, "molecule"), p.Folds)
	wantEqual(t, "molecules", s, GraphStats{Rows: 229, Polymers: 83, Graphs: 18, Largest: 50, ValidationRows: 229, ValidationKnown: 221})
	if w, ok := s.Warning(); !ok || w.Code != "features_ignore_tacticity" || !strings.Contains(w.Detail, "97%") {
		t.Errorf("warning %+v, %v", w, ok)
	}
}

// tens is a table of ten polymers, the odd ones of another mechanism.
func tens(t *testing.T) *Table {
	t.Helper()
	var b strings.Builder
	b.WriteString("monomers,mechanism,Tg,Tm\n")
	for i := range 10 {
		b.WriteString(strings.Repeat("C", i+1) + []string{",ester,", ",amide,"}[i%2] + "1,")
		if i == 0 {
			b.WriteString("5")
		}
		b.WriteString("\n")
	}
	table, _ := mustRead(t, b.String(), Columns{}, Options{})
	return table
}

func TestPartitionExplicitFoldsWarn(t *testing.T) {
	table := tens(t)
	p := partition(t, table, PartitionRequest{
		Holdout: &Holdout{Rows: []int{9}},
		Split: Split{Folds: Folds{
			{Train: []int{0, 1, 2, 9}, Validate: []int{2, 3, 3}},
			{Train: []int{2, 3, 4}, Validate: []int{0, 3}},
		}}})
	wantEqual(t, "folds", p.Folds, Folds{{[]int{0, 1, 2}, []int{2, 3}}, {[]int{2, 3, 4}, []int{0, 3}}})
	wantEqual(t, "hold-out", p.Holdout, []int{9})
	wantEqual(t, "warnings", codes(p.Warnings), []string{
		"rows_repeated", "folds_overlap", "folds_repeat", "folds_incomplete", "folds_missing", "folds_held_out", "groups_straddle",
		"fold_without_target", "fold_trains_without_target", "holdout_without_target"})
	for _, bad := range []Folds{
		{{Train: []int{0}, Validate: []int{10}}, {Train: []int{0}, Validate: []int{1}}},
		{{Train: []int{-1}, Validate: []int{0}}, {Train: []int{0}, Validate: []int{1}}},
		{{Train: nil, Validate: []int{0}}, {Train: []int{0}, Validate: []int{1}}},
		{{Train: []int{1}, Validate: []int{0}}},
	} {
		if _, err := table.Partition(PartitionRequest{Split: Split{Folds: bad}}); err == nil {
			t.Errorf("%v was taken", bad)
		}
	}
}

func TestPartitionCountsPositionsInTheInput(t *testing.T) {
	table, _ := mustRead(t, "smiles_polymer,Tg\nC,1\nCC,x\nCCC,3\nCCCC,4\n", Columns{}, Options{DropBadRows: true})
	p := partition(t, table, PartitionRequest{Split: Split{Folds: Folds{
		{Train: []int{0, 1}, Validate: []int{2, 3}}, {Train: []int{2, 3}, Validate: []int{0, 1}}}}})
	wantEqual(t, "folds", p.Folds, Folds{{[]int{0}, []int{1, 2}}, {[]int{1, 2}, []int{0}}})
	wantEqual(t, "warnings", codes(p.Warnings), []string{"rows_dropped", "rows_dropped"})
}

func TestPartitionHoldout(t *testing.T) {
	table := stereo(t)
	p := partition(t, table, PartitionRequest{Folds: 5, Seed: 1, Holdout: &Holdout{Fraction: 0.2, Stratify: ByMechanism}})
	checkDealt(t, table, p, 5)
	if n := len(p.Holdout); n < 40 || n > 46 {
		t.Errorf("%d of 229 rows held out, want a fifth", n)
	}
	// A dataset held out is the caller's; the table stays whole.
	p = partition(t, table, PartitionRequest{Folds: 5, Holdout: &Holdout{Dataset: Names{"other"}}})
	wantEqual(t, "hold-out", p.Holdout, []int{})
}

func TestPartitionHoldoutStratifies(t *testing.T) {
	table := tens(t)
	for seed := range uint64(10) {
		p := partition(t, table, PartitionRequest{Folds: 2, Seed: seed, Holdout: &Holdout{Fraction: 0.4, Stratify: ByMechanism}})
		odd := 0
		for _, r := range p.Holdout {
			odd += r % 2
		}
		if len(p.Holdout) != 4 || odd != 2 {
			t.Errorf("seed %d holds out %v", seed, p.Holdout)
		}
	}
}

func TestPartitionRefuses(t *testing.T) {
	table := tens(t)
	for name, q := range map[string]PartitionRequest{
		"one fold":                  {Folds: 1},
		"more folds than groups":    {Folds: 11},
		"folds after the hold-out":  {Folds: 10, Holdout: &Holdout{Fraction: 0.2}},
		"too small a fraction":      {Folds: 2, Holdout: &Holdout{Fraction: 0.01}},
		"everything held out":       {Folds: 2, Holdout: &Holdout{Rows: []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}}},
		"a hold-out row of nowhere": {Folds: 2, Holdout: &Holdout{Rows: []int{10}}},
		"an unknown grouping":       {Folds: 2, Split: Split{GroupBy: "colour"}},
	} {
		if p, err := table.Partition(q); err == nil {
			t.Errorf("%s: %v", name, p.Folds)
		}
	}
}

func TestSplitSettings(t *testing.T) {
	var s Split
	if err := json.Unmarshal([]byte(`{"stratify": true, "group_by": "polymer", "folds": null}`), &s); err != nil {
		t.Fatal(err)
	}
	wantEqual(t, "defaults", Split{}.WithDefaults(), s)
	wantSettings(t, Split{GroupBy: "x", Folds: Folds{{Train: []int{0}}}}.Validate(), "group_by", "folds", "folds/0/validate")

	var h Holdout
	if err := json.Unmarshal([]byte(`{"fraction": 0.2, "stratify": "mechanism"}`), &h); err != nil {
		t.Fatal(err)
	}
	wantEqual(t, "hold-out", h, Holdout{Fraction: 0.2, Stratify: "mechanism"})
	if err := h.Validate(); err != nil {
		t.Error(err)
	}
	wantSettings(t, Holdout{}.Validate(), "")
	wantSettings(t, Holdout{Fraction: 1, Rows: []int{-1}, Stratify: "pm"}.Validate(), "", "fraction", "stratify", "rows")
	for text, want := range map[string]Names{`"a"`: {"a"}, `["a","b"]`: {"a", "b"}, `""`: nil, `null`: nil} {
		var n Names
		if err := json.Unmarshal([]byte(text), &n); err != nil {
			t.Errorf("%s: %v", text, err)
		}
		wantEqual(t, text, n, want)
	}
}
