package data

import (
	"errors"
	"reflect"
	"strings"
	"testing"
)

func wantEqual(t *testing.T, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s:\n got %v\nwant %v", what, got, want)
	}
}

func allRows(t *Table) []int {
	rows := make([]int, t.Rows())
	for i := range rows {
		rows[i] = i
	}
	return rows
}

// read parses a small table: one value is enough to learn from.
func read(t *testing.T, text string, c Columns, o Options) (*Table, *Report, error) {
	t.Helper()
	if o.MinValues == 0 {
		o.MinValues = 1
	}
	return Read(t.Context(), strings.NewReader(text), "", c, o)
}

func mustRead(t *testing.T, text string, c Columns, o Options) (*Table, *Report) {
	t.Helper()
	table, report, err := read(t, text, c, o)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return table, report
}

// defects parses a table that is refused and lists why.
func defects(t *testing.T, text string, c Columns, o Options) []Defect {
	t.Helper()
	table, report, err := read(t, text, c, o)
	var d *DefectsError
	if !errors.As(err, &d) || table != nil {
		t.Fatalf("table %v, error %v; want defects", table, err)
	}
	wantEqual(t, "the error's defects", d.Defects, report.Defects)
	return report.Defects
}

// stereo is PolyID's training table.
func stereo(t testing.TB) *Table {
	t.Helper()
	d, _ := Shipped("stereopolymer_input_nopush")
	table, _, err := Parse(t.Context(), []*Sheet{d.Sheet()}, Columns{}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return table
}
