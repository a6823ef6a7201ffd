package dataset

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"

	"polyid-trainer/featurize"
)

// GraphKeys returns a key of each row's graph, equal for graphs that the network
// cannot tell apart: those whose atoms and bonds get the same colours, in the
// same numbers, by as many rounds of Weisfeiler–Lehman refinement as it has
// blocks. Unlike featurize.Graph.Key it does not depend on the atoms' order. The
// first call costs O(blocks · (atoms + bonds)) a distinct graph, on all cores.
func (d *Dataset) GraphKeys() []string {
	d.once.Do(func() {
		d.keys = make([]string, len(d.graphs))
		d.everyGraph(func(i int32, g *featurize.Graph) { d.keys[i] = colours(g, d.blocks) })
	})
	out := make([]string, len(d.row))
	for r, g := range d.row {
		out[r] = d.keys[g]
	}
	return out
}

// colours refines a graph's colours and returns them all, sorted. A round reads
// what a block does: a bond itself and both of its atoms, an atom itself and,
// in no order, the bonds that leave it.
func colours(g *featurize.Graph, rounds int) string {
	atoms, bonds := make([]uint64, len(g.Atom)), make([]uint64, len(g.Bond))
	for i, id := range g.Atom {
		atoms[i] = mix(1, uint64(id))
	}
	for i, id := range g.Bond {
		bonds[i] = mix(2, uint64(id))
	}
	sums := make([]uint64, len(atoms))
	for range rounds {
		for i := range bonds {
			bonds[i] = mix(mix(mix(3, bonds[i]), atoms[g.Src[i]]), atoms[g.Dst[i]])
		}
		clear(sums)
		for i := range bonds {
			sums[g.Src[i]] += mix(4, bonds[i]) // a sum has no order
		}
		for i := range atoms {
			atoms[i] = mix(mix(5, atoms[i]), sums[i])
		}
	}
	slices.Sort(atoms)
	slices.Sort(bonds)
	b := make([]byte, 0, 8*(len(atoms)+len(bonds)+1))
	b = binary.LittleEndian.AppendUint64(b, uint64(len(atoms)))
	for _, c := range slices.Concat(atoms, bonds) {
		b = binary.LittleEndian.AppendUint64(b, c)
	}
	sum := sha256.Sum256(b)
	return string(sum[:])
}

// mix hashes two numbers into one (the finalizer of SplitMix64).
func mix(a, b uint64) uint64 {
	x := a*0x9e3779b97f4a7c15 + b + 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
