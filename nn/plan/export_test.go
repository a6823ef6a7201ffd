package plan

import (
	"slices"

	"polyid-trainer/featurize"
)

// Trace returns the class of every atom and directed bond of g at layers 0 to
// blocks; atoms keep their last classes in the last.
func Trace(g *featurize.Graph, blocks int) (atom, bond [][]int32) {
	var b Builder
	b.begin(g, false)
	for j := range blocks + 1 {
		atom, bond = append(atom, slices.Clone(b.atom)), append(bond, slices.Clone(b.bond))
		if j < blocks {
			b.advance(new(Block), g, j == blocks-1)
		}
	}
	return atom, bond
}
