package lease

import (
	"time"

	"github.com/cenkalti/backoff/v5"
)

// Policy says when work that goes wrong is given up.
type Policy struct {
	Failures int // errors, after which there is no other attempt
	// Losses are workers that died in a row without progress between. There are
	// more of these, because a machine may go away for no fault of the work, and
	// not without end, because work may kill whoever takes it.
	Losses  int
	First   time.Duration // wait after the first failure; doubled after each further one
	Longest time.Duration // wait between two attempts
}

// spread is the part by which a wait is longer or shorter by chance, so that
// pieces of work which fail together are not all tried again together.
const spread = 0.2

// wait is the time before the attempt that follows the n-th failure, from 1.
func (p Policy) wait(n int) (d time.Duration) {
	b := backoff.ExponentialBackOff{InitialInterval: p.First, MaxInterval: p.Longest, Multiplier: 2, RandomizationFactor: spread}
	for range n {
		d = b.NextBackOff()
	}
	return min(d, p.Longest)
}
