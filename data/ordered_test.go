package data

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

func TestGroupingJSON(t *testing.T) {
	for text, want := range map[string]Grouping{`"cluster"`: ByCluster, `{"column":"year"}`: "column:year", `"polymer"`: ByPolymer} {
		var g Grouping
		if err := json.Unmarshal([]byte(text), &g); err != nil || g != want {
			t.Errorf("%s is read as %q (%v)", text, g, err)
		}
		if back, err := json.Marshal(g); err != nil || string(back) != text {
			t.Errorf("%s is written as %s (%v)", text, back, err)
		}
	}
	for _, text := range []string{`{"column":""}`, `{"colum":"year"}`, `7`} {
		if err := json.Unmarshal([]byte(text), new(Grouping)); err == nil {
			t.Errorf("%s is read", text)
		}
	}
}

// dated is a table of 24 polymers, two a year, each of one lab of three; the last row
// measures the first polymer again.
func dated(t *testing.T) *Table {
	t.Helper()
	text := "smiles_repeat_unit,Tg,year,lab\n"
	for i := range 24 {
		text += "*" + strings.Repeat("C", i+1) + "O*," + string(rune('1'+i%9)) + "," + []string{"1990", "1991", "1992", "1993", "1994", "1995", "1996", "1997", "1998", "1999", "2000", "2001"}[i/2] + "," + []string{"a", "b", "c"}[i%3] + "\n"
	}
	text += "*CO*,5,2002,a\n"
	tab, _ := mustRead(t, text, Columns{Targets: []string{"Tg"}}, Options{MinValues: 1, Keep: []string{"year", "lab"}})
	var b bytes.Buffer
	if err := tab.WriteCSV(&b); err != nil {
		t.Fatal(err)
	}
	again, _ := mustRead(t, b.String(), Columns{Targets: []string{"Tg"}}, Options{MinValues: 1, AllNumbers: true, Keep: []string{"year", "lab"}})
	if again.Hash() != tab.Hash() || !slices.Equal(again.Kept["lab"], tab.Kept["lab"]) {
		t.Errorf("written and read back, it keeps %v", again.Kept)
	}
	return again
}

// By time, every fold learns from what is earlier than all it validates, no polymer is
// on both sides, and the earliest rows are never validated.
func TestOrderBy(t *testing.T) {
	tab := dated(t)
	part, err := tab.Partition(PartitionRequest{Folds: 3, Split: Split{OrderBy: "year"}})
	if err != nil {
		t.Fatal(err)
	}
	validated := 0
	for i, f := range part.Folds {
		validated += len(f.Validate)
		for _, a := range f.Train {
			for _, b := range f.Validate {
				if part.Groups[a] == part.Groups[b] || tab.Kept["year"][a] >= tab.Kept["year"][b] && a != 0 && b != 0 {
					t.Errorf("fold %d learns from row %d of %s and validates row %d of %s", i, a, tab.Kept["year"][a], b, tab.Kept["year"][b])
				}
			}
		}
	}
	if len(part.Folds) != 3 || validated < 12 || validated > 20 {
		t.Errorf("%d folds validate %d of %d rows", len(part.Folds), validated, tab.Rows())
	}
}

func TestGroupByColumn(t *testing.T) {
	tab := dated(t)
	part, err := tab.Partition(PartitionRequest{Folds: 3, Split: Split{GroupBy: "column:lab"}})
	if err != nil {
		t.Fatal(err)
	}
	for i, f := range part.Folds {
		labs := map[string]bool{}
		for _, r := range f.Validate {
			labs[tab.Kept["lab"][r]] = true
		}
		if len(labs) != 1 {
			t.Errorf("fold %d validates the labs %v", i, labs)
		}
	}
	if _, err := tab.Partition(PartitionRequest{Folds: 4, Split: Split{GroupBy: "column:lab"}}); err == nil {
		t.Error("four folds of three labs")
	}
	for _, s := range []Split{{GroupBy: "column:nobody"}, {OrderBy: "nobody"}, {OrderBy: "lab"}} {
		if _, err := tab.Partition(PartitionRequest{Folds: 5, Split: s}); err == nil {
			t.Errorf("%+v is accepted", s)
		}
	}
}

func TestGroupByCluster(t *testing.T) {
	tab := dated(t)
	keys := make([]string, tab.Rows())
	for r := range keys {
		keys[r] = string(rune('a' + r/5))
	}
	part, err := tab.Partition(PartitionRequest{Folds: 2, Split: Split{GroupBy: ByCluster}, ClusterKeys: keys})
	if err != nil {
		t.Fatal(err)
	}
	for r := 1; r < 5; r++ {
		if part.Groups[r] != part.Groups[0] {
			t.Errorf("rows of one cluster are in groups %v", part.Groups[:5])
		}
	}
}
