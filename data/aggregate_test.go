package data

import (
	"errors"
	"math"
	"testing"
)

// predictions are what PolyID's ensemble predicts, a row per row and model.
func predictions(t *testing.T, by ...string) (keys [][]string, values [][]float64) {
	t.Helper()
	s, err := ReadSheet(gzipped(t, "ensemble_predictions.csv.gz"), "", Options{})
	if err != nil {
		t.Fatal(err)
	}
	return cells(t, s, by), numbers(t, s, "Tg", "Tm", "Tg_pred", "Tm_pred")
}

func columnOf(t *testing.T, s *Sheet, name string) int {
	t.Helper()
	for i, h := range s.Header {
		if h == name {
			return i
		}
	}
	t.Fatalf("no column %s in %v", name, s.Header)
	return -1
}

func cells(t *testing.T, s *Sheet, names []string) [][]string {
	out := make([][]string, len(s.Rows))
	for _, name := range names {
		c := columnOf(t, s, name)
		for i, l := range s.Rows {
			out[i] = append(out[i], l.Cell(c))
		}
	}
	return out
}

func numbers(t *testing.T, s *Sheet, names ...string) [][]float64 {
	out := make([][]float64, len(s.Rows))
	for i, row := range cells(t, s, names) {
		for _, cell := range row {
			v := math.NaN()
			if !isBlank(cell) {
				var why string
				if v, why = parseNumber(cell); why != "" {
					t.Fatalf("%q %s", cell, why)
				}
			}
			out[i] = append(out[i], v)
		}
	}
	return out
}

func TestAggregateIsPolyIDs(t *testing.T) {
	for _, tc := range []struct {
		file      string
		by        string
		functions []string
		columns   []string
	}{
		{"aggregate.csv.gz", "smiles_monomer", []string{"mean"},
			[]string{"Tg_mean", "Tm_mean", "Tg_pred_mean", "Tm_pred_mean"}},
		{"aggregate_bypolymer.csv.gz", "smiles_polymer", []string{"mean", "std"},
			[]string{"Tg_mean", "Tg_std", "Tm_mean", "Tm_std", "Tg_pred_mean", "Tg_pred_std", "Tm_pred_mean", "Tm_pred_std"}},
	} {
		keys, values := predictions(t, "pm", "distribution", tc.by)
		got := Aggregation{Functions: tc.functions}.Apply(keys, values)
		s, err := ReadSheet(gzipped(t, tc.file), "", Options{})
		if err != nil {
			t.Fatal(err)
		}
		wantKeys, want := cells(t, s, []string{"pm_", "distribution_", tc.by + "_"}), numbers(t, s, tc.columns...)
		if len(got) != len(want) {
			t.Fatalf("%s: %d groups, want %d", tc.file, len(got), len(want))
		}
		for i, g := range got {
			wantEqual(t, tc.file, g.Keys, wantKeys[i])
			for j, v := range g.Values {
				// pandas sums with compensation; a mean of a few float64 is off
				// by some units in the last place.
				if math.IsNaN(v) != math.IsNaN(want[i][j]) || math.Abs(v-want[i][j]) > 1e-12*math.Max(1, math.Abs(v)) {
					t.Errorf("%s: group %d, %s is %v, want %v", tc.file, i, tc.columns[j], v, want[i][j])
				}
			}
		}
	}
}

func TestAggregationKeysLoseNoRow(t *testing.T) {
	a := Aggregation{}.WithDefaults()
	table, _ := mustRead(t, "smiles_repeat_unit,monomers,mechanism,pm,Tg\n*C*,,,,1\n*CC*,,,,2\n,C.O,ester,0.5,3\n", Columns{}, Options{})
	var keys [][]string
	for i := range table.Structures {
		keys = append(keys, a.Keys(&table.Structures[i]))
	}
	wantEqual(t, "keys", keys, [][]string{{"*C*", "[]", ""}, {"*CC*", "[]", ""}, {"('C', 'O')", "[]", "0.5"}})
	if got := a.Apply(keys, [][]float64{{1}, {2}, {3}}); len(got) != 3 {
		t.Errorf("%d groups of 3 polymers", len(got))
	}
}

func TestAggregationValidate(t *testing.T) {
	if err := (Aggregation{}).WithDefaults().Validate(); err != nil {
		t.Error(err)
	}
	err := Aggregation{By: []string{"pm", "mechanisn"}, Functions: []string{"mode"}}.Validate()
	wantSettings(t, err, "by/1", "functions/0")
}

// wantSettings holds a joined error to the fields it should name.
func wantSettings(t *testing.T, err error, fields ...string) {
	t.Helper()
	var got []string
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range joined.Unwrap() {
			var s *SettingError
			if !errors.As(e, &s) {
				t.Errorf("%v is no SettingError", e)
				continue
			}
			got = append(got, s.Field)
		}
	}
	wantEqual(t, "fields", got, fields)
}
