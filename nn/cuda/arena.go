package cuda

import (
	"fmt"
	"slices"
)

// arena deals out one block of device memory, first fit. The driver's own
// allocator stops all streams of a device, and fails only when somebody else
// has taken the memory; this one fails at once and says why.
type arena struct {
	base  address
	size  int
	spans []span // that are in use, by address
}

// span is some bytes of the arena.
type span struct{ at, n int }

// granule is what sizes are rounded up to: a cache line is aligned within it.
const granule = 256

// take reserves n bytes.
func (a *arena) take(n int) (address, error) {
	n = max(granule, (n+granule-1)/granule*granule)
	at := 0
	for i := 0; ; i++ {
		end := a.size
		if i < len(a.spans) {
			end = a.spans[i].at
		}
		if end-at >= n {
			a.spans = slices.Insert(a.spans, i, span{at, n})
			return a.base + address(at), nil
		}
		if i == len(a.spans) {
			return 0, fmt.Errorf("%w: %.1f MB more are needed, %.1f of the arena's %.1f MB are in use: train fewer folds at once, or raise the arena's size",
				ErrOutOfMemory, mb(n), mb(a.used()), mb(a.size))
		}
		at = a.spans[i].at + a.spans[i].n
	}
}

// give returns what take reserved; 0 is nothing.
func (a *arena) give(p address) {
	if p == 0 {
		return
	}
	i, ok := slices.BinarySearchFunc(a.spans, int(p-a.base), func(s span, at int) int { return s.at - at })
	if !ok {
		panic("cuda: freeing memory that was not allocated")
	}
	a.spans = slices.Delete(a.spans, i, i+1)
}

// used is the bytes in use.
func (a *arena) used() int {
	n := 0
	for _, s := range a.spans {
		n += s.n
	}
	return n
}

func mb(n int) float64 { return float64(n) / 1e6 }
