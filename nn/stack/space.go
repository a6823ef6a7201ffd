package stack

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"polyid-trainer/featurize"
	"polyid-trainer/featurize/descriptor"
	"polyid-trainer/featurize/mol"
	"polyid-trainer/nn/sparse"
)

// Polymer is what the members see of a polymer: its descriptors and the counts of
// its Morgan environments, both per repeat unit, and the conditions of a
// measurement.
type Polymer struct {
	Descriptors []float32          // in the order of descriptor.All
	Counts      map[uint32]float32 // by the environments' hashes
	Conditions  []float32          // NaN where one is not known
}

// Describe describes a chain or ring of so many repeat units.
func Describe(m *mol.Mol, units int, conditions []float32) Polymer {
	n := float32(max(units, 1))
	p := Polymer{Counts: map[uint32]float32{}, Conditions: conditions}
	for _, d := range descriptor.All() {
		v := float32(d.Of(m))
		if d.Extensive {
			v /= n
		}
		p.Descriptors = append(p.Descriptors, v)
	}
	for hash, c := range featurize.Morgan(m) {
		p.Counts[hash] = float32(c) / n
	}
	return p
}

// Space numbers the columns of the feature matrix: descriptors, conditions, the
// share of environments that no training polymer has, and the environments.
type Space struct {
	Conditions []string `json:"conditions,omitempty"`
	// Medians are those of the training rows' conditions, which stand for what is
	// not known.
	Medians []float32 `json:"condition_medians,omitempty"`
	Hashes  []uint32  `json:"hashes"` // ascending
}

// minPolymers is how many training polymers must share an environment for it to
// have a column: what one alone has says nothing of others.
const minPolymers = 2

// maxHashes bounds the columns; the environments that most polymers have go first.
const maxHashes = 4096

// NewSpace makes the columns of training polymers; group tells equal polymers.
func NewSpace(polymers []Polymer, group []int32, conditions []string) Space {
	type use struct {
		hash   uint32
		groups int
	}
	last, count := map[uint32]int32{}, map[uint32]int{}
	order := make([]int, len(polymers))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(group[a], group[b]) })
	for _, i := range order {
		for hash := range polymers[i].Counts {
			if g, seen := last[hash]; !seen || g != group[i] {
				last[hash] = group[i]
				count[hash]++
			}
		}
	}
	var uses []use
	for hash, n := range count {
		if n >= minPolymers {
			uses = append(uses, use{hash, n})
		}
	}
	slices.SortFunc(uses, func(a, b use) int { return cmp.Or(cmp.Compare(b.groups, a.groups), cmp.Compare(a.hash, b.hash)) })
	s := Space{Conditions: conditions}
	for c := range conditions {
		s.Medians = append(s.Medians, medianOf(polymers, c))
	}
	for _, u := range uses[:min(len(uses), maxHashes)] {
		s.Hashes = append(s.Hashes, u.hash)
	}
	slices.Sort(s.Hashes)
	return s
}

// medianOf is the median of a condition, 0 where nobody knows it.
func medianOf(polymers []Polymer, condition int) float32 {
	var values []float32
	for i := range polymers {
		if v := polymers[i].Conditions[condition]; v == v {
			values = append(values, v)
		}
	}
	if len(values) == 0 {
		return 0
	}
	slices.Sort(values)
	return values[(len(values)-1)/2]/2 + values[len(values)/2]/2
}

// first is the column of the first environment.
func (s *Space) first() int { return len(descriptor.All()) + len(s.Conditions) + 1 }

// Columns is the number of columns.
func (s *Space) Columns() int { return s.first() + len(s.Hashes) }

// Matrix places polymers in the space, a row each.
func (s *Space) Matrix(polymers []Polymer) (*sparse.Matrix, error) {
	x := &sparse.Matrix{Cols: s.Columns()}
	for i := range polymers {
		if err := s.add(x, &polymers[i]); err != nil {
			return nil, fmt.Errorf("polymer %d: %w", i, err)
		}
	}
	return x, nil
}

func (s *Space) add(x *sparse.Matrix, p *Polymer) error {
	if want := len(descriptor.All()); len(p.Descriptors) != want || len(p.Conditions) != len(s.Conditions) {
		return fmt.Errorf("it has %d descriptors and %d conditions, not %d and %d", len(p.Descriptors), len(p.Conditions), want, len(s.Conditions))
	}
	var index []int32
	var value []float32
	put := func(c int, v float32) {
		if v != 0 {
			index, value = append(index, int32(c)), append(value, v)
		}
	}
	for c, v := range p.Descriptors {
		put(c, v)
	}
	for c, v := range p.Conditions {
		if v != v {
			v = s.Medians[c]
		}
		put(len(p.Descriptors)+c, v)
	}
	hashes := make([]uint32, 0, len(p.Counts))
	for hash := range p.Counts {
		hashes = append(hashes, hash)
	}
	slices.Sort(hashes)
	type entry struct {
		column int
		value  float32
	}
	var known []entry
	var all, unseen float32
	for _, hash := range hashes {
		v := p.Counts[hash]
		all += v
		if c, ok := slices.BinarySearch(s.Hashes, hash); ok {
			known = append(known, entry{s.first() + c, v})
		} else {
			unseen += v
		}
	}
	if all > 0 {
		put(s.first()-1, unseen/all)
	}
	for _, e := range known {
		put(e.column, e.value)
	}
	x.Append(index, value)
	return nil
}

// scaling takes columns to what linear models and dense networks can use:
// descriptors and conditions less their mean over their deviation, missing ones at
// the mean; logarithms of counts, which stay sparse.
type scaling struct {
	Dense     int       // columns from 0 that are centred
	Mean, Std []float32 // of those
}

func newScaling(s *Space, x *sparse.Matrix, rows []int) scaling {
	z := scaling{Dense: s.first()}
	sum, square, n := make([]float64, z.Dense), make([]float64, z.Dense), make([]float64, z.Dense)
	row := make([]float32, x.Cols)
	for _, r := range rows {
		x.Dense(r, row)
		for c, v := range row[:z.Dense] {
			if f := float64(v); !math.IsNaN(f) {
				sum[c], square[c], n[c] = sum[c]+f, square[c]+f*f, n[c]+1
			}
		}
	}
	for c := range z.Dense {
		mean := sum[c] / max(n[c], 1)
		std := math.Sqrt(max(square[c]/max(n[c], 1)-mean*mean, 0))
		if std < 1e-6*max(math.Abs(mean), 1) {
			std = 0 // constant: it says nothing
		}
		z.Mean, z.Std = append(z.Mean, float32(mean)), append(z.Std, float32(std))
	}
	return z
}

// apply scales a dense row in place.
func (z *scaling) apply(row []float32) {
	for c := range z.Dense {
		if v := row[c]; z.Std[c] == 0 || v != v {
			row[c] = 0
		} else {
			row[c] = (v - z.Mean[c]) / z.Std[c]
		}
	}
	for c := z.Dense; c < len(row); c++ {
		if row[c] != 0 {
			row[c] = float32(math.Log1p(float64(row[c])))
		}
	}
}

// matrix is x scaled.
func (z *scaling) matrix(x *sparse.Matrix) *sparse.Matrix {
	out := &sparse.Matrix{Cols: x.Cols}
	row := make([]float32, x.Cols)
	for r := range x.Rows() {
		x.Dense(r, row)
		z.apply(row)
		var index []int32
		var value []float32
		for c, v := range row {
			if v != 0 {
				index, value = append(index, int32(c)), append(value, v)
			}
		}
		out.Append(index, value)
	}
	return out
}
