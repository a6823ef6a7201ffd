package data

import (
	"bytes"
	"math"
	"slices"
	"strings"
	"testing"
)

const measured = `smiles_repeat_unit,Tg (K),temperature_c,w
*CC*,200,25,1
*CCO*,>300,,0.5
*CC(C)*,< 150 K,40,
*CC(F)*,250,60,0
`

var measuring = Columns{Targets: []string{"Tg"}, Conditions: []string{"temperature_c"}, Weights: "w", Censored: true}

func TestReadMeasurement(t *testing.T) {
	tab, report := mustRead(t, measured, measuring, Options{MinValues: 1})
	if got := tab.Side; !slices.Equal(got, []int8{0, 1, -1, 0}) {
		t.Errorf("sides %v", got)
	}
	if tab.Bound[1] != 300 || tab.Bound[2] != 150 || !math.IsNaN(tab.Y[1]) || tab.Y[3] != 250 {
		t.Errorf("bounds %v, values %v", tab.Bound, tab.Y)
	}
	if !slices.Equal(tab.Weight, []float64{1, 0.5, 1, 0}) {
		t.Errorf("weights %v", tab.Weight)
	}
	if tab.C[0] != 25 || !math.IsNaN(tab.C[1]) || tab.C[3] != 60 {
		t.Errorf("conditions %v", tab.C)
	}
	if tab.Measured(1) || !tab.Known(1) {
		t.Error("a bound is known, and not measured")
	}
	if len(tab.Targets) != 1 || tab.Targets[0].Units != "K" {
		t.Errorf("targets %+v", tab.Targets)
	}
	if !slices.ContainsFunc(report.Warnings, func(w Warning) bool { return w.Code == "condition_missing" }) {
		t.Errorf("warnings %+v do not say that a condition is missing", report.Warnings)
	}
}

// Conditions and weights are no properties, even where nobody says what is.
func TestConditionsAreNotProposed(t *testing.T) {
	c := measuring
	c.Targets = nil
	tab, _ := mustRead(t, measured, c, Options{MinValues: 1})
	if len(tab.Targets) != 1 || tab.Targets[0].Name != "Tg" {
		t.Errorf("targets %+v", tab.Targets)
	}
}

func TestMeasurementIsWrittenAsItIsRead(t *testing.T) {
	tab, _ := mustRead(t, measured, measuring, Options{MinValues: 1})
	var b bytes.Buffer
	if err := tab.WriteCSV(&b); err != nil {
		t.Fatal(err)
	}
	again, _ := mustRead(t, b.String(), measuring.Written(), Options{MinValues: 1, AllNumbers: true})
	if tab.Hash() != again.Hash() {
		t.Errorf("read back as another table:\n%s", b.String())
	}
	for name, change := range map[string]func(*Table){
		"a condition": func(t *Table) { t.C[0]++ },
		"a weight":    func(t *Table) { t.Weight[0]++ },
		"a bound":     func(t *Table) { t.Bound[1]++ },
		"a side":      func(t *Table) { t.Side[1] = -1 },
	} {
		other, _ := mustRead(t, measured, measuring, Options{MinValues: 1})
		if change(other); other.Hash() == tab.Hash() {
			t.Errorf("%s does not change the hash", name)
		}
	}
}

// In a long table, values under different conditions are different rows.
func TestLongTableKeepsConditionsApart(t *testing.T) {
	text := "smiles_repeat_unit,property,value,units,temperature_c\n*CC*,modulus,1,GPa,25\n*CC*,modulus,3,GPa,25\n*CC*,modulus,9,GPa,80\n*CCO*,modulus,>5,GPa,25\n"
	c := Columns{Conditions: []string{"temperature_c"}, Censored: true}
	tab, _ := mustRead(t, text, c, Options{MinValues: 1})
	if !slices.Equal(tab.Y[:2], []float64{2, 9}) || tab.Bound[2] != 5 || !slices.Equal(tab.C, []float64{25, 80, 25}) {
		t.Errorf("values %v, bounds %v, conditions %v", tab.Y, tab.Bound, tab.C)
	}
}

func TestReadRefusesMeasurements(t *testing.T) {
	for name, x := range map[string]struct {
		text string
		c    Columns
		code Code
	}{
		"no such condition": {measured, Columns{Targets: []string{"Tg"}, Conditions: []string{"temperatur"}, Censored: true}, UnknownColumn},
		"no such weight":    {measured, Columns{Targets: []string{"Tg"}, Weights: "weight", Censored: true}, UnknownColumn},
		"a negative weight": {strings.Replace(measured, "0.5", "-1", 1), measuring, BadRange},
		"no bounds asked":   {measured, Columns{Targets: []string{"Tg"}}, Bound},
		"another unit":      {strings.Replace(measured, ">300", ">27 °C", 1), measuring, MixedUnits},
	} {
		found := defects(t, x.text, x.c, Options{MinValues: 1})
		if !slices.ContainsFunc(found, func(d Defect) bool { return d.Code == x.code }) {
			t.Errorf("%s: %v", name, found)
		}
	}
	for _, c := range []Columns{
		{Targets: []string{"Tg"}, Conditions: []string{"Tg"}},
		{Conditions: []string{"a", "a"}},
		{Conditions: []string{" "}},
		{Targets: []string{"Tg"}, Weights: "Tg"},
	} {
		if c.WithDefaults().Validate() == nil {
			t.Errorf("%+v is accepted", c)
		}
	}
}
