package data

import (
	"strings"
	"testing"
)

func TestParseNumber(t *testing.T) {
	for cell, want := range map[string]float64{"1": 1, "-1.5": -1.5, "+2e3": 2000, "6E-1": 0.6, ".5": 0.5, "1e-400": 0} {
		if v, why := parseNumber(cell); v != want || why != "" {
			t.Errorf("%q: %v, %q; want %v", cell, v, why, want)
		}
	}
	for cell, want := range map[string]string{
		"12,3": "decimal comma", "1,234,567": "thousands", "1,234.5": "thousands", "<5": "bound", "~5": "bound", "≥ 3": "bound",
		"inf": "not finite", "-Infinity": "not finite", "1e999": "too large", "0x10": "is no number", "1_000": "is no number",
		"−5": "typographic minus", "5±1": "its error", "25 K": "after the number", "150C": "after the number",
		"abc": "is no number", "1.2.3": "is no number", "e": "is no number", "--1": "is no number", "2024-01-01": "is no number",
	} {
		if v, why := parseNumber(cell); !strings.Contains(why, want) {
			t.Errorf("%q: %v, %q; want %q", cell, v, why, want)
		}
	}
	for _, cell := range []string{"", "NaN", "nan", "NA", "null", "NULL", "-", "None", "#N/A"} {
		if !isBlank(cell) {
			t.Errorf("%q is measured", cell)
		}
	}
	for _, cell := range []string{"0", "C", "N", "nano", "--1"} {
		if isBlank(cell) {
			t.Errorf("%q is blank", cell)
		}
	}
}

func TestUnits(t *testing.T) {
	for cell, want := range map[string]string{"C": "°C", " deg C": "°C", "K": "K", "g/cm^3": "g/cm³", "furlong": "furlong", "": ""} {
		if got := canonicalUnit(cell); got != want {
			t.Errorf("%q: %q, want %q", cell, got, want)
		}
	}
	for header, want := range map[string][2]string{
		"Tg (K)": {"Tg", "K"}, "Tg[°C]": {"Tg", "°C"}, "Density (g/cm3)": {"Density", "g/cm³"}, "Tg": {"Tg", ""},
		"Permeability (CO2)": {"Permeability (CO2)", ""}, "(K)": {"(K)", ""}, "": {"", ""}, ")": {")", ""},
	} {
		name, unit := splitUnit(header)
		if name != want[0] || unit != want[1] {
			t.Errorf("%q: %q in %q, want %q", header, name, unit, want)
		}
	}
}

func TestNearest(t *testing.T) {
	known := []string{"Glass_Transition", "Melt_Temp", "Tg", "Density"}
	for name, want := range map[string]string{
		"glass transiton": "Glass_Transition", "Melttmp": "Melt_Temp", "Tq": "Tg", "Densty": "Density", "YoungMod": "", "x": "", "": "",
	} {
		if got := nearest(name, known); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}
