// Package sparse holds feature matrices in which most values are zero: counts of
// Morgan environments beside a few dozen descriptors.
package sparse

import "fmt"

// Matrix is rows × Cols in compressed rows: row i has Value[k] in column Index[k]
// for k in [Start[i], Start[i+1]), columns ascending; the rest of the row is 0.
// NaN is a missing value. Matrix{Cols: n} is one without rows.
type Matrix struct {
	Cols  int
	Start []int // rows + 1, or empty where there are no rows
	Index []int32
	Value []float32
}

// Rows is the number of rows.
func (m *Matrix) Rows() int { return max(len(m.Start)-1, 0) }

// Row gives the columns and values of row i that are stored.
func (m *Matrix) Row(i int) (index []int32, value []float32) {
	return m.Index[m.Start[i]:m.Start[i+1]], m.Value[m.Start[i]:m.Start[i+1]]
}

// Append adds a row. It panics if the columns do not ascend within Cols.
func (m *Matrix) Append(index []int32, value []float32) {
	if len(index) != len(value) {
		panic("sparse: as many columns as values are needed")
	}
	last := int32(-1)
	for _, c := range index {
		if c <= last || int(c) >= m.Cols {
			panic(fmt.Sprintf("sparse: column %d does not follow %d within %d columns", c, last, m.Cols))
		}
		last = c
	}
	if len(m.Start) == 0 {
		m.Start = append(m.Start, 0)
	}
	m.Index = append(m.Index, index...)
	m.Value = append(m.Value, value...)
	m.Start = append(m.Start, len(m.Index))
}

// Dense writes row i to dst, [Cols], zeros included.
func (m *Matrix) Dense(i int, dst []float32) {
	clear(dst)
	index, value := m.Row(i)
	for k, c := range index {
		dst[c] = value[k]
	}
}
