package polymer

import (
	"errors"

	"polyid-trainer/featurize/mol"
)

// grower builds one chain.
type grower func(c *chain, choose chooser) error

// prepare checks that the mechanism can join the monomers and decides how.
func (p *Polymerization) prepare() error {
	var err error
	if p.spec.Mechanism == All {
		p.grow, err = p.anyMechanism()
	} else {
		p.grow, err = p.mechanism(p.spec.Mechanism)
	}
	return err
}

// mechanism is the grower of one mechanism. A chain of one monomer takes no
// reaction, so that any monomer will do.
func (p *Polymerization) mechanism(mechanism Mechanism) (grower, error) {
	dp, ring := p.spec.DP, p.spec.Ring
	joins := dp > 1 || ring
	switch mechanism {
	case Vinyl:
		g := &vinylGrowth{p.monomers, p.weights}
		return func(c *chain, choose chooser) error {
			g.grow(c, choose, dp, ring)
			return nil
		}, g.check()
	case VinylStereo:
		g, err := newVinylStereo(p.monomers, p.weights)
		return p.stereo(func(c *chain, monomers []int, s []bool) { g.grow(c, monomers, s) }), err
	case EsterStereo:
		g, err := newEsterStereo(p.monomers, p.weights)
		return p.stereo(func(c *chain, pairs []int, s []bool) { g.grow(c, pairs, s) }), err
	case UPE:
		g, err := newUPE(p.monomers, p.weights, p.spec.Crosslinker)
		if err == nil {
			err = g.check(dp)
		}
		return func(c *chain, choose chooser) error { return g.grow(c, choose, dp) }, err
	}
	g, err := newStepGrowth(mechanism, p.monomers, p.weights)
	if err == nil && joins {
		err = g.check(mechanism)
	}
	return func(c *chain, choose chooser) error {
		return g.grow(c, choose, dp, ring)
	}, err
}

// stereo draws monomers and configurations for a grower that is given them.
func (p *Polymerization) stereo(grow func(c *chain, monomers []int, s []bool)) grower {
	pm := 1.0
	if p.spec.PM != nil {
		pm = *p.spec.PM
	}
	return func(c *chain, choose chooser) error {
		monomers := sequence(choose, p.weights, p.spec.DP)
		grow(c, monomers, configurations(choose, pm, p.spec.DP))
		return nil
	}
}

// plain are the mechanisms that All chooses from: without tacticity and without
// crosslinks.
var plain = [...]Mechanism{Vinyl, Ester, Amide, Carbonate, Imide, NIPU, Urethane}

// Fitting lists the mechanisms without tacticity or crosslinks that build a chain
// of spec, whose own Mechanism does not matter. Errors are a *MonomerError for a
// monomer that cannot be read. Cost: a chain for each mechanism that fits.
func Fitting(spec Spec) ([]Mechanism, error) {
	pm := spec.PM
	var fit []Mechanism
	for _, m := range plain {
		spec.Mechanism, spec.PM = m, pm
		if _, ok := m.withTacticity(); !ok {
			spec.PM = nil
		}
		p, err := New(spec)
		if err == nil {
			_, err = p.Chain(0)
		}
		var unread *MonomerError
		switch {
		case errors.As(err, &unread):
			return nil, err
		case err == nil:
			fit = append(fit, m)
		}
	}
	return fit, nil
}

// anyMechanism tries all mechanisms without tacticity. It is an error if other
// than one of them builds a chain.
func (p *Polymerization) anyMechanism() (grower, error) {
	type candidate struct {
		Mechanism
		grower
	}
	var list []candidate
	for _, mechanism := range plain {
		if p.spec.DP < mechanism.least() {
			continue
		}
		g, err := p.mechanism(mechanism)
		if refused := (*Error)(nil); errors.As(err, &refused) {
			continue
		} else if err != nil {
			return nil, err
		}
		list = append(list, candidate{mechanism, g})
	}
	if len(list) == 0 {
		return nil, failure(NoReaction, "no mechanism joins these monomers")
	}
	return func(c *chain, choose chooser) error {
		var built []string
		for _, k := range list {
			try := new(chain)
			if err := k.grower(try, choose); err != nil {
				continue
			}
			built = append(built, string(k.Mechanism))
			*c = *try
		}
		switch len(built) {
		case 0:
			return failure(NoReaction, "no mechanism joins these monomers")
		case 1:
			return nil
		}
		return failure(Ambiguous, "these monomers react by more than one mechanism: name one of %s", orList(built))
	}, nil
}

// Chain builds replicate number i: the same for the same Spec and i, whatever
// else is built. Chains that stop before DP are an *Error with code
// ChainStopped.
func (p *Polymerization) Chain(i int) (*mol.Mol, error) {
	return p.chain(newDice(p.spec.Seed, i, p.spec.Mechanism, p.spec.Monomers))
}

func (p *Polymerization) chain(choose chooser) (*mol.Mol, error) {
	c := new(chain)
	if err := p.grow(c, choose); err != nil {
		return nil, err
	}
	return c.finish()
}
