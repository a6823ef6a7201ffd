package data

import (
	"os"
	"testing"
)

func TestShippedTables(t *testing.T) {
	for _, tc := range []struct {
		name    string
		rows    int
		targets []Target
		counts  []int
	}{
		{"stereopolymer_input_nopush", 229, []Target{{"Tg", "Tg", "°C"}, {"Tm", "Tm", "°C"}}, []int{155, 123}},
		{"polymers_seven_properties", 1503, []Target{
			{"Glass_Transition", "Glass_Transition", "°C"}, {"Melt_Temp", "Melt_Temp", "°C"}, {"Density", "Density", "g/cm³"},
			{"log10_Permeability_CO2", "log10_Permeability_CO2", "log10 Barrer"},
			{"log10_Permeability_N2", "log10_Permeability_N2", "log10 Barrer"},
			{"log10_Permeability_O2", "log10_Permeability_O2", "log10 Barrer"},
			{"YoungMod", "YoungMod", "GPa"},
		}, []int{301, 81, 1077, 226, 184, 286, 70}},
	} {
		d, ok := Shipped(tc.name)
		if !ok {
			t.Fatalf("%s is not shipped", tc.name)
		}
		table, report, err := Parse(t.Context(), []*Sheet{d.Sheet()}, Columns{}, Options{})
		if err != nil {
			t.Fatalf("%s: %v", tc.name, err)
		}
		if table.Rows() != tc.rows || report.Rows != tc.rows || report.Kept != tc.rows {
			t.Errorf("%s: %d rows, report %d kept %d; want %d", tc.name, table.Rows(), report.Rows, report.Kept, tc.rows)
		}
		wantEqual(t, tc.name+" targets", table.Targets, tc.targets)
		wantEqual(t, tc.name+" counts", table.Counts(allRows(table)), tc.counts)
		wantEqual(t, tc.name+" warnings", report.Warnings, []Warning{})
	}
	if _, ok := Shipped("nylon"); ok {
		t.Error("Shipped finds what there is not")
	}
}

func TestShippedTablesJoin(t *testing.T) {
	var sheets []*Sheet
	for _, d := range AllShipped() {
		sheets = append(sheets, d.Sheet())
	}
	table, _, err := Parse(t.Context(), sheets, Columns{}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, target := range table.Targets {
		names = append(names, target.Name)
	}
	wantEqual(t, "targets", names, []string{"Tg", "Tm", "Density", "log10_Permeability_CO2", "log10_Permeability_N2", "log10_Permeability_O2", "YoungMod"})
	wantEqual(t, "counts", table.Counts(allRows(table)), []int{155 + 301, 123 + 81, 1077, 226, 184, 286, 70})
	if last := table.Origin[table.Rows()-1]; last != (Origin{Source: 1, Row: 1504, Position: 1731}) {
		t.Errorf("last row comes from %+v", last)
	}
	chosen, _, err := Parse(t.Context(), sheets, Columns{Targets: []string{"Density", "Glass_Transition"}}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	wantEqual(t, "chosen", chosen.Counts(allRows(chosen)), []int{1077, 456})
}

// The shipped files are data others publish; nobody edits them by accident.
func TestShippedHashes(t *testing.T) {
	for name, want := range map[string]string{
		"stereopolymer_input_nopush": "2b454a45c55fe8892889b7d2b1c62ba02513c736297efd255e79c552143bf714",
		"polymers_seven_properties":  "d8ebadbcc4c0779fffde63ad622a6bc1ec80650859f980c432545785dbc8f28e",
	} {
		d, _ := Shipped(name)
		if got := d.Hash(); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
}

func TestShippedAttribution(t *testing.T) {
	if _, err := os.Stat("README.md"); err != nil {
		t.Error("the shipped tables need their licences beside them:", err)
	}
}
