package stack

// blend finds the weights ≥ 0 with sum 1 for which the weighted sum of the members'
// predictions is nearest to the values, in the mean of squares; rows that say
// little keep them near equal. predicted is by member, then row.
//
// It is a quadratic problem on a simplex of a few corners: pairs of weights are
// balanced against each other until nothing is gained.
func blend(predicted [][]float64, value, weight []float64) []float64 {
	k := len(predicted)
	w := make([]float64, k)
	for m := range w {
		w[m] = 1 / float64(k)
	}
	// With sum 1 the error is the weighted sum of the members' errors.
	quadratic := make([][]float64, k)
	trace := 0.0
	for a := range quadratic {
		quadratic[a] = make([]float64, k)
		for b := range k {
			for i, v := range value {
				quadratic[a][b] += weight[i] * (predicted[a][i] - v) * (predicted[b][i] - v)
			}
		}
		trace += quadratic[a][a]
	}
	// A ridge of a few rows' worth towards equal weights.
	if n := len(value); n > 0 {
		for m := range k {
			quadratic[m][m] += 2 * trace / float64(k) / float64(n)
		}
	}
	gradient := func(m int) (g float64) {
		for b, v := range w {
			g += quadratic[m][b] * v
		}
		return g
	}
	for range 1000 {
		moved := 0.0
		for a := range k {
			for b := range a {
				curvature := quadratic[a][a] + quadratic[b][b] - 2*quadratic[a][b]
				if curvature <= 0 {
					continue
				}
				step := (gradient(b) - gradient(a)) / curvature // from b to a
				step = min(max(step, -w[a]), w[b])
				w[a], w[b] = w[a]+step, w[b]-step
				moved = max(moved, step, -step)
			}
		}
		if moved < 1e-9 {
			break
		}
	}
	return w
}
