package data

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
)

// checkError is a refusal with a position, as the SMILES reader's are.
type checkError struct{ at int }

func (e *checkError) Error() string { return "no such atom" }
func (e *checkError) Position() int { return e.at }

// noX refuses SMILES with an X in them.
func noX(_ Notation, smiles string) error {
	if i := strings.IndexByte(smiles, 'X'); i >= 0 {
		return fmt.Errorf("read SMILES: %w", &checkError{i + 1})
	}
	return nil
}

func TestReadStructures(t *testing.T) {
	table, _ := mustRead(t, `smiles_polymer,smiles_repeat_unit,monomers,mechanism,pm,distribution,DP,replicate_structure,Tg
CCO,,"('CO', 'O')",ester,0.71,"[0.5, 0.5]",,1.0,1
,*CC*,,,,,18,,2
,,CO.O,ester,,,20,0,3
`, Columns{}, Options{})
	want := []Structure{
		{Polymer: "CCO", Monomers: []string{"CO", "O"}, Mechanism: "ester", PM: 0.71, Distribution: []float64{0.5, 0.5}, Replicate: 1},
		{RepeatUnit: "*CC*", PM: math.NaN(), DP: 18},
		{Monomers: []string{"CO", "O"}, Mechanism: "ester", PM: math.NaN(), DP: 20},
	}
	for i, s := range table.Structures {
		wantEqual(t, "structure", fmt.Sprintf("%+v", s), fmt.Sprintf("%+v", want[i]))
	}
	wantEqual(t, "notations", []Notation{table.Structures[0].Notation(), table.Structures[1].Notation(), table.Structures[2].Notation()},
		[]Notation{Polymer, RepeatUnit, Monomers})
}

func TestReadFindsTargets(t *testing.T) {
	table, _ := mustRead(t, `,smiles_polymer,pm,data_id,DP,Tg,Tg_pred,Tg_err,Tg_std,name,Tm (K),Permeability (CO2),model_id
0,C,0.5,7,3,1.5,2,3,4,a,300,5,0
1,CC,0.5,8,3,NaN,2,3,4,b,-,NA,0
2,CCC,0.5,9,3,null,2,3,4,7,,6e0,0
`, Columns{}, Options{})
	wantEqual(t, "targets", table.Targets, []Target{
		{"Tg", "Tg", ""}, {"Tm", "Tm (K)", "K"}, {"Permeability (CO2)", "Permeability (CO2)", ""}})
	nan := math.NaN()
	wantBits(t, "values", table.Y, []float64{1.5, 300, 5, nan, nan, nan, nan, nan, 6})
}

func TestReadStatedColumns(t *testing.T) {
	text := "SMILES,a,b,unit of b\nC,1,2,K\nCC,3,4,K\n"
	table, _ := mustRead(t, text, Columns{
		Targets: []string{"b"}, Roles: Roles{Polymer: "SMILES"}, Units: map[string]string{"b": "unit of b"}}, Options{})
	wantEqual(t, "targets", table.Targets, []Target{{"b", "b", "K"}})
	wantBits(t, "values", table.Y, []float64{2, 4})

	ds := defects(t, text, Columns{Roles: Roles{Polymer: "smiles_"}, Targets: []string{"c"}}, Options{})
	wantEqual(t, "reasons", reasons(ds), []string{
		"column smiles_: no column of this name, which smiles_polymer was said to be in; is it SMILES?",
		"no column says what the polymers are: smiles_polymer, smiles_repeat_unit or monomers; if it is SMILES, state it",
		"column c: no column of this name; the numeric columns are a, b",
	})
}

func TestReadAliases(t *testing.T) {
	text := "smiles_polymer,Glass_Transition,melt temp\nC,1,2\n"
	table, _ := mustRead(t, text, Columns{Targets: []string{"Tm", "Tg"}}, Options{})
	wantEqual(t, "targets", table.Targets, []Target{{"Tm", "melt temp", ""}, {"Tg", "Glass_Transition", ""}})
	wantBits(t, "values", table.Y, []float64{2, 1})

	both := "smiles_polymer,Glass_Transition,Tg\nC,1,2\n"
	table, _ = mustRead(t, both, Columns{Targets: []string{"Tg"}}, Options{})
	wantBits(t, "the own name", table.Y, []float64{2})
	wantEqual(t, "two names of one property", reasons(defects(t, both, Columns{}, Options{})),
		[]string{"column Tg: Glass_Transition is the same property"})

	ds := defects(t, text, Columns{Targets: []string{"Glass_Transitoin", "Density"}}, Options{})
	wantEqual(t, "suggestions", reasons(ds), []string{
		"column Glass_Transitoin: no column of this name; is it Glass_Transition?",
		"column Density: no column of this name; the numeric columns are Glass_Transition, melt temp",
	})
}

