package data

import (
	_ "embed"
	"fmt"
	"strings"
)

//go:embed stereopolymer_input_nopush.csv
var stereopolymers string

//go:embed polymers_seven_properties.csv
var sevenProperties string

// Dataset is a table that the project ships.
type Dataset struct {
	Name        string `json:"name"`
	Description string `json:"description"`
	Source      string `json:"source"`
	License     string `json:"license"`
	Limits      string `json:"limits,omitempty"` // what a user must know of its values

	csv   string
	units map[string]string
}

var shipped = []Dataset{
	{
		Name:        "stereopolymer_input_nopush",
		Description: "PolyID's training table: 20 polyesters at many tacticities, 229 rows; Tg and Tm in °C",
		Source:      "NREL PolyID; Macromolecules 2023, 56, 8547",
		License:     "BSD-3-Clause",
		csv:         stereopolymers,
	},
	{
		Name: "polymers_seven_properties",
		Description: "1,503 homopolymers as repeat units; glass transition and melting (°C), Young's modulus (GPa), " +
			"density (g/cm³ at 300 K, by molecular dynamics), permeability to CO₂, N₂ and O₂ (log10 Barrer)",
		Source:  "OpenPoly, RadonPy PI1070, PolymerGasMembraneML",
		License: "MIT and BSD-3-Clause",
		Limits: "Values of one polymer scatter between reports, by up to 74 °C in Tg (polyethylene) and by a factor of 3.6 in the modulus " +
			"(median of repeats); tacticity is not told apart; 70 moduli are few.",
		csv: sevenProperties,
		units: map[string]string{
			"Glass_Transition":       "°C",
			"Melt_Temp":              "°C",
			"Density":                "g/cm³",
			"log10_Permeability_CO2": "log10 Barrer",
			"log10_Permeability_N2":  "log10 Barrer",
			"log10_Permeability_O2":  "log10 Barrer",
			"YoungMod":               "GPa",
		},
	},
}

// AllShipped lists the shipped datasets.
func AllShipped() []Dataset { return append([]Dataset(nil), shipped...) }

// Shipped finds a shipped dataset by name.
func Shipped(name string) (Dataset, bool) {
	for _, d := range shipped {
		if d.Name == name {
			return d, true
		}
	}
	return Dataset{}, false
}

// CSV is the file.
func (d Dataset) CSV() string { return d.csv }

// Hash is the [Sheet.Hash] of the file.
func (d Dataset) Hash() string { return d.Sheet().Hash() }

// Sheet is the file read, with the units its publishers state.
func (d Dataset) Sheet() *Sheet {
	s, err := ReadSheet(strings.NewReader(d.csv), d.Name, Options{})
	if err != nil {
		panic(fmt.Sprintf("data: shipped table: %v", err)) // the file is part of the program
	}
	s.Units = d.units
	return s
}
