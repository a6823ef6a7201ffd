package structure

import (
	"errors"
	"math"
	"strings"

	"polyid-trainer/data"
	"polyid-trainer/featurize/mol"
	"polyid-trainer/featurize/polymer"
	"polyid-trainer/featurize/smiles"
)

// Grower grows chains. Equal growers grow equal chains of equal structures.
type Grower struct {
	Chains
	Seed uint64 `json:"seed"` // of what is drawn at random
}

// Chain is one finished chain.
type Chain struct {
	SMILES    string
	Replicate int  // number of the draw, for monomers
	DP        int  `json:",omitempty"` // monomers or units in it; 0 for a chain that was stated as such
	Ring      bool `json:",omitempty"` // of DP repeat units, without ends
	// Asked is set where the chain is not what was asked for: its DP where
	// MaxHeavyAtoms made it shorter, or that of the ring's open chain where no
	// ring of the repeat unit is like an infinite chain.
	Asked int `json:",omitempty"`
}

// Grow makes the chains of s: g.Replicates of them from monomers, numbered from
// s.Replicate on, and one otherwise. A DP that s states is taken as it is, and
// makes a chain with ends. Errors are *Error. Cost: about a microsecond an atom.
func (g Grower) Grow(s *data.Structure) ([]Chain, error) {
	g.Chains = g.Chains.WithDefaults()
	for _, text := range []string{s.Polymer, s.RepeatUnit} {
		if _, err := Extension(text); err != nil {
			return nil, err
		}
	}
	switch s.Notation() {
	case data.Polymer:
		return []Chain{{SMILES: s.Polymer}}, nil
	case data.RepeatUnit:
		return g.link(s)
	case data.Monomers:
		return g.polymerize(s)
	}
	return nil, &Error{Code: "missing_structure", Monomer: -1,
		Detail: "one of smiles_polymer, smiles_repeat_unit and monomers with a mechanism is needed"}
}

// link joins repeat units.
func (g Grower) link(s *data.Structure) ([]Chain, error) {
	u, err := polymer.ReadUnit(s.RepeatUnit)
	if err != nil {
		return nil, Describe(err)
	}
	if g.Periodic && s.DP == 0 {
		if c, err := g.ring(u); err != nil || c != nil {
			return c, err
		}
	}
	c := Chain{DP: g.dp(s)}
	if most := max(1, g.MaxHeavyAtoms/u.HeavyAtoms()); s.DP == 0 && c.DP > most {
		c.DP, c.Asked = most, c.DP
	} else if g.Periodic && s.DP == 0 {
		c.Asked = c.DP
	}
	m, err := u.Chain(c.DP)
	if err != nil {
		return nil, Grown(err)
	}
	c.SMILES = smiles.Write(m)
	return []Chain{c}, nil
}

// ring closes repeat units; nil if no ring within the bound is like an infinite
// chain.
func (g Grower) ring(u *polymer.Unit) ([]Chain, error) {
	n, err := u.MinRing()
	var none *polymer.Error
	switch {
	case errors.As(err, &none) && none.Code == polymer.RingTooSmall:
		return nil, nil
	case err != nil:
		return nil, Grown(err)
	case n > 1 && n*u.HeavyAtoms() > g.MaxHeavyAtoms:
		return nil, nil
	}
	m, err := u.Ring(n)
	if err != nil {
		return nil, Grown(err)
	}
	return []Chain{{SMILES: smiles.Write(m), DP: n, Ring: true}}, nil
}

// dp is the DP of s's chains before the bound.
func (g Grower) dp(s *data.Structure) int {
	if s.DP != 0 {
		return s.DP
	}
	return g.DP
}

// polymerize draws chains of monomers.
func (g Grower) polymerize(s *data.Structure) ([]Chain, error) {
	spec := polymer.Spec{Monomers: s.Monomers, Mechanism: polymer.Mechanism(s.Mechanism), DP: g.dp(s), Distribution: s.Distribution, Seed: g.Seed}
	if !math.IsNaN(s.PM) {
		spec.PM = &s.PM
	}
	if s.Mechanism == Auto {
		var err error
		if spec.Mechanism, err = fitting(spec); err != nil {
			return nil, Describe(err)
		}
	}
	p, err := polymer.New(spec)
	if err != nil {
		return nil, Describe(err)
	}
	chains := make([]Chain, g.Replicates)
	for i := range chains {
		c := Chain{Replicate: s.Replicate + i, DP: spec.DP}
		m, err := p.Chain(c.Replicate)
		if err != nil {
			return nil, Grown(err)
		}
		if s.DP == 0 {
			if m, c.DP, err = g.shrink(m, spec, c.Replicate); err != nil {
				return nil, Grown(err)
			}
			if c.DP < spec.DP {
				c.Asked = spec.DP
			}
		}
		c.SMILES = smiles.Write(m)
		chains[i] = c
	}
	return chains, nil
}

// Auto asks for the one mechanism that fits the monomers.
const Auto = "auto"

// fitting is the one mechanism that fits; the error lists those that do where it
// is not one.
func fitting(spec polymer.Spec) (polymer.Mechanism, error) {
	fit, err := polymer.Fitting(spec)
	switch {
	case err != nil:
		return "", err
	case len(fit) == 1:
		return fit[0], nil
	case len(fit) == 0:
		return "", &polymer.Error{Code: polymer.NoReaction, Monomer: -1, Detail: "no mechanism joins these monomers: check that they have the groups that react, or give the repeat unit as smiles_repeat_unit"}
	}
	names := make([]string, len(fit))
	for i, m := range fit {
		names[i] = string(m)
	}
	return "", &polymer.Error{Code: polymer.Ambiguous, Monomer: -1, Detail: "these monomers react by more than one mechanism; name one: " + strings.Join(names, ", ")}
}

// shrink draws a replicate again with a lower DP until it fits the bound, or has
// the least DP that its mechanism takes.
func (g Grower) shrink(m *mol.Mol, spec polymer.Spec, replicate int) (*mol.Mol, int, error) {
	for heavy := HeavyAtoms(m); heavy > g.MaxHeavyAtoms; heavy = HeavyAtoms(m) {
		shorter := spec
		shorter.DP = max(1, min(spec.DP-1, spec.DP*g.MaxHeavyAtoms/heavy))
		p, err := polymer.New(shorter)
		var refused *polymer.Error
		if errors.As(err, &refused) && refused.Code == polymer.InvalidDP || shorter.DP == spec.DP {
			return m, spec.DP, nil
		}
		if err != nil {
			return nil, 0, err
		}
		if m, err = p.Chain(replicate); err != nil {
			return nil, 0, err
		}
		spec = shorter
	}
	return m, spec.DP, nil
}

// HeavyAtoms counts the atoms that are neither hydrogen nor the * of a repeat
// unit.
func HeavyAtoms(m *mol.Mol) int {
	n := 0
	for i := range m.Atoms {
		if m.Atoms[i].Element > 1 {
			n++
		}
	}
	return n
}

// Check says whether a polymer could be built from a SMILES of notation n, of a
// single monomer for data.Monomers. It is data.Options.Check; errors are *Error.
func Check(n data.Notation, text string) error {
	if _, err := Extension(text); err != nil {
		return err
	}
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

// Mechanisms lists the names of all mechanisms, for data.Options, and Auto.
func Mechanisms() []string {
	names := []string{Auto}
	for _, m := range polymer.Mechanisms() {
		names = append(names, string(m))
	}
	return names
}
