package featurize

import (
	"errors"
	"fmt"
	"strings"
)

// Config names the feature functions; its JSON is a training job's "features".
type Config struct {
	Atom string `json:"atom"`
	Bond string `json:"bond"`
}

// PolyID's published models use these.
const (
	DefaultAtom = "atom_features_v1"
	DefaultBond = "bond_features_v1"
)

// WithDefaults fills what is empty.
func (c Config) WithDefaults() Config {
	if c.Atom == "" {
		c.Atom = DefaultAtom
	}
	if c.Bond == "" {
		c.Bond = DefaultBond
	}
	return c
}

// Validate reports every name that is no feature function.
func (c Config) Validate() error {
	var errs []error
	if _, ok := AtomFeature(c.Atom); !ok {
		errs = append(errs, fmt.Errorf("atom: %q is none of %s", c.Atom, strings.Join(AtomFeatures(), ", ")))
	}
	if _, ok := BondFeature(c.Bond); !ok {
		errs = append(errs, fmt.Errorf("bond: %q is none of %s", c.Bond, strings.Join(BondFeatures(), ", ")))
	}
	return errors.Join(errs...)
}

// needsStereo reports whether a feature shows what mol.AssignStereo perceives.
func (c Config) needsStereo() bool {
	return c.Atom != "atom_features_v1" || c.Bond != "bond_features_v1"
}

// SeesTacticity reports whether polymers that differ only in tacticity can get
// different features.
func (c Config) SeesTacticity() bool { return c.WithDefaults().needsStereo() }

// needsDiads reports whether a feature shows what mol.AssignDiads finds.
func (c Config) needsDiads() bool { return c.Atom == "atom_features_meso" }

// directed reports whether a bond's feature may differ by direction.
func (c Config) directed() bool { return c.Bond == "bond_features_v3" }
