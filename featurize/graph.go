package featurize

import (
	"crypto/sha256"
	"encoding/binary"
)

// Graph is one polymer as the network sees it: nfp's atoms and directed bonds,
// with features as Lexicon ids rather than tokens, so that one graph (and one
// plan) serves every fold although each fold fits its own Vocab.
//
// A molecule without bonds has empty bond arrays, one without atoms empty
// arrays throughout, as nfp has them.
type Graph struct {
	Atom []int32 // [nA] Lexicon id of each atom's feature string
	Bond []int32 // [nB] Lexicon id of each directed bond's feature string
	Src  []int32 // [nB] atom the directed bond leaves; ascending
	Dst  []int32 // [nB] atom it reaches
	Rev  []int32 // [nB] index of the same bond in the other direction
}

// Key identifies a graph among those numbered by the same Lexicons.
type Key [sha256.Size]byte

// Key is equal for two graphs with the same Lexicons exactly when all their
// arrays are: the same features on the same atoms and bonds in the same order.
// Graphs that only a renumbering of atoms would make equal have different keys.
func (g *Graph) Key() Key {
	// Rev follows from Src and Dst.
	buf := make([]byte, 0, 4*(2+len(g.Atom)+3*len(g.Bond)))
	buf = binary.LittleEndian.AppendUint32(buf, uint32(len(g.Atom)))
	buf = binary.LittleEndian.AppendUint32(buf, uint32(len(g.Bond)))
	for _, ids := range [...][]int32{g.Atom, g.Bond, g.Src, g.Dst} {
		for _, id := range ids {
			buf = binary.LittleEndian.AppendUint32(buf, uint32(id))
		}
	}
	return sha256.Sum256(buf)
}

// Groups numbers equal graphs alike: 0 for the first, 1 for the first that
// differs from it, and so on. Rows with a nil graph get -1.
func Groups(graphs []*Graph) []int32 {
	group := make([]int32, len(graphs))
	seen := map[Key]int32{}
	for i, g := range graphs {
		if g == nil {
			group[i] = -1
			continue
		}
		k := g.Key()
		n, ok := seen[k]
		if !ok {
			n = int32(len(seen))
			seen[k] = n
		}
		group[i] = n
	}
	return group
}
