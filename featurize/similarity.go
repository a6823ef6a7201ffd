package featurize

import (
	"cmp"
	"slices"

	"polyid-trainer/featurize/mol"
)

// Fingerprint is a molecule's counts of Morgan environments, for comparisons.
type Fingerprint struct {
	hash  []uint32 // ascending
	count []int32
	total int64
}

// NewFingerprint makes the Fingerprint of what Morgan counts.
func NewFingerprint(m *mol.Mol) Fingerprint {
	counts := Morgan(m)
	f := Fingerprint{hash: make([]uint32, 0, len(counts))}
	for h := range counts {
		f.hash = append(f.hash, h)
	}
	slices.SortFunc(f.hash, func(a, b uint32) int { return cmp.Compare(a, b) })
	for _, h := range f.hash {
		f.count = append(f.count, int32(counts[h]))
		f.total += int64(counts[h])
	}
	return f
}

// Tanimoto is the similarity of two fingerprints, 0 to 1: the sum of the lesser
// counts over that of the greater ones, RDKit's TanimotoSimilarity of Morgan counts.
// That of two empty ones is 0. Cost: linear in both.
func (f Fingerprint) Tanimoto(g Fingerprint) float64 {
	shared := int64(0)
	for i, j := 0, 0; i < len(f.hash) && j < len(g.hash); {
		switch {
		case f.hash[i] < g.hash[j]:
			i++
		case f.hash[i] > g.hash[j]:
			j++
		default:
			shared += int64(min(f.count[i], g.count[j]))
			i++
			j++
		}
	}
	if all := f.total + g.total - shared; all > 0 {
		return float64(shared) / float64(all)
	}
	return 0
}
