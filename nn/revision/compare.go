package revision

import (
	"cmp"
	"maps"
	"math"
	"slices"
)

// Relative is the mean, over the targets that both scores have measured, of mine's
// mean absolute error relative to theirs; ok is false where there is no such
// target. The scores must be of the same rows.
func Relative(mine, theirs Scores) (ratio float64, ok bool) {
	total, n := 0.0, 0
	for _, name := range slices.SortedFunc(maps.Keys(mine), cmp.Compare[string]) { // in one order, so that sums agree to the bit
		x, y := float64(mine[name].MAE), float64(theirs[name].MAE)
		if _, both := theirs[name]; !both || math.IsNaN(x) || math.IsNaN(y) {
			continue
		}
		if x != y { // an error of zero is better than any other, and equal to itself
			total += min(x/y, 1e6)
		} else {
			total++
		}
		n++
	}
	if n == 0 {
		return 0, false
	}
	return total / float64(n), true
}
