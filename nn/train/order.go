package train

import (
	"math/bits"
	"math/rand/v2"
)

// FoldSeed is the seed of one fold of a job: what its engine is made with and
// what its order is keyed by. Neighbouring seeds and folds share nothing
// (splitmix64's finalizer, Steele et al. 2014, over both).
func FoldSeed(seed uint64, fold int) uint64 {
	return mix(mix(seed) + uint64(fold))
}

func mix(z uint64) uint64 {
	z += 0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// shuffle fills order with the permutation of one epoch: Fisher and Yates over
// a generator that is keyed, not carried on. It is written out because a
// checkpoint outlives a toolchain, and rand.Shuffle guarantees no
// sequence.
func shuffle(order []int, seed uint64, epoch int) {
	r := rand.NewPCG(seed, uint64(epoch))
	for i := range order {
		order[i] = i
	}
	for i := len(order) - 1; i > 0; i-- {
		// The high word of a product is uniform below i+1 up to 2^-64·i.
		j, _ := bits.Mul64(r.Uint64(), uint64(i+1))
		order[i], order[j] = order[j], order[i]
	}
}
