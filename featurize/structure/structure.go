package structure

import (
	"math"

	"polyid-trainer/data"
	"polyid-trainer/featurize/mol"
	"polyid-trainer/featurize/polymer"
	"polyid-trainer/featurize/smiles"
)

// DefaultDP is the degree of polymerization of PolyID's own tables.
const DefaultDP = 18

// Defaults are what a polymer gets that does not say.
type Defaults struct {
	DP         int    `json:"dp"`         // monomers or repeat units in a chain; 0 is DefaultDP
	Replicates int    `json:"replicates"` // chains drawn of monomers; 0 is 1
	Seed       uint64 `json:"seed"`       // of what is drawn at random
	Periodic   bool   `json:"periodic"`   // repeat units are closed to rings, the chain without ends
}

// WithDefaults fills what is zero.
func (d Defaults) WithDefaults() Defaults {
	if d.DP == 0 {
		d.DP = DefaultDP
	}
	if d.Replicates == 0 {
		d.Replicates = 1
	}
	return d
}

// Chain is one finished chain.
type Chain struct {
	SMILES    string
	Replicate int // number of the draw, for monomers
}

// Chains grows the chains of s: d.Replicates of them from monomers, numbered
// from s.Replicate on, and one otherwise. A chain has the DP that s states, or
// else d's; a repeat unit closed to a ring has as many units as it takes. The
// same s and d give the same chains. Errors are *Error.
func (d Defaults) Chains(s *data.Structure) ([]Chain, error) {
	d = d.WithDefaults()
	if s.DP != 0 {
		d.DP = s.DP
	}
	switch s.Notation() {
	case data.Polymer:
		return []Chain{{SMILES: s.Polymer}}, nil
	case data.RepeatUnit:
		return d.link(s.RepeatUnit)
	case data.Monomers:
		return d.polymerize(s)
	}
	return nil, &Error{Code: "missing_structure", Monomer: -1,
		Detail: "one of smiles_polymer, smiles_repeat_unit and monomers with a mechanism is needed"}
}

// link joins repeat units.
func (d Defaults) link(unit string) ([]Chain, error) {
	u, err := polymer.ReadUnit(unit)
	if err != nil {
		return nil, Describe(err)
	}
	var m *mol.Mol
	if d.Periodic {
		m, err = u.Ring(0)
	} else {
		m, err = u.Chain(d.DP)
	}
	if err != nil {
		return nil, Grown(err)
	}
	return []Chain{{SMILES: smiles.Write(m)}}, nil
}

func (d Defaults) polymerize(s *data.Structure) ([]Chain, error) {
	spec := polymer.Spec{
		Monomers: s.Monomers, Mechanism: polymer.Mechanism(s.Mechanism), DP: d.DP, Distribution: s.Distribution, Seed: d.Seed,
	}
	if !math.IsNaN(s.PM) {
		spec.PM = &s.PM
	}
	p, err := polymer.New(spec)
	if err != nil {
		return nil, Describe(err)
	}
	chains := make([]Chain, d.Replicates)
	for i := range chains {
		replicate := s.Replicate + i
		m, err := p.Chain(replicate)
		if err != nil {
			return nil, Grown(err)
		}
		chains[i] = Chain{SMILES: smiles.Write(m), Replicate: replicate}
	}
	return chains, nil
}

// Check says whether a polymer could be built from a SMILES of notation n, of a
// single monomer for data.Monomers. It is data.Options.Check; errors are *Error.
func Check(n data.Notation, text string) error {
	var err error
	if n == data.RepeatUnit {
		_, err = polymer.ReadUnit(text)
	} else {
		_, err = smiles.Read(text)
	}
	if err != nil {
		return Describe(err)
	}
	return nil
}

// Mechanisms lists the names of all mechanisms, for data.Options.
func Mechanisms() []string {
	var names []string
	for _, m := range polymer.Mechanisms() {
		names = append(names, string(m))
	}
	return names
}
