package data

import (
	_ "embed"
	"fmt"
	"strings"
)

//go:embed stereopolymer_input_nopush.csv
var stereopolymers string

//go:embed polymers_multiproperty.csv
var multiproperty string

// Dataset is a table that the project ships.
type Dataset struct {
	Name        string `json:"name"`
	Description string `json:"description"`
	Source      string `json:"source"`
	License     string `json:"license"`

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
		Name:        "polymers_multiproperty",
		Description: "1,310 homopolymers as repeat units; glass transition, density and gas permeabilities",
		Source:      "GREA (PolyInfo values), RadonPy PI1070, PolymerGasMembraneML",
		License:     "MIT and BSD-3-Clause",
		csv:         multiproperty,
		units: map[string]string{
			"Glass_Transition":       "°C",
			"Density":                "g/cm³",
			"log10_Permeability_CO2": "log10 Barrer",
			"log10_Permeability_N2":  "log10 Barrer",
			"log10_Permeability_O2":  "log10 Barrer",
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