func reasons(ds []Defect) []string {
	var out []string
	for _, d := range ds {
		out = append(out, d.String())
	}
	return out
}

// Every defect of a file comes in one report.
func TestReadReportsEveryDefect(t *testing.T) {
	text := `smiles_polymer,monomers,mechanism,pm,DP,Tg,Tg_units,Tg
CXC,,,0.5,,1,C,9
C,,,1.5,2.5,"12,3",C,9
CC,,,,,<5,C,9
CCC,,,,,inf,C,9
,,,,,2,C,9
,"('C', 'X')",ester,,,3,C,9
,"('C', 'O)",ester,,,3,C,9
,C.O,,,,3,C,9
,C.O,esther,,,3,C,9
CCCC,,,,,4,K,9
CCCC,,,,,4,K,9
CCCCC,,
"CC"C,,,,,1,C,9

CCCCCC,,,,,5 furlongs,C,9
`
	want := []Defect{
		{Row: 1, Column: "Tg", Code: DuplicateHeader, Reason: "two columns have this name"},
		{Row: 2, Column: "smiles_polymer", Code: BadSMILES, Reason: "read SMILES: no such atom", Position: 2},
		{Row: 3, Column: "pm", Code: BadRange, Reason: "pm is a fraction from 0 to 1, not 1.5"},
		{Row: 3, Column: "DP", Code: BadRange, Reason: "dp is a whole number from 1, not 2.5"},
		{Row: 3, Column: "Tg", Code: BadNumber, Reason: `"12,3" has a decimal comma; use a point`},
		{Row: 4, Column: "Tg", Code: Bound, Reason: `"<5" is a bound, not a value; keep the row (on_defect=keep) and train with "censored": true to learn from it`},
		{Row: 5, Column: "Tg", Code: BadNumber, Reason: `"inf" is not finite`},
		{Row: 6, Column: "smiles_polymer", Code: MissingStructure, Reason: "the row does not say what the polymer is"},
		{Row: 7, Column: "monomers", Code: BadSMILES, Reason: "monomer 2: read SMILES: no such atom", Position: 1},
		{Row: 8, Column: "monomers", Code: BadMonomers, Reason: "a quote that is never closed", Position: 7},
		{Row: 9, Column: "mechanism", Code: MissingMechanism, Reason: "monomers need a mechanism"},
		{Row: 10, Column: "mechanism", Code: UnknownMechanism, Reason: `"esther" is no mechanism; is it ester?`},
		{Row: 12, Code: DuplicateRow, Reason: "repeats row 11"},
		{Row: 13, Code: RaggedRow, Reason: "the row has 3 cells, the header 8"},
		{Row: 14, Code: BadSyntax, Reason: `extraneous or missing " in quoted-field`, Position: 4},
		{Row: 16, Column: "Tg", Code: BadNumber, Reason: `"5 furlongs" has something after the number that is no unit known here; units go into a column of their own or the header`},
		{Row: 11, Column: "Tg", Code: MixedUnits, Reason: "values have different units: 6 in °C, 2 in K"},
		{Column: "Tg", Code: TooFewValues, Reason: "8 measured values of Tg; 100 are needed to learn it, or leave it out of prediction_columns"},
	}
	got := defects(t, text, Columns{}, Options{Check: noX, Mechanisms: []string{"ester", "amide"}, MinValues: 100})
	for i := range max(len(got), len(want)) {
		switch {
		case i >= len(got):
			t.Errorf("missing %+v", want[i])
		case i >= len(want):
			t.Errorf("unexpected %+v", got[i])
		case got[i] != want[i]:
			t.Errorf("defect %d:\n got %+v\nwant %+v", i, got[i], want[i])
		}
	}
}

