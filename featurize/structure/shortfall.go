package structure

import (
	"fmt"

	"polyid-trainer/data"
	"polyid-trainer/featurize/polymer"
	"polyid-trainer/featurize/smiles"
)

// Shortfall counts the rows of a table whose chains are not as asked.
type Shortfall struct {
	Shortened int // DP made smaller by MaxHeavyAtoms
	Open      int // of repeat units that no ring leaves as they are in an infinite chain
	Least     int // DP of the shortest
}

// Note counts a row by its chains.
func (f *Shortfall) Note(chains []Chain) {
	short, open := false, false
	for _, c := range chains {
		if c.Asked > c.DP {
			short = true
			f.shortest(c.DP)
		}
		open = open || c.Asked == c.DP && c.Asked != 0
	}
	if short {
		f.Shortened++
	}
	if open {
		f.Open++
	}
}

func (f *Shortfall) shortest(dp int) {
	if f.Least == 0 || dp < f.Least {
		f.Least = dp
	}
}

// Preview counts a row as Note will, without growing its chain where it need not:
// in about 20 µs for repeat units. It does not look for those of Open, and a ring
// counts by the least number of units that may do. A structure that cannot be
// read counts for nothing here; growing it says why.
func (f *Shortfall) Preview(g Grower, s *data.Structure) {
	g.Chains = g.Chains.WithDefaults()
	switch {
	case s.DP != 0:
	case s.Notation() == data.RepeatUnit:
		f.previewUnit(g.Chains, s.RepeatUnit)
	case s.Notation() == data.Monomers:
		largest := 0
		for _, text := range s.Monomers {
			if m, err := smiles.Read(text); err == nil {
				largest = max(largest, HeavyAtoms(m))
			}
		}
		if largest*g.DP > g.MaxHeavyAtoms {
			if chains, err := g.Grow(s); err == nil {
				f.Note(chains)
			}
		}
	}
}

func (f *Shortfall) previewUnit(c Chains, unit string) {
	u, err := polymer.ReadUnit(unit)
	if err != nil {
		return
	}
	heavy := u.HeavyAtoms()
	if n := u.LeastRing(); c.Periodic && (n == 1 || n*heavy <= c.MaxHeavyAtoms) {
		return
	}
	if most := max(1, c.MaxHeavyAtoms/heavy); c.DP > most {
		f.Shortened++
		f.shortest(most)
	}
}

// Warnings are what the owner of the table should know.
func (f Shortfall) Warnings(c Chains) []data.Warning {
	var out []data.Warning
	if f.Shortened > 0 {
		out = append(out, data.Warning{Code: "chains_shortened", Detail: fmt.Sprintf(
			"the chains of %d rows have a DP below %d, down to %d, because more would pass %d heavy atoms: state a smaller chains.dp, or rings, to treat all rows alike",
			f.Shortened, c.DP, f.Least, c.MaxHeavyAtoms)})
	}
	if f.Open > 0 {
		out = append(out, data.Warning{Code: "rings_not_closed", Detail: fmt.Sprintf(
			"%d rows have chains of DP %d with ends, because no ring of their repeat unit has its aromaticity in a chain", f.Open, c.DP)})
	}
	return out
}
