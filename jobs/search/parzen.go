package search

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
)

// mixture is a density of points: one kernel around each of some points, and one
// for the whole space. A kernel is a product over the parameters.
type mixture struct {
	weight []float64 // of each kernel; they add up to 1
	of     []kernels // of each parameter
}

// kernels are the factors of one parameter.
type kernels interface {
	draw(rng *rand.Rand, k int) float64 // a value of kernel k
	log(x float64, into []float64)      // adds the logarithm of each kernel's density at x
}

// newMixture makes the density of points in the order of their trials.
func newMixture(s Space, points []Point) *mixture {
	m := &mixture{weight: weigh(len(points))}
	for i := range s {
		values := make([]float64, len(points))
		for k, p := range points {
			values[k] = p[i]
		}
		if p := &s[i]; p.Kind == Choice {
			m.of = append(m.of, newCounts(values, len(p.Choices)))
		} else {
			m.of = append(m.of, newNormals(p, values))
		}
	}
	return m
}

// weigh are the weights of n points in the order of their trials, and of the whole
// space behind them. Of many points the oldest count less.
func weigh(n int) []float64 {
	const full = 25 // the newest that count fully
	w := make([]float64, n+1)
	sum := 0.0
	for i := range w {
		w[i] = 1
		if ramp := n - full; i < ramp {
			w[i] = 1 / float64(n)
			if ramp > 1 {
				w[i] += (1 - 1/float64(n)) * float64(i) / float64(ramp-1)
			}
		}
		sum += w[i]
	}
	for i := range w {
		w[i] /= sum
	}
	return w
}

// draw draws a kernel by its weight and a point of it.
func (m *mixture) draw(rng *rand.Rand) Point {
	at := make(Point, len(m.of))
	k := choose(rng, m.weight)
	for i, of := range m.of {
		at[i] = of.draw(rng, k)
	}
	return at
}

// log is the logarithm of the density at a point.
func (m *mixture) log(at Point) float64 {
	terms := make([]float64, len(m.weight))
	for k, w := range m.weight {
		terms[k] = math.Log(w)
	}
	for i, of := range m.of {
		of.log(at[i], terms)
	}
	largest, sum := slices.Max(terms), 0.0
	for _, t := range terms {
		sum += math.Exp(t - largest)
	}
	return largest + math.Log(sum)
}

// choose draws an index by weights that add up to 1.
func choose(rng *rand.Rand, weights []float64) int {
	x := rng.Float64()
	for i, w := range weights {
		if x < w {
			return i
		}
		x -= w
	}
	return len(weights) - 1
}

// counts are the kernels of a choice: each value taken counts once, beside a
// fraction of one count for every choice, so that none is impossible.
type counts [][]float64 // by kernel and choice; each row adds up to 1

func newCounts(values []float64, choices int) counts {
	c := make(counts, len(values)+1)
	even := 1 / float64(len(c))
	for k := range c {
		c[k] = slices.Repeat([]float64{even}, choices)
		sum := even * float64(choices)
		if k < len(values) {
			c[k][int(values[k])]++
			sum++
		}
		for i := range c[k] {
			c[k][i] /= sum
		}
	}
	return c
}

func (c counts) draw(rng *rand.Rand, k int) float64 { return float64(choose(rng, c[k])) }

func (c counts) log(x float64, into []float64) {
	for k := range c {
		into[k] += math.Log(c[k][int(x)])
	}
}

// normals are the kernels of a number: a normal distribution around each value
// taken, the last one over the whole range, all cut off at its ends.
type normals struct {
	of          *Parameter
	low, high   float64 // on the scale of Parameter.inner, as what follows
	mean, width []float64
	inside      []float64 // how much of each normal lies between the ends
}

// newNormals makes each normal as wide as the distance to the farther neighbour,
// within bounds that narrow as values come in.
func newNormals(p *Parameter, values []float64) *normals {
	n := &normals{of: p}
	n.low, n.high = p.inner()
	span, narrowest := n.high-n.low, (n.high-n.low)/math.Min(100, float64(len(values)+2))
	for _, v := range values {
		n.mean = append(n.mean, p.onScale(v))
	}
	for _, w := range distances(n.mean, n.low, n.high) {
		n.width = append(n.width, min(max(w, narrowest), span))
	}
	n.mean, n.width = append(n.mean, (n.low+n.high)/2), append(n.width, span)
	for k, mean := range n.mean {
		n.inside = append(n.inside, between((n.low-mean)/n.width[k], (n.high-mean)/n.width[k]))
	}
	return n
}

// distances are those of each value to the farther of the values beside it; the
// ends of the range count only beside a single value.
func distances(values []float64, low, high float64) []float64 {
	order := make([]int, len(values))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(values[a], values[b]) })
	out := make([]float64, len(values))
	for k, i := range order {
		left, right := values[i]-low, high-values[i]
		if k > 0 {
			left = values[i] - values[order[k-1]]
		}
		if k < len(order)-1 {
			right = values[order[k+1]] - values[i]
		}
		switch {
		case len(order) > 1 && k == 0:
			out[i] = right
		case len(order) > 1 && k == len(order)-1:
			out[i] = left
		default:
			out[i] = max(left, right)
		}
	}
	return out
}

func (n *normals) draw(rng *rand.Rand, k int) float64 {
	for range 1000 { // a third of each normal, at least, lies between the ends
		if x := n.mean[k] + n.width[k]*rng.NormFloat64(); x >= n.low && x <= n.high {
			return n.of.outer(x)
		}
	}
	return n.of.outer(n.mean[k])
}

// log implements kernels; of whole numbers it is the logarithm of a probability.
func (n *normals) log(value float64, into []float64) {
	x := n.of.onScale(value)
	for k, mean := range n.mean {
		z := (x - mean) / n.width[k]
		log := -z*z/2 - math.Log(n.width[k]*math.Sqrt(2*math.Pi))
		if n.of.Kind == Int {
			half := 0.5 / n.width[k]
			log = math.Log(max(between(z-half, z+half), 1e-300))
		}
		into[k] += log - math.Log(n.inside[k])
	}
}

// between is how much of the standard normal distribution lies between a and b.
func between(a, b float64) float64 {
	if a > 0 { // the two tails are alike, and erfc is exact in this one
		a, b = -b, -a
	}
	return (math.Erfc(-b/math.Sqrt2) - math.Erfc(-a/math.Sqrt2)) / 2
}
