package kernel

import "math"

// Indices are trusted as far as Go's bounds checks: one out of range panics.

// AddRows sums gathered rows, the bias first (nil for none), then the operands
// from left to right:
//
//	dst[r, :] = relu(bias[:] + ops[0].X[ops[0].Idx[r], :] + …)
//
// relu is max(0, ·), NaN stays NaN. There are 1 to 4 summands. dst may be one of
// the operands that has no Idx.
func (ks *Kernels[T]) AddRows(dst View[T], relu bool, bias []T, ops ...Rows[T]) {
	dst.check()
	n := len(ops)
	if bias != nil {
		if len(bias) != dst.Cols {
			panic(badLength)
		}
		n++
	}
	if n < 1 || n > 4 {
		panic(badCount)
	}
	for i := range ops {
		o := &ops[i]
		o.X.check()
		if o.X.Cols != dst.Cols || o.Idx == nil && o.X.Rows != dst.Rows || o.Idx != nil && len(o.Idx) != dst.Rows {
			panic(badShape)
		}
	}
	var all [4]Rows[T]
	first := 0
	if bias != nil {
		all[0] = Rows[T]{X: View[T]{Data: bias, Rows: dst.Rows, Cols: dst.Cols}} // the same row every time
		first = 1
	}
	copy(all[first:], ops)
	p, q, o, v := &all[0], &all[1], &all[2], &all[3]
	switch n {
	case 1:
		for r := range dst.Rows {
			ks.path.sum1(dst.Row(r), p.row(r), relu)
		}
	case 2:
		for r := range dst.Rows {
			ks.path.sum2(dst.Row(r), p.row(r), q.row(r), relu)
		}
	case 3:
		for r := range dst.Rows {
			ks.path.sum3(dst.Row(r), p.row(r), q.row(r), o.row(r), relu)
		}
	case 4:
		for r := range dst.Rows {
			ks.path.sum4(dst.Row(r), p.row(r), q.row(r), o.row(r), v.row(r), relu)
		}
	}
}

func (o *Rows[T]) row(r int) []T {
	if o.Idx != nil {
		r = int(o.Idx[r])
		if r >= o.X.Rows {
			panic(badShape)
		}
	}
	return o.X.Row(r)
}

// MaskReLU is the backward step of relu, given its output y:
//
//	d[r, c] = 0 where not y[r, c] > 0
func (ks *Kernels[T]) MaskReLU(d, y View[T]) {
	d.check()
	y.check()
	if d.Rows != y.Rows || d.Cols != y.Cols {
		panic(badShape)
	}
	for r := range d.Rows {
		ks.path.maskReLU(d.Row(r), y.Row(r))
	}
}

// CSR lists, for each row r, the entries off[r] to off[r+1]−1: entry e takes row
// Col[e], Cnt[e] times.
type CSR[T Float] struct {
	Off []int32 // [rows+1]
	Col []int32 // [entries]
	Cnt []T     // [entries]; nil: all ones
}

// SegmentSum sums listed rows, in the list's order:
//
//	dst[r, :] = (dst[r, :] if add) + Σ_{e in r's entries} Cnt[e]·x[Col[e], :]
//
// With the transposed lists it is its own backward step.
func (ks *Kernels[T]) SegmentSum(dst View[T], s CSR[T], x View[T], add bool) {
	dst.check()
	x.check()
	if dst.Cols != x.Cols || len(s.Off) != dst.Rows+1 {
		panic(badShape)
	}
	if s.Cnt != nil && len(s.Cnt) != len(s.Col) {
		panic(badLength)
	}
	for r := range dst.Rows {
		d, fresh := dst.Row(r), !add
		for e := s.Off[r]; e < s.Off[r+1]; e++ {
			c := T(1)
			if s.Cnt != nil {
				c = s.Cnt[e]
			}
			i := int(s.Col[e])
			if i >= x.Rows {
				panic(badShape)
			}
			if fresh {
				ks.path.scale(d, x.Row(i), c)
				fresh = false
			} else {
				ks.path.axpy(d, x.Row(i), c)
			}
		}
		if fresh {
			clear(d)
		}
	}
}

// ScatterAdd adds rows to the rows they were gathered from, in ascending r:
//
//	dst[idx[r], :] += x[r, :]
func (ks *Kernels[T]) ScatterAdd(dst View[T], idx []int32, x View[T]) {
	dst.check()
	x.check()
	if dst.Cols != x.Cols || len(idx) != x.Rows {
		panic(badShape)
	}
	for r, i := range idx {
		if int(i) >= dst.Rows {
			panic(badShape)
		}
		ks.path.axpy(dst.Row(int(i)), x.Row(r), 1)
	}
}

