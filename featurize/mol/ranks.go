package mol

// canonicalRanks numbers the atoms.
func canonicalRanks(m *Mol) []int32 {
	r := make([]int32, len(m.Atoms))
	for i := range r {
		r[i] = int32(i)
	}
	return r
}
