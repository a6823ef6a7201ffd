package search

import (
	"cmp"
	"math"
	"slices"
)

// Settings of TPE, which are Optuna's.
const (
	startup    = 10  // trials that are drawn at random before there is anything to learn from
	candidates = 24  // points drawn of the good trials' density, of which the likeliest counts
	goodShare  = 0.1 // of the trials counts as good,
	mostGood   = 25  // but never more than so many
)

// TPEBatch is how many trials TPE proposes at once, each batch on the scores of all
// trials before it. It is fixed, so that what is proposed depends neither on how
// many workers there are nor on which of them is first.
const TPEBatch = 4

// Observation is a trial that has ended.
type Observation struct {
	At    Point
	Score float64 // the lower the better; NaN of one that failed
}

// TPE is the point of trial number index, given the trials that have ended, in the
// order of their numbers, and the points proposed in the same batch before it. The
// latter, whose scores are not known yet, count as bad, so that a batch spreads.
//
// The best tenth of the trials has one density and all others another. Of 24 points
// drawn from the first, it takes the one at which the first is largest beside the
// second. Cost: O(24 · trials · parameters).
func TPE(s Space, seed uint64, index int, seen []Observation, pending []Point) Point {
	if len(seen) < startup {
		return Random(s, seed, index)
	}
	good, bad := divide(seen)
	l, g := newMixture(s, good), newMixture(s, append(bad, pending...))
	rng := generator(seed, index)
	var best Point
	most := math.Inf(-1)
	for range candidates {
		at := l.draw(rng)
		if gain := l.log(at) - g.log(at); best == nil || gain > most {
			best, most = at, gain
		}
	}
	return best
}

// divide separates the best trials from the others; each group stays in the order
// of the trials' numbers. One that failed is worse than any that did not.
func divide(seen []Observation) (good, bad []Point) {
	order := make([]int, len(seen))
	for i := range order {
		order[i] = i
	}
	worst := func(x float64) float64 {
		if math.IsNaN(x) {
			return math.Inf(1)
		}
		return x
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(worst(seen[a].Score), worst(seen[b].Score)) })
	n := min(int(math.Ceil(goodShare*float64(len(seen)))), mostGood)
	best := map[int]bool{}
	for _, i := range order[:n] {
		best[i] = true
	}
	for i, o := range seen {
		if best[i] {
			good = append(good, o.At)
		} else {
			bad = append(bad, o.At)
		}
	}
	return good, bad
}
