package cpu

import (
	"math"
	"math/rand/v2"

	"polyid-trainer/nn/kernel"
)

// dropout samples what dropout leaves of a class's members. Each of k members
// keeps a feature with probability 1−p and has it scaled by 1/(1−p), so their
// mean is the class's feature times Binomial(k, 1−p)/(k·(1−p)): drawing that
// number has the distribution of dropping from every bond, at one draw per
// class.
type dropout struct {
	p      float64
	random rand.PCG
	tables [][]uint64 // by members of a class
}

// table returns the cumulative distribution of how many of k members drop a
// feature: n or fewer with probability table[n]/2⁶⁴, as exactly as float64
// has it; the last entry is certain.
func (d *dropout) table(k int) []uint64 {
	for len(d.tables) <= k {
		d.tables = append(d.tables, nil)
	}
	if d.tables[k] == nil {
		// In logarithms, because (1−p)^k may be below what a float64 holds.
		odds := math.Log(d.p) - math.Log1p(-d.p)
		density, sum := float64(k)*math.Log1p(-d.p), 0.0
		for n := 0; ; n++ {
			sum += math.Exp(density)
			if n == k || sum >= 1-1e-15 {
				d.tables[k] = append(d.tables[k], math.MaxUint64)
				break
			}
			d.tables[k] = append(d.tables[k], uint64(sum*(1<<63))<<1)
			density += math.Log(float64(k-n)/float64(n+1)) + odds
		}
	}
	return d.tables[k]
}

// seed starts the random numbers of one row in one epoch.
func (d *dropout) seed(seed uint64, epoch, row int) {
	d.random.Seed(mix(seed^mix(uint64(epoch))), mix(uint64(row)+1))
}

// mix is SplitMix64's finalizer (Steele et al. 2014): it keeps the generators
// of neighbouring rows and epochs apart.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// fillDropout draws the factors of classes with count members into mask, a row
// per class.
func fillDropout[T kernel.Float](d *dropout, mask kernel.View[T], count []T) {
	for r, k := range count {
		table := d.table(int(k))
		unit := 1 / (float64(k) * (1 - d.p))
		row := mask.Row(r)
		for c := range row {
			u, dropped := d.random.Uint64(), 0
			for u >= table[dropped] && dropped < len(table)-1 {
				dropped++
			}
			row[c] = T((float64(k) - float64(dropped)) * unit)
		}
	}
}