func TestReadCountsDefectsBeyondItsList(t *testing.T) {
	text := "smiles_polymer,Tg\n" + strings.Repeat("X,x\n", 50) + "C,1\n"
	_, report, err := read(t, text, Columns{Targets: []string{"Tg"}}, Options{Check: noX, MaxDefects: 10})
	if err == nil || len(report.Defects) != 10 || report.Omitted != 90 {
		t.Errorf("%d defects, %d omitted, %v", len(report.Defects), report.Omitted, err)
	}
	table, report := mustRead(t, text, Columns{Targets: []string{"Tg"}}, Options{Check: noX, MaxDefects: 10, DropBadRows: true})
	if table.Rows() != 1 || len(report.Dropped) != 10 || report.Omitted != 90 {
		t.Errorf("%d rows, %d dropped, %d omitted", table.Rows(), len(report.Dropped), report.Omitted)
	}
}

func TestReadFileDefects(t *testing.T) {
	for _, tc := range []struct {
		name, text string
		columns    Columns
		want       []Code
	}{
		{"empty", "", Columns{}, []Code{NoHeader}},
		{"blank", "\r\n \r\n", Columns{}, []Code{NoHeader}},
		{"header only", "smiles_polymer,Tg\n", Columns{}, []Code{NoRows}},
		{"broken header", "\"smiles_poly\"mer,Tg\nC,1\n", Columns{}, []Code{BadSyntax}},
		{"no structure", "name,Tg\na,1\n", Columns{}, []Code{NoStructure}},
		{"no target", "smiles_polymer,name\nC,a\n", Columns{}, []Code{NoTargets}},
		{"no measured target", "smiles_polymer,Tg\nC,\n", Columns{Targets: []string{"Tg"}}, []Code{TooFewValues}},
		{"stated units that are not", "smiles_polymer,Tg,Tg_units\nC,1,K\n", Columns{Units: map[string]string{"Tg": "°C"}}, []Code{MixedUnits}},
	} {
		var got []Code
		for _, d := range defects(t, tc.text, tc.columns, Options{}) {
			got = append(got, d.Code)
		}
		wantEqual(t, tc.name, got, tc.want)
	}
}

// A spreadsheet of many countries writes 1,5 between semicolons: then the report
// says why there is nothing to learn.
func TestReadPointsAtDecimalCommas(t *testing.T) {
	got := defects(t, "smiles_polymer;name;Tg (°C);Tm\nCC;a,b;1,5;\nCCC;c;-2,25;x\n", Columns{}, Options{})
	wantEqual(t, "defects", got, []Defect{{Code: NoTargets,
		Reason: "no numeric column is a property; decimal commas make text of Tg (°C): use points"}})
}

func TestReadDropsBadRowsIfAllowed(t *testing.T) {
	text := "smiles_polymer,Tg,Tg_units,Tm\nCX,1,K,1\nC,2,C,2\nCC,x,C,3\nCCC,4,C,4\n\"C\"C,1,C,1\n"
	table, report := mustRead(t, text, Columns{}, Options{DropBadRows: true, Check: noX})
	wantBits(t, "values", table.Y, []float64{2, 2, 4, 4})
	wantEqual(t, "origin", table.Origin, []Origin{{0, 3, 1}, {0, 5, 3}})
	wantEqual(t, "dropped", reasons(report.Dropped), []string{
		"row 2, column smiles_polymer: read SMILES: no such atom",
		`row 4, column Tg: "x" is no number`,
		`row 6: extraneous or missing " in quoted-field`,
	})
	wantEqual(t, "report", []int{report.Rows, report.Kept, len(report.Defects), table.InputRows}, []int{5, 2, 0, 5})
	if table.Targets[0].Units != "°C" {
		t.Errorf("units %s: the dropped row had others", table.Targets[0].Units)
	}
	ds := defects(t, "smiles_polymer,Tg\nCX,1\n", Columns{}, Options{DropBadRows: true, Check: noX})
	wantEqual(t, "all dropped", ds[0].Code, NoRows)
}

func TestReadForPrediction(t *testing.T) {
	text := "name,smiles_polymer,Tg\na,CX,1\nb,C,x\nc,,3\nd,CC,\nd,CC,\ne\n"
	table, report := mustRead(t, text, Columns{Targets: []string{"Tg", "Tm"}}, Options{ForPrediction: true, Check: noX})
	nan := math.NaN()
	wantEqual(t, "rows", table.Rows(), 6)
	wantBits(t, "values", table.Y, []float64{1, nan, nan, nan, 3, nan, nan, nan, nan, nan, nan, nan})
	wantEqual(t, "defects", reasons(report.Defects), []string{
		"row 2, column smiles_polymer: read SMILES: no such atom",
		`row 3, column Tg: "x" is no number`,
		"row 4, column smiles_polymer: the row does not say what the polymer is",
		"row 7: the row has 1 cells, the header 3",
	})
	// A file without any target is fine.
	table, report = mustRead(t, "smiles_polymer\nC\n", Columns{}, Options{ForPrediction: true})
	if table.Rows() != 1 || len(report.Defects) != 0 {
		t.Errorf("%d rows, %v", table.Rows(), report.Defects)
	}
}

