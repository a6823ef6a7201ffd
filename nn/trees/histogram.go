package trees

// sums of rows: of the loss's first and second derivatives, and of the rows.
type sums struct {
	gradient, hessian float64
	rows              int
}

func (s *sums) add(o sums) {
	s.gradient += o.gradient
	s.hessian += o.hessian
	s.rows += o.rows
}

func (s sums) less(o sums) sums {
	return sums{s.gradient - o.gradient, s.hessian - o.hessian, s.rows - o.rows}
}

// score is what a leaf of these rows takes off the loss, twice over.
func (s sums) score(lambda float64) float64 {
	if s.hessian+lambda <= 0 {
		return 0
	}
	return s.gradient * s.gradient / (s.hessian + lambda)
}

// value is the best prediction of a leaf of these rows.
func (s sums) value(lambda float64) float64 {
	if s.hessian+lambda <= 0 {
		return 0
	}
	return -s.gradient / (s.hessian + lambda)
}

// histogram holds the sums of a node's rows by bin, for the columns in which some
// row has a stored bin; in every other column all rows share one.
type histogram struct {
	bins    []sums // by the matrix's numbers
	columns []int32
	touched []bool // by column: whether it is in columns
}

func newHistogram(m *matrix) *histogram {
	return &histogram{bins: make([]sums, m.offset[len(m.cuts)]), touched: make([]bool, len(m.cuts))}
}

// reset empties h, in time proportional to what it holds.
func (h *histogram) reset(m *matrix) {
	for _, c := range h.columns {
		clear(h.bins[m.offset[c]:m.offset[c+1]])
		h.touched[c] = false
	}
	h.columns = h.columns[:0]
}

// fill adds rows to h, which is empty. column is the column of each bin.
func (h *histogram) fill(m *matrix, column []int32, rows []int32, gradient, hessian []float64) {
	for _, r := range rows {
		g, w := gradient[r], hessian[r]
		for _, b := range m.bins[m.start[r]:m.start[r+1]] {
			s := &h.bins[b]
			s.gradient += g
			s.hessian += w
			s.rows++
			if c := column[b]; !h.touched[c] {
				h.touched[c] = true
				h.columns = append(h.columns, c)
			}
		}
	}
}

// subtract takes a child's rows out of its parent's histogram h, which is its
// sibling's then.
func (h *histogram) subtract(m *matrix, child *histogram) {
	for _, c := range child.columns {
		for b := m.offset[c]; b < m.offset[c+1]; b++ {
			h.bins[b] = h.bins[b].less(child.bins[b])
		}
	}
}
