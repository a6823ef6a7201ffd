package data

import (
	"strings"
	"testing"
)

func TestParseNumber(t *testing.T) {
	for cell, want := range map[string]float64{"1": 1, "-1.5": -1.5, "+2e3": 2000, "6E-1": 0.6, ".5": 0.5, "1e-400": 0, "−5": -5, "– 7.5": -7.5, "5±1": 5, "21 ± 2": 21, "-3+/-0.5": -3} {
		if v, why := parseNumber(cell); v != want || why != "" {
			t.Errorf("%q: %v, %q; want %v", cell, v, why, want)
		}
	}
	for cell, want := range map[string]string{
		"12,3": "decimal comma", "1,234,567": "thousands", "1,234.5": "thousands", "<5": "bound", "~5": "estimate", "≈ 5": "estimate", "21-26": "range", "21 – 26 °C": "range", "-5 to 3": "range", "≥ 3": "bound",
		"inf": "not finite", "-Infinity": "not finite", "1e999": "too large", "0x10": "is no number", "1_000": "is no number",
		"5±x": "its error", "25 furlongs": "after the number",
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

// A unit that is known may stand behind a number.
func TestParseQuantity(t *testing.T) {
	for cell, want := range map[string]struct {
		v    float64
		unit string
	}{
		"25 K": {25, "K"}, "150C": {150, "°C"}, "21\u00a0°C": {21, "°C"}, "−40 °C": {-40, "°C"}, "1.05 g/cm3": {1.05, "g/cm³"},
		"21±2 °C": {21, "°C"}, "2.5 GPa": {2.5, "GPa"}, "45%": {45, "%"}, "7": {7, ""}, "0.95 g cm−3": {0.95, "g/cm³"},
	} {
		if v, unit, why := parseQuantity(cell); v != want.v || unit != want.unit || why != "" {
			t.Errorf("%q: %v in %q, %q; want %v", cell, v, unit, why, want)
		}
	}
	for _, cell := range []string{"<21", "> 300 °C", "≥5", "<= 3"} {
		if _, _, why := parseQuantity(cell); !isBound(cell) || !numberLike(cell) || !strings.Contains(why, "bound") {
			t.Errorf("%q: %q, want a bound", cell, why)
		}
	}
	for _, cell := range []string{"CC", "<CC", "21-26-30", "*CC*", "C1CC1", "n.d."} {
		if isBound(cell) || numberLike(cell) {
			t.Errorf("%q is taken for a number", cell)
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
		"Tg (K) exp": {"Tg exp", "K"}, "Tg / K": {"Tg", "K"}, "Tg, °C": {"Tg", "°C"}, "Tg_K": {"Tg", "K"}, "Tm in K": {"Tm", "K"}, "Density_g/cm3": {"Density", "g/cm³"},
		"Melt_Temp": {"Melt_Temp", ""}, "H/C": {"H/C", ""}, "Vitamin C": {"Vitamin C", ""},
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
