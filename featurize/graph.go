package featurize

// Graph is one polymer as the network sees it: nfp's atoms and directed bonds,
// with features as Lexicon ids rather than tokens, so that one graph (and one
// plan) serves every fold although each fold fits its own Vocab.
type Graph struct {
	Atom []int32 // [nA] Lexicon id of each atom's feature string
	Bond []int32 // [nB] Lexicon id of each directed bond's feature string
	Src  []int32 // [nB] atom the directed bond leaves; ascending
	Dst  []int32 // [nB] atom it reaches
	Rev  []int32 // [nB] index of the same bond in the other direction
}
