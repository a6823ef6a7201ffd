package structure

import (
	"errors"
	"fmt"
)

// The chains of PolyID's own tables, and the limits of a Chains.
const (
	DefaultDP            = 18
	DefaultMaxHeavyAtoms = 1200
	MaxDP                = 1200
	MaxReplicates        = 100
)

// Chains says how chains grow where a row does not say; the JSON is a training
// job's "chains". A zero field stands for its default, see WithDefaults.
type Chains struct {
	DP int `json:"dp" doc:"Monomers or repeat units in a chain, unless a row's own column says; 18."`
	// MaxHeavyAtoms bounds a chain: its DP shrinks until it fits, but never below
	// one unit. A DP that a row states is not bounded by it.
	MaxHeavyAtoms int  `json:"max_heavy_atoms" doc:"A chain's DP shrinks until it has no more heavy atoms than this, but never below one unit; 1,200."`
	Periodic      bool `json:"periodic" doc:"Repeat units are closed to rings, chains without ends."`
	Replicates    int  `json:"replicates" doc:"Chains drawn of each polymer stated by monomers; 1."`
}

// WithDefaults fills what is zero.
func (c Chains) WithDefaults() Chains {
	if c.DP == 0 {
		c.DP = DefaultDP
	}
	if c.MaxHeavyAtoms == 0 {
		c.MaxHeavyAtoms = DefaultMaxHeavyAtoms
	}
	if c.Replicates == 0 {
		c.Replicates = 1
	}
	return c
}

// Validate reports every setting that is out of range, each error beginning with
// the field's JSON name.
func (c Chains) Validate() error {
	var errs []error
	between := func(field string, v, hi int) {
		if v < 1 || v > hi {
			errs = append(errs, fmt.Errorf("%s: %d is not between 1 and %d", field, v, hi))
		}
	}
	between("dp", c.DP, MaxDP)
	between("max_heavy_atoms", c.MaxHeavyAtoms, DefaultMaxHeavyAtoms)
	between("replicates", c.Replicates, MaxReplicates)
	return errors.Join(errs...)
}
