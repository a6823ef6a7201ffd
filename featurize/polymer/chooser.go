package polymer

import (
	"crypto/sha256"
	"encoding/binary"
	"math/rand/v2"
)

// chooser makes the random choices. Every choice of a polymerization is one
// call, so that a test can go through all of them.
type chooser interface {
	index(n int) int                // one of 0..n-1, each as likely as the others
	weighted(weights []float64) int // i with a probability in proportion to weights[i]
}

// dice is the chooser that draws.
type dice struct{ *rand.Rand }

// newDice derives a generator from all that names a chain, so that neither the
// order of work nor the other chains change it.
func newDice(seed uint64, replicate int, mechanism Mechanism, monomers []string) dice {
	h := sha256.New()
	var b [8]byte
	number := func(n uint64) {
		binary.LittleEndian.PutUint64(b[:], n)
		h.Write(b[:])
	}
	number(seed)
	number(uint64(replicate))
	for _, s := range append([]string{string(mechanism)}, monomers...) {
		number(uint64(len(s)))
		h.Write([]byte(s))
	}
	return dice{rand.New(rand.NewChaCha8([32]byte(h.Sum(nil))))}
}

func (d dice) index(n int) int { return d.IntN(n) }

func (d dice) weighted(weights []float64) int {
	sum := 0.0
	for _, w := range weights {
		sum += w
	}
	x := d.Float64() * sum
	last := 0
	for i, w := range weights {
		if w <= 0 {
			continue
		}
		if last = i; x < w {
			return i
		}
		x -= w
	}
	return last // rounding left x at the very end
}