func TestReadLongTable(t *testing.T) {
	text := `smiles_polymer,property,value,units
C,Tg,10,C
CC,Tm,200,C
C,Tg,20,°C
C,Glass_Transition,60,C
C,Tm,,C
C,Tg,20,C
CC,Density (g/cm3),1.5,
`
	table, report := mustRead(t, text, Columns{}, Options{})
	nan := math.NaN()
	wantEqual(t, "targets", table.Targets, []Target{{"Tg", "Tg", "°C"}, {"Tm", "Tm", "°C"}, {"Density", "Density (g/cm3)", "g/cm³"}})
	wantBits(t, "values", table.Y, []float64{27.5, nan, nan, nan, 200, 1.5})
	wantEqual(t, "measurements", table.N, []int32{4, 0, 0, 0, 1, 1})
	wantEqual(t, "report", []int{report.Rows, report.Kept}, []int{7, 2})

	chosen, _ := mustRead(t, text, Columns{Targets: []string{"Density"}}, Options{})
	wantBits(t, "chosen", chosen.Y, []float64{nan, 1.5})

	ds := defects(t, "smiles_polymer,property,value,units\nC,Tg,1,C\nC,Tg,2,K\nC,,3,C\nC,Tg,a,C\nCX,Tg,1,C\n", Columns{}, Options{Check: noX})
	wantEqual(t, "defects", reasons(ds), []string{
		"row 3, column Tg: in K, and in °C before",
		"row 4, column property: a value of no property",
		`row 5, column value: "a" is no number`,
		"row 6, column smiles_polymer: read SMILES: no such atom",
	})
}

