package polymer

import (
	"math"

	"polyid-trainer/featurize/smiles"
)

// Spec says which chains to build.
type Spec struct {
	Monomers  []string // SMILES; for ester_stereo R, S, R, S, …
	Mechanism Mechanism
	DP        int // monomers in a chain

	// Distribution weighs the monomers, in their order: it need not add up to
	// anything. Empty means alike. In ester_stereo it weighs pairs. Where growth
	// alternates between groups, it weighs those monomers that fit; the first of
	// a condensation chain is drawn from all alike, as in m2p.
	Distribution []float64

	// PM is the fraction of meso diads, nil for none given: 1 in stereo
	// mechanisms. With one, vinyl and ester mean their stereo kinds.
	PM *float64

	// Ring closes the chain on itself, with more monomers than DP if it needs
	// them for the two ends to fit. UPE and stereo mechanisms have none.
	Ring bool

	// Crosslinker says which monomers link the rings of UPE. Empty means those
	// with a C=C and no group that esterifies.
	Crosslinker []bool

	Seed uint64
}

// Polymerization builds the chains of one Spec. It may be used by several
// goroutines.
type Polymerization struct {
	spec     Spec
	monomers []*monomer
	weights  []float64
	grow     grower
}

// New reads the monomers and checks that the mechanism can join them. Errors
// are *MonomerError for a monomer that cannot be read and *Error for all else.
func New(spec Spec) (*Polymerization, error) {
	mechanism, err := ParseMechanism(string(spec.Mechanism))
	if err != nil {
		return nil, err
	}
	if spec.PM != nil {
		if !(*spec.PM >= 0 && *spec.PM <= 1) {
			return nil, failure(InvalidPM, "pm is the fraction of meso diads, from 0 to 1, not %v", *spec.PM)
		}
		var ok bool
		if mechanism, ok = mechanism.withTacticity(); !ok {
			return nil, failure(InvalidPM, "mechanism %s has no tacticity, so pm means nothing to it", mechanism)
		}
	}
	if mechanism == Acrylate {
		mechanism = Vinyl
	}
	if mechanism == AcrylateStereo {
		mechanism = VinylStereo
	}
	spec.Mechanism = mechanism
	if least := mechanism.least(); spec.DP < least {
		return nil, failure(InvalidDP, "mechanism %s needs a DP of at least %d, not %d", mechanism, least, spec.DP)
	}
	if len(spec.Monomers) == 0 {
		return nil, failure(InvalidMonomers, "there are no monomers")
	}
	p := &Polymerization{spec: spec}
	for i, s := range spec.Monomers {
		m, err := readMonomer(i, s)
		if err != nil {
			return nil, err
		}
		p.monomers = append(p.monomers, m)
	}
	if err := p.weigh(); err != nil {
		return nil, err
	}
	if err := p.bound(); err != nil {
		return nil, err
	}
	if err := p.prepare(); err != nil {
		return nil, err
	}
	return p, nil
}

// MaxAtoms is how many atoms a chain may have: as many as the reader takes.
const MaxAtoms = smiles.MaxSize

// bound refuses chains that could grow beyond MaxAtoms.
func (p *Polymerization) bound() error {
	largest := 1
	for _, k := range p.monomers {
		largest = max(largest, len(k.m.Atoms))
	}
	limit := MaxAtoms / largest
	if p.spec.Mechanism == UPE {
		limit = limit/3 - longestDetour // two rings and what is between them
	}
	return checkSize(p.spec.DP, limit)
}

// checkSize refuses a DP above limit.
func checkSize(dp, limit int) error {
	if dp > limit {
		return failure(InvalidDP, "a DP of %d is too large: these monomers would make more than %d atoms", dp, MaxAtoms)
	}
	return nil
}

// weigh checks the distribution and fills in the default.
func (p *Polymerization) weigh() error {
	n := len(p.monomers)
	what := "monomers"
	if p.spec.Mechanism == EsterStereo {
		n, what = (n+1)/2, "pairs of monomers"
	}
	p.weights = make([]float64, n)
	if len(p.spec.Distribution) == 0 {
		for i := range p.weights {
			p.weights[i] = 1
		}
		return nil
	}
	if len(p.spec.Distribution) != n {
		return failure(InvalidWeights, "the distribution has %d weights for %d %s", len(p.spec.Distribution), n, what)
	}
	sum := 0.0
	for i, w := range p.spec.Distribution {
		if !(w >= 0) || math.IsInf(w, 1) {
			return failure(InvalidWeights, "weight %d of the distribution is %v; weights are finite and not negative", i+1, w)
		}
		sum += w
	}
	if !(sum > 0) || math.IsInf(sum, 1) {
		return failure(InvalidWeights, "the distribution must add up to a positive finite number")
	}
	copy(p.weights, p.spec.Distribution)
	return nil
}
