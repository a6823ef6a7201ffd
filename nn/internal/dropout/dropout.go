// Package dropout is the random numbers of dropout in the heads, which all
// engines share: a fold that moves from one to another goes on with the same
// draws.
package dropout

import (
	"math"
	"math/rand/v2"
)

// Sampler samples what dropout leaves of a class's members. Each of k members
// keeps a feature with probability 1−P and has it scaled by 1/(1−P), so their
// mean is the class's feature times Binomial(k, 1−P)/(k·(1−P)): drawing that
// number has the distribution of dropping from every bond, at one draw per
// class.
//
// A Sampler is used by one goroutine at a time.
type Sampler struct {
	P      float64
	random rand.PCG
	tables [][]uint64 // by members of a class
}

// Table returns the cumulative distribution of how many of k members drop a
// feature: n or fewer with probability table[n]/2⁶⁴, as exactly as float64 has
// it; the last entry is certain.
func (d *Sampler) Table(k int) []uint64 {
	for len(d.tables) <= k {
		d.tables = append(d.tables, nil)
	}
	if d.tables[k] == nil {
		// In logarithms, because (1−p)^k may be below what a float64 holds.
		odds := math.Log(d.P) - math.Log1p(-d.P)
		density, sum := float64(k)*math.Log1p(-d.P), 0.0
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

// Unit is what one kept member of k adds to a class's factor.
func (d *Sampler) Unit(k float64) float64 { return 1 / (k * (1 - d.P)) }

// Seed starts the random numbers of one row in one epoch.
func (d *Sampler) Seed(seed uint64, epoch, row int) {
	d.random.Seed(Stream(seed, epoch, row))
}

// Stream is the seed of one row's generator in one epoch, math/rand/v2's PCG.
// The draws are in the order of heads, classes and features.
func Stream(seed uint64, epoch, row int) (hi, lo uint64) {
	return mix(seed ^ mix(uint64(epoch))), mix(uint64(row) + 1)
}

// mix is SplitMix64's finalizer (Steele et al. 2014): it keeps the generators
// of neighbouring rows and epochs apart.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// Fill draws the factors of a class of k members into row.
func Fill[T float32 | float64](d *Sampler, row []T, k float64) {
	table, unit := d.Table(int(k)), d.Unit(k)
	for c := range row {
		u, dropped := d.random.Uint64(), 0
		for u >= table[dropped] && dropped < len(table)-1 {
			dropped++
		}
		row[c] = T((k - float64(dropped)) * unit)
	}
}
