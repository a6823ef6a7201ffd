package trees

import (
	"math"
	"slices"
	"sort"

	"polyid-trainer/nn/sparse"
)

// maxBins bounds the bins of a column, the one of missing values aside.
const maxBins = 255

// matrix is a feature matrix cut into bins. All columns' bins are numbered
// through: column c has offset[c] to offset[c+1]-1, in the order of the values,
// the bin of missing values last.
type matrix struct {
	cuts   [][]float32 // of each column, ascending: bin b holds values up to cuts[b]
	offset []int32     // columns + 1
	rest   []int32     // of each column: the bin that is not stored
	zero   []int32     // of each column: the bin of 0
	start  []int       // rows + 1
	bins   []int32     // stored, ascending within a row
}

// bin cuts the columns of x where the values of the rows in sample call for it,
// at quantiles where there are more distinct values than bins.
func bin(x *sparse.Matrix, sample []int) *matrix {
	columns := make([][]float32, x.Cols) // stored values of the sample
	for _, r := range sample {
		index, value := x.Row(r)
		for k, c := range index {
			if !math.IsNaN(float64(value[k])) {
				columns[c] = append(columns[c], value[k])
			}
		}
	}
	m := &matrix{
		cuts:   make([][]float32, x.Cols),
		offset: make([]int32, x.Cols+1),
		rest:   make([]int32, x.Cols),
		zero:   make([]int32, x.Cols),
	}
	for c, values := range columns {
		slices.Sort(values)
		m.cuts[c] = cuts(values, len(sample)-len(values))
		m.offset[c+1] = m.offset[c] + int32(len(m.cuts[c])) + 2 // one above the last cut, one for missing values
		m.rest[c] = m.offset[c] + int32(mostFrequent(m.cuts[c], values, len(sample)-len(values)))
		m.zero[c] = m.of(c, 0)
	}
	m.start = make([]int, 1, x.Rows()+1)
	for r := range x.Rows() {
		m.appendRow(x, r)
	}
	return m
}

// appendRow stores the bins of row r: those of the values that are stored in x and
// those of zeros where zero is not the most frequent bin.
func (m *matrix) appendRow(x *sparse.Matrix, r int) {
	index, value := x.Row(r)
	k := 0
	for c := range m.cuts {
		b := m.zero[c]
		if k < len(index) && int(index[k]) == c {
			b = m.of(c, value[k])
			k++
		}
		if b != m.rest[c] {
			m.bins = append(m.bins, b)
		}
	}
	m.start = append(m.start, len(m.bins))
}

// of is the bin of a value of column c.
func (m *matrix) of(c int, v float32) int32 {
	if math.IsNaN(float64(v)) {
		return m.offset[c+1] - 1
	}
	cuts := m.cuts[c]
	return m.offset[c] + int32(sort.Search(len(cuts), func(i int) bool { return v <= cuts[i] }))
}

// at is the bin of row r in column c.
func (m *matrix) at(r int32, c int) int32 {
	bins := m.bins[m.start[r]:m.start[r+1]]
	i, _ := slices.BinarySearch(bins, m.offset[c])
	if i < len(bins) && bins[i] < m.offset[c+1] {
		return bins[i]
	}
	return m.rest[c]
}

// cuts are the borders between bins of the sorted values and so many zeros: midway
// between neighbouring values, at most maxBins-1 of them.
func cuts(values []float32, zeros int) []float32 {
	type group struct {
		value float32
		count int
	}
	var groups []group
	add := func(v float32, n int) {
		if n == 0 {
			return
		}
		if len(groups) > 0 && groups[len(groups)-1].value == v {
			groups[len(groups)-1].count += n
			return
		}
		groups = append(groups, group{v, n})
	}
	zeroAt := sort.Search(len(values), func(i int) bool { return values[i] >= 0 })
	for _, v := range values[:zeroAt] {
		add(v, 1)
	}
	add(0, zeros)
	for _, v := range values[zeroAt:] {
		add(v, 1)
	}
	between := func(i int) float32 { // groups i and i+1, which it must keep apart
		a, b := groups[i].value, groups[i+1].value
		if mid := a + (b-a)/2; mid > a && mid < b {
			return mid
		}
		return a
	}
	var out []float32
	if len(groups) <= maxBins {
		for i := range len(groups) - 1 {
			out = append(out, between(i))
		}
		return out
	}
	total := len(values) + zeros
	seen := 0
	for i := range len(groups) - 1 {
		seen += groups[i].count
		if seen*maxBins >= total*(len(out)+1) {
			out = append(out, between(i))
		}
	}
	return out
}

// mostFrequent is the bin, counted from the column's first, that holds most of the
// values and zeros.
func mostFrequent(cuts, values []float32, zeros int) int {
	count := make([]int, len(cuts)+1)
	where := func(v float32) int { return sort.Search(len(cuts), func(i int) bool { return v <= cuts[i] }) }
	count[where(0)] += zeros
	for _, v := range values {
		count[where(v)]++
	}
	best := 0
	for b, n := range count {
		if n > count[best] {
			best = b
		}
	}
	return best
}