func TestParseJoins(t *testing.T) {
	sheet := func(name, text string) *Sheet {
		s, err := ReadSheet(strings.NewReader(text), name, Options{})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	a := sheet("a.csv", "smiles_polymer,Tg,Tg_units\nC,1,C\nCC,2,C\n")
	b := sheet("b.csv", "smiles_repeat_unit,Density,Glass_Transition\n*C*,9,3\n")
	table, report, err := Parse(t.Context(), []*Sheet{a, b}, Columns{}, Options{MinValues: 1})
	if err != nil {
		t.Fatal(err)
	}
	nan := math.NaN()
	wantEqual(t, "targets", table.Targets, []Target{{"Tg", "Tg", "°C"}, {"Density", "Density", ""}})
	wantBits(t, "values", table.Y, []float64{1, nan, 2, nan, 3, 9})
	wantEqual(t, "origin", table.Origin, []Origin{{0, 2, 0}, {0, 3, 1}, {1, 2, 2}})
	wantEqual(t, "warnings", codes(report.Warnings), []string{"units_assumed"})

	_, report, err = Parse(t.Context(), []*Sheet{a, sheet("k.csv", "smiles_polymer,Tg (K)\nC,x\nCCC,300\n")}, Columns{}, Options{MinValues: 1})
	if err == nil {
		t.Fatal("joined °C and K")
	}
	wantEqual(t, "defects", reasons(report.Defects), []string{
		`k.csv, row 2, column Tg (K): "x" is no number`,
		"k.csv, row 3, column Tg: values have different units: 2 in °C, 1 in K"})

	_, report, err = Parse(t.Context(), []*Sheet{a, a}, Columns{}, Options{MinValues: 1})
	if err != nil {
		t.Fatal(err)
	}
	wantEqual(t, "the same twice", codes(report.Warnings), []string{"tables_overlap"})
}

func TestReadChecksEachSMILESOnce(t *testing.T) {
	seen := make(chan string, 10)
	mustRead(t, "smiles_polymer,smiles_repeat_unit,monomers,mechanism,Tg\nC,,,,1\nC,,,,2\n,*C*,,,3\n,,C.O.C,ester,4\n,,C.O.C,ester,5\n", Columns{},
		Options{Check: func(n Notation, s string) error { seen <- string(n) + " " + s; return nil }})
	close(seen)
	got := make(map[string]int)
	for s := range seen {
		got[s]++
	}
	wantEqual(t, "checked", got, map[string]int{"smiles_polymer C": 1, "smiles_repeat_unit *C*": 1, "monomers C": 1, "monomers O": 1})
}

func TestReadStopsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	check := func(Notation, string) error { cancel(); return nil }
	_, _, err := Read(ctx, strings.NewReader("smiles_polymer,Tg\nC,1\n"), "", Columns{}, Options{Check: check})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

func TestColumnsValidate(t *testing.T) {
	err := Columns{
		Targets: []string{"Tg", "Glass_Transition", "pm", "", "Tg_pred"},
		Roles:   Roles{Polymer: "a", RepeatUnit: "a", Property: "p"},
		Units:   map[string]string{"Tg": " "},
	}.Validate()
	wantSettings(t, err, "prediction_columns/1", "prediction_columns/2", "prediction_columns/3", "prediction_columns/4",
		"columns/smiles_repeat_unit", "columns", "units/Tg")
	if _, _, err := read(t, "smiles_polymer,Tg\nC,1\n", Columns{Targets: []string{"pm"}}, Options{}); err == nil {
		t.Error("pm was taken for a property")
	}
}

// The same table by any road is the same table.
func TestHashIgnoresPackaging(t *testing.T) {
	plain := "smiles_polymer,Tg,note\nC,1.50,a\nCC,,b\n"
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	z.Write([]byte(plain))
	z.Close()
	hash := func(text string) string {
		t.Helper()
		s, err := ReadSheet(strings.NewReader(text), "", Options{})
		if err != nil {
			t.Fatal(err)
		}
		return s.Hash()
	}
	want := hash(plain)
	for name, text := range map[string]string{
		"gzip":      packed.String(),
		"BOM, CRLF": "\ufeff" + strings.ReplaceAll(plain, "\n", "\r\n"),
		"semicolon": strings.ReplaceAll(plain, ",", ";"),
		"tab":       strings.ReplaceAll(plain, ",", "\t"),
		"index":     ",smiles_polymer,Tg,note\n0,C,1.5,a\n1,CC,NaN,b\n",
		"quotes":    "\"smiles_polymer\",\"Tg\",\"note\"\n\"C\",\"1.5e0\",\"a\"\n\n\"CC\",\"-\",\" b\"\n",
	} {
		if got := hash(text); got != want {
			t.Errorf("%s: another hash", name)
		}
	}
	for name, text := range map[string]string{
		"value": strings.Replace(plain, "1.50", "1.51", 1), "order": "smiles_polymer,Tg,note\nCC,,b\nC,1.50,a\n",
		"shift": "smiles_polymer,Tg,note\nC,1.50a,\nCC,,b\n", "header": strings.Replace(plain, "Tg", "Tm", 1),
	} {
		if hash(text) == want {
			t.Errorf("%s: the same hash", name)
		}
	}
}

func TestTableWritesWhatItReads(t *testing.T) {
	for _, d := range AllShipped() {
		table, _, err := Parse(t.Context(), []*Sheet{d.Sheet()}, Columns{}, Options{})
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if err := table.WriteCSV(&b); err != nil {
			t.Fatal(err)
		}
		back, _, err := Read(t.Context(), &b, "", Columns{}, Options{MinValues: 1})
		if err != nil {
			t.Fatal(err)
		}
		if back.Hash() != table.Hash() {
			t.Errorf("%s reads back as another table", d.Name)
		}
		var raw bytes.Buffer
		if err := d.Sheet().WriteCSV(&raw); err != nil {
			t.Fatal(err)
		}
		if raw.String() != d.CSV() {
			t.Errorf("%s is written differently", d.Name)
		}
	}
	table, _ := mustRead(t, "monomers,mechanism,distribution,Tg\n\"('C/C=C\\\\C', \"\"O\"\")\",ester,\"[1, 2]\",1\n", Columns{}, Options{})
	wantEqual(t, "monomers", table.Structures[0].Monomers, []string{`C/C=C\C`, "O"})
	var b bytes.Buffer
	if err := table.WriteCSV(&b); err != nil {
		t.Fatal(err)
	}
	back, _ := mustRead(t, b.String(), Columns{}, Options{})
	if back.Hash() != table.Hash() {
		t.Errorf("reads back as another table:\n%s", &b)
	}
}
