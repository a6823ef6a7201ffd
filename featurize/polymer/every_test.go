package polymer

import (
	"math/big"
	"strconv"
)

// every is a chooser that goes through all choices there are, one run each.
type every struct {
	path        []int    // what was chosen, in order: places among the possible ones
	width       []int    // of how many
	at          int      // choices made in this run
	probability *big.Rat // of this run
}

func (e *every) index(n int) int {
	weights := make([]*big.Rat, n)
	for i := range weights {
		weights[i] = big.NewRat(1, int64(n))
	}
	return e.choose(weights)
}

func (e *every) weighted(weights []float64) int {
	sum := new(big.Rat)
	exact := make([]*big.Rat, len(weights))
	for i, w := range weights {
		// The number that was written, not its binary neighbour.
		exact[i], _ = new(big.Rat).SetString(strconv.FormatFloat(w, 'g', -1, 64))
		sum.Add(sum, exact[i])
	}
	for _, w := range exact {
		w.Quo(w, sum)
	}
	return e.choose(exact)
}

func (e *every) choose(odds []*big.Rat) int {
	var possible []int
	for i, p := range odds {
		if p.Sign() > 0 {
			possible = append(possible, i)
		}
	}
	if e.at == len(e.path) {
		e.path, e.width = append(e.path, 0), append(e.width, len(possible))
	}
	i := possible[e.path[e.at]]
	e.at++
	e.probability.Mul(e.probability, odds[i])
	return i
}

// outcomes runs f once for every way the choices can go and adds up the
// probabilities of its results.
func outcomes(f func(choose chooser) string) map[string]*big.Rat {
	sums := map[string]*big.Rat{}
	e := &every{}
	for {
		e.at, e.probability = 0, big.NewRat(1, 1)
		result := f(e)
		if sums[result] == nil {
			sums[result] = new(big.Rat)
		}
		sums[result].Add(sums[result], e.probability)
		last := len(e.path) - 1
		for last >= 0 && e.path[last]+1 == e.width[last] {
			last--
		}
		if last < 0 {
			return sums
		}
		e.path, e.width = e.path[:last+1], e.width[:last+1]
		e.path[last]++
	}
}
