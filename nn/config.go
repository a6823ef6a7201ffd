package nn

import (
	"errors"
	"fmt"
)

// Global100 is the name of the only network there is.
const Global100 = "global100"

// Limits of a Config: far beyond what PolyID's authors tried, and low enough
// that a mistyped job fails at once instead of exhausting the machine.
const (
	MaxFeatures = 1024 // of AtomFeatures, BondFeatures and MolFeatures
	MaxMessages = 64
)

// Config is the shape of the network; the JSON is a training job's "model". A
// zero field stands for PolyID's published setting, see WithDefaults.
type Config struct {
	Name         string `json:"name"`          // Global100
	AtomFeatures int    `json:"atom_features"` // F: width of atom and bond states
	BondFeatures int    `json:"bond_features"` // accepted for PolyID's sake; global100 ignores it
	MolFeatures  int    `json:"mol_features"`  // M: width of the global state
	NumMessages  int    `json:"num_messages"`  // L: blocks
	// Dropout is the probability that a head drops one of its inputs while
	// training. A job that says nothing gets DefaultDropout where the job is
	// read, because 0 is a setting of its own.
	Dropout float64 `json:"dropout"`
}

// DefaultDropout is PolyID's published dropout.
const DefaultDropout = 0.05

// DefaultConfig is the network PolyID was published with.
func DefaultConfig() Config {
	return Config{Dropout: DefaultDropout}.WithDefaults()
}

// WithDefaults fills the zero fields, except Dropout, from PolyID's published
// settings.
func (c Config) WithDefaults() Config {
	if c.Name == "" {
		c.Name = Global100
	}
	if c.AtomFeatures == 0 {
		c.AtomFeatures = 128
	}
	if c.BondFeatures == 0 {
		c.BondFeatures = 128
	}
	if c.MolFeatures == 0 {
		c.MolFeatures = 8
	}
	if c.NumMessages == 0 {
		c.NumMessages = 12
	}
	return c
}

// Validate reports every setting that is out of range.
func (c Config) Validate() error {
	var errs []error
	if c.Name != Global100 {
		errs = append(errs, fmt.Errorf("name: unknown network %q (there is %q)", c.Name, Global100))
	}
	between := func(field string, v, hi int) {
		if v < 1 || v > hi {
			errs = append(errs, fmt.Errorf("%s: %d is not between 1 and %d", field, v, hi))
		}
	}
	between("atom_features", c.AtomFeatures, MaxFeatures)
	between("bond_features", c.BondFeatures, MaxFeatures)
	between("mol_features", c.MolFeatures, MaxFeatures)
	between("num_messages", c.NumMessages, MaxMessages)
	if !(c.Dropout >= 0 && c.Dropout < 1) {
		errs = append(errs, fmt.Errorf("dropout: %v is not in [0, 1)", c.Dropout))
	}
	return errors.Join(errs...)
}

// Sizes is what the data adds to Config.
type Sizes struct {
	AtomClasses int // rows of the atom embedding, padding and unknown included
	BondClasses int // rows of the bond embedding, likewise
	Targets     int // heads
}

// Validate reports every size that is out of range.
func (s Sizes) Validate() error {
	var errs []error
	if s.AtomClasses < 2 {
		errs = append(errs, fmt.Errorf("atom classes: %d leave no room for padding and unknown", s.AtomClasses))
	}
	if s.BondClasses < 2 {
		errs = append(errs, fmt.Errorf("bond classes: %d leave no room for padding and unknown", s.BondClasses))
	}
	if s.Targets < 1 {
		errs = append(errs, fmt.Errorf("targets: %d, at least one is needed", s.Targets))
	}
	return errors.Join(errs...)
}
