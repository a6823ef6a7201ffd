package polymer

import "math"

// A chain with tacticity is drawn in two steps: which monomer stands where, and
// which of its two mirror images.

// sequence draws which of the weighted monomers stands at each of dp places.
// The shares are met as closely as whole numbers can: with two kinds the
// remainder goes to one of them in proportion; with more, as in m2p, each kind
// is rounded up and the surplus left out at random. The order is random.
func sequence(choose chooser, weights []float64, dp int) []int {
	counts := make([]int, len(weights))
	sum := 0.0
	for _, w := range weights {
		sum += w
	}
	if len(weights) == 2 {
		counts[0] = roundAtRandom(choose, float64(dp)*weights[0]/sum, dp)
		counts[1] = dp - counts[0]
	} else {
		for i, w := range weights {
			counts[i] = int(math.Ceil(nearlyWhole(float64(dp) * w / sum)))
		}
	}
	return shuffle(choose, counts, dp)
}

// meso draws which of n diads are meso: a share of pm of them, rounded at random
// so that the mean is n·pm, in random order. Each diad by itself is meso with
// probability pm.
func meso(choose chooser, pm float64, n int) []bool {
	m := roundAtRandom(choose, pm*float64(n), n)
	diads := make([]bool, n)
	for i, kind := range shuffle(choose, []int{n - m, m}, n) {
		diads[i] = kind == 1
	}
	return diads
}

// configurations draws R (false) or S (true) for dp centres: the first is
// either, and a meso diad repeats the one before.
func configurations(choose chooser, pm float64, dp int) []bool {
	s := make([]bool, dp)
	s[0] = choose.index(2) == 1
	for i, same := range meso(choose, pm, dp-1) {
		s[i+1] = s[i] == same
	}
	return s
}

// roundAtRandom is x rounded down or up so that the mean is x, at most limit.
func roundAtRandom(choose chooser, x float64, limit int) int {
	x = nearlyWhole(x)
	down := math.Floor(x)
	if up := x - down; up > 0 {
		down += float64(choose.weighted([]float64{1 - up, up}))
	}
	return min(max(int(down), 0), limit)
}

// nearlyWhole is x without the rounding error of a product that should be whole.
func nearlyWhole(x float64) float64 {
	if r := math.Round(x); math.Abs(x-r) < 1e-9 {
		return r
	}
	return x
}

// shuffle draws n items of those counts in random order, without replacement.
func shuffle(choose chooser, counts []int, n int) []int {
	left := make([]float64, len(counts))
	kinds := 0
	for i, c := range counts {
		left[i] = float64(c)
		if c > 0 {
			kinds++
		}
	}
	items := make([]int, n)
	for at := range items {
		k := 0
		for left[k] == 0 {
			k++
		}
		if kinds > 1 {
			k = choose.weighted(left)
		}
		if left[k]--; left[k] == 0 {
			kinds--
		}
		items[at] = k
	}
	return items
}