// ColSum is the weighted sum of rows, in ascending r; a nil weight is all ones:
//
//	dst[c] = (dst[c] if add) + Σ_r weight[r]·x[r, c]
func (ks *Kernels[T]) ColSum(dst []T, x View[T], weight []T, add bool) {
	x.check()
	if len(dst) != x.Cols || weight != nil && len(weight) != x.Rows {
		panic(badShape)
	}
	if !add && x.Rows == 0 {
		clear(dst)
	}
	for r := range x.Rows {
		s := T(1)
		if weight != nil {
			s = weight[r]
		}
		if !add && r == 0 {
			ks.path.scale(dst, x.Row(r), s)
		} else {
			ks.path.axpy(dst, x.Row(r), s)
		}
	}
}

// RowDots is a matrix times a vector: dst[r] = x[r, :]·y, each as Dot.
func (ks *Kernels[T]) RowDots(dst []T, x View[T], y []T) {
	x.check()
	if len(dst) != x.Rows || len(y) != x.Cols {
		panic(badShape)
	}
	for r := range dst {
		dst[r] = ks.path.dot(x.Row(r), y)
	}
}

// AddOuter is the rank-1 update dst[r, c] += weight[r]·y[c].
func (ks *Kernels[T]) AddOuter(dst View[T], weight, y []T) {
	dst.check()
	if len(weight) != dst.Rows || len(y) != dst.Cols {
		panic(badShape)
	}
	for r, s := range weight {
		ks.path.axpy(dst.Row(r), y, s)
	}
}

// MaskedColSum is ColSum of x⊙mask (a dropout's), always added:
//
//	dst[c] += Σ_r (weight[r]·x[r, c])·mask[r, c]
func (ks *Kernels[T]) MaskedColSum(dst []T, x, mask View[T], weight []T) {
	x.check()
	mask.check()
	if len(dst) != x.Cols || len(weight) != x.Rows || mask.Rows != x.Rows || mask.Cols != x.Cols {
		panic(badShape)
	}
	for r, s := range weight {
		ks.path.addMul(dst, x.Row(r), mask.Row(r), s)
	}
}

// AddMaskedOuter is MaskedColSum's backward step:
//
//	dst[r, c] += (weight[r]·y[c])·mask[r, c]
func (ks *Kernels[T]) AddMaskedOuter(dst View[T], weight, y []T, mask View[T]) {
	dst.check()
	mask.check()
	if len(weight) != dst.Rows || len(y) != dst.Cols || mask.Rows != dst.Rows || mask.Cols != dst.Cols {
		panic(badShape)
	}
	for r, s := range weight {
		ks.path.addMul(dst.Row(r), y, mask.Row(r), s)
	}
}

// Scale is dst[i] = s·x[i].
func (ks *Kernels[T]) Scale(dst, x []T, s T) {
	if len(x) != len(dst) {
		panic(badLength)
	}
	ks.path.scale(dst, x, s)
}

// Axpy is dst[i] += s·x[i].
func (ks *Kernels[T]) Axpy(dst, x []T, s T) {
	if len(x) != len(dst) {
		panic(badLength)
	}
	ks.path.axpy(dst, x, s)
}

// AddMul is dst[i] += (s·x[i])·y[i].
func (ks *Kernels[T]) AddMul(dst, x, y []T, s T) {
	if len(x) != len(dst) || len(y) != len(dst) {
		panic(badLength)
	}
	ks.path.addMul(dst, x, y, s)
}

// Dot is Σ_i x[i]·y[i], summed as 32 interleaved partial sums over the first
// ⌊n/32⌋·32 elements, folded in halves, then the remaining elements in order.
func (ks *Kernels[T]) Dot(x, y []T) T {
	if len(x) != len(y) {
		panic(badLength)
	}
	return ks.path.dot(x, y)
}

// Softmax is the softmax of q in which element i occurs count[i] times (nil:
// once each): p[i] is the probability of all its occurrences together,
//
//	p[i] = count[i]·exp(q[i] − max q) / Σ_j count[j]·exp(q[j] − max q)
//
// with the exponentials in float64. p may be q.
func (ks *Kernels[T]) Softmax(p, q, count []T) {
	if len(p) != len(q) || count != nil && len(count) != len(q) {
		panic(badLength)
	}
	if len(q) == 0 {
		return
	}
	top := q[0]
	for _, x := range q[1:] {
		top = max(top, x)
	}
	var sum float64
	for i, x := range q {
		e := math.Exp(float64(x) - float64(top))
		if count != nil {
			e *= float64(count[i])
		}
		p[i] = T(e)
		sum += e
	}
	inv := 1 / sum
	for i := range p {
		p[i] = T(float64(p[i]) * inv)
	}
}
