package data

import (
	"fmt"
	"strings"
	"testing"
)

// Columns that count rows, tell when, or say the same everywhere are no targets
// until they are asked for.
func TestUnlikelyColumns(t *testing.T) {
	var b strings.Builder
	b.WriteString("smiles_polymer,No.,S/N,year,when,batch,Tg,modulus,reported\n")
	for i := range 12 {
		fmt.Fprintf(&b, "C%s,%d,%d,%d,%d,3,%d,%g,%d\n", strings.Repeat("C", i), i*7, i+100, 1998+i%5, 20240101+i, i, 0.5*float64(i*i), 2000+i*3)
	}
	table, report, err := read(t, b.String(), Columns{}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, target := range table.Targets {
		names = append(names, target.Name)
	}
	wantEqual(t, "targets", names, []string{"Tg", "modulus"})
	var left []string
	for _, u := range report.NotProposed {
		left = append(left, u.Column+" "+u.Reason)
	}
	wantEqual(t, "not proposed", left, []string{
		"No. names or counts the rows, by its name", "S/N numbers the rows one after the other", "year is a time by its name", "when holds dates",
		"batch has the same value in all rows, 3", "reported holds years"})
	table, _ = mustRead(t, b.String(), Columns{Targets: []string{"year", "batch"}}, Options{})
	if len(table.Targets) != 2 {
		t.Errorf("asked for, they are %v", table.Targets)
	}
	table, _ = mustRead(t, b.String(), Columns{}, Options{AllNumbers: true})
	if len(table.Targets) != 8 {
		t.Errorf("of a table written here, they are %v", table.Targets)
	}
}

// What nobody uses may be called as it likes.
func TestUnusedColumnsOfOneName(t *testing.T) {
	table, _ := mustRead(t, "smiles_polymer,note,note,Tg\nCC,a,b,1\nCCC,c,d,2\n", Columns{}, Options{})
	if table.Rows() != 2 {
		t.Errorf("%d rows", table.Rows())
	}
	wantEqual(t, "of the structure", reasons(defects(t, "smiles_polymer,smiles_polymer,Tg\nCC,CO,1\n", Columns{}, Options{})),
		[]string{"row 1, column smiles_polymer: two columns have this name"})
}
