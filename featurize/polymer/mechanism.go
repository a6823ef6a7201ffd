package polymer

import "slices"

// Mechanism is how monomers join.
type Mechanism string

// The mechanisms, by m2p's names.
const (
	Vinyl          Mechanism = "vinyl"           // addition over C=C, in either direction at random
	Acrylate       Mechanism = "acrylate"        // another name of vinyl
	Ester          Mechanism = "ester"           // acid, acid halide or cyclic anhydride with aliphatic alcohol
	Amide          Mechanism = "amide"           // acid or acid halide with primary amine
	Carbonate      Mechanism = "carbonate"       // phosgene or carbonate with alcohol or phenol
	Imide          Mechanism = "imide"           // anhydride with primary amine
	NIPU           Mechanism = "NIPU"            // cyclic carbonate with primary amine: urethane without isocyanate
	Urethane       Mechanism = "urethane"        // isocyanate with alcohol or phenol
	All            Mechanism = "all"             // whichever of the above is the only one that applies
	VinylStereo    Mechanism = "vinyl_stereo"    // head to tail, with tacticity
	AcrylateStereo Mechanism = "acrylate_stereo" // another name of vinyl_stereo
	EsterStereo    Mechanism = "ester_stereo"    // hydroxy acids given as pairs of R and S, with tacticity
	UPE            Mechanism = "UPE"             // unsaturated polyester thermoset: two rings, crosslinked over C=C
)

var mechanisms = []Mechanism{
	Vinyl, Acrylate, Ester, Amide, Carbonate, Imide, NIPU, Urethane, All, VinylStereo, AcrylateStereo, EsterStereo, UPE,
}

// Mechanisms lists all mechanisms.
func Mechanisms() []Mechanism { return slices.Clone(mechanisms) }

// ParseMechanism returns the mechanism of that name, or an *Error that lists
// all there are.
func ParseMechanism(name string) (Mechanism, error) {
	if slices.Contains(mechanisms, Mechanism(name)) {
		return Mechanism(name), nil
	}
	known := make([]string, len(mechanisms))
	for i, m := range mechanisms {
		known[i] = string(m)
	}
	return "", failure(UnknownMechanism, "unknown mechanism %q: use %s", name, orList(known))
}

// withTacticity is the mechanism that pm asks for.
func (m Mechanism) withTacticity() (Mechanism, bool) {
	switch m {
	case Vinyl, Acrylate, VinylStereo, AcrylateStereo:
		return VinylStereo, true
	case Ester, EsterStereo:
		return EsterStereo, true
	}
	return m, false
}

// least is the smallest DP of a mechanism.
func (m Mechanism) least() int {
	switch m {
	case Vinyl, Acrylate, UPE:
		return 2
	}
	return 1
}
