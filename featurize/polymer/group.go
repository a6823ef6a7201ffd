package polymer

import (
	"slices"

	"polyid-trainer/featurize/mol"
)

// Group is a kind of functional group that m2p counts in monomers.
type Group int

// The groups, in m2p's order.
const (
	Ols                  Group = iota // hydroxyl on carbon that is no carbonyl
	AliphaticOls                      // the same, not on an aromatic ring
	Acids                             // carboxylic acid, carboxylate or acid halide, on carbon
	PrimeAmines                       // NH2 on carbon that is no carbonyl
	Carbonates                        // carbonyl between two of halogen and oxygen
	CyclicCarbonates                  // five-membered ring carbonate
	AcidAnhydrides                    // oxygen between two carbonyls
	PrimeThiols                       // SH on carbon that is no carbonyl
	Isocyanates                       // N=C=O on carbon
	Acrylates                         // CH2=C-C=O
	DoubleBond                        // C=C, not aromatic
	Vinyls                            // CH2=CH, but for acrylates
	DoubleBondSecondary               // CH=CH
	DoubleBondTertiary                // C-C=C-C whose last double-bonded carbon has not one hydrogen
	DoubleBondQuaternary              // the same with neither
	numGroups
)

var groupNames = [numGroups]string{
	"ols", "aliphatic_ols", "acids", "prime_amines", "carbonates", "cyclic_carbonates", "acidanhydrides",
	"prime_thiols", "isocyanates", "acrylates", "double_bond", "vinyls", "double_bond_secondary",
	"double_bond_tertiary", "double_bond_quaternary",
}

// String is the name m2p gives the group.
func (g Group) String() string { return groupNames[g] }

// Groups lists all groups.
func Groups() []Group {
	all := make([]Group, numGroups)
	for i := range all {
		all[i] = Group(i)
	}
	return all
}

// Find lists the groups of that kind in a sanitized molecule, each as its atoms
// in the order of m2p's template. Two that cover the same atoms are one.
func (g Group) Find(m *mol.Mol) [][]int32 {
	q := query{m}
	var found [][]int32
	switch g {
	case Ols, AliphaticOls:
		found = q.hydroxyls(g == AliphaticOls)
	case Acids:
		found = q.acids()
	case PrimeAmines:
		found = q.onCarbon(nitrogen, 2)
	case Carbonates:
		found = q.carbonates()
	case CyclicCarbonates:
		found = q.cyclicCarbonates()
	case AcidAnhydrides:
		found = q.anhydrides()
	case PrimeThiols:
		found = q.onCarbon(sulfur, 1)
	case Isocyanates:
		found = q.isocyanates()
	case Acrylates:
		found = q.acrylates()
	case DoubleBond:
		found = q.alkenes()
	case Vinyls:
		found = q.vinyls()
	case DoubleBondSecondary:
		found = q.secondaryAlkenes()
	case DoubleBondTertiary:
		found = q.substitutedAlkenes(false)
	case DoubleBondQuaternary:
		found = q.substitutedAlkenes(true)
	}
	return distinct(found)
}

// distinct drops matches that cover the same atoms as an earlier one.
func distinct(matches [][]int32) [][]int32 {
	if len(matches) < 2 {
		return matches
	}
	seen := map[string]bool{}
	return slices.DeleteFunc(matches, func(match []int32) bool {
		atoms := slices.Sorted(slices.Values(match))
		key := make([]byte, 0, 4*len(atoms))
		for _, a := range atoms {
			key = append(key, byte(a), byte(a>>8), byte(a>>16), byte(a>>24))
		}
		if seen[string(key)] {
			return true
		}
		seen[string(key)] = true
		return false
	})
}

const (
	dummy    mol.Element = 0
	hydrogen mol.Element = 1
	carbon   mol.Element = 6
	nitrogen mol.Element = 7
	oxygen   mol.Element = 8
	sulfur   mol.Element = 16
)

// halogen reports whether e may leave from a carbonyl.
func halogen(e mol.Element) bool {
	return e == 9 || e == 17 || e == 35 || e == 53 // F Cl Br I
}
