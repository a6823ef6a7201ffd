package trees

import (
	"container/heap"
	"math"
)

// shape bounds a tree.
type shape struct {
	maxLeaves  int     // 0 is as many as fit
	minRows    int     // in a leaf
	minHessian float64 // in a leaf
	lambda     float64 // L2 penalty of the leaves' values
	columns    float64 // the part of the columns that a split may choose from
	perNode    bool    // whether that part is drawn anew at every node, not once a tree
	scale      float64 // of the leaves' values
}

// grower grows trees on one matrix. It is used by one goroutine at a time.
type grower struct {
	*matrix
	shape
	column            []int32 // of each bin
	gradient, hessian []float64
	seed              uint64
	free              []*histogram
	scratch           []int32 // as many as rows
}

func newGrower(m *matrix, s shape) *grower {
	g := &grower{matrix: m, shape: s, column: make([]int32, m.offset[len(m.cuts)])}
	for c := range m.cuts {
		for b := m.offset[c]; b < m.offset[c+1]; b++ {
			g.column[b] = int32(c)
		}
	}
	return g
}

// leaf is a node that may be split yet.
type leaf struct {
	node  int
	rows  []int32
	total sums
	hist  *histogram // nil where it cannot be split
	best  split
}

// split sends the rows whose bin in column is at most last to the left, and those
// without a value where missingLeft says.
type split struct {
	gain        float64
	column      int
	last        int32 // of the bins that go left
	missingLeft bool
	left        sums
}

// grow makes a tree of rows, which it reorders; seed draws its columns.
func (g *grower) grow(rows []int32, seed uint64) tree {
	g.seed = seed
	if len(g.scratch) < len(rows) {
		g.scratch = make([]int32, len(rows))
	}
	var t tree
	root := &leaf{node: t.add(), rows: rows}
	for _, r := range rows {
		root.total.add(sums{g.gradient[r], g.hessian[r], 1})
	}
	root.hist = g.histogram()
	root.hist.fill(g.matrix, g.column, rows, g.gradient, g.hessian)
	g.search(root)
	open := leaves{root}
	for leafCount := 1; open.Len() > 0; {
		l := g.next(&open)
		if l.best.gain <= 0 || g.maxLeaves > 0 && leafCount >= g.maxLeaves {
			t.nodes[l.node].value = float32(g.scale * l.total.value(g.lambda))
			g.release(l)
			continue
		}
		left, right := g.divide(&t, l)
		open.push(g.maxLeaves > 0, left, right)
		leafCount++
	}
	return t
}

// next takes the leaf to split from open: the one that gains most where leaves are
// limited, otherwise the newest, so that few histograms are held at once.
func (g *grower) next(open *leaves) *leaf {
	if g.maxLeaves > 0 {
		return heap.Pop(open).(*leaf)
	}
	l := (*open)[len(*open)-1]
	*open = (*open)[:len(*open)-1]
	return l
}

// divide splits l as its best split says.
func (g *grower) divide(t *tree, l *leaf) (left, right *leaf) {
	s := l.best
	n := g.partition(l.rows, s)
	left = &leaf{node: t.add(), rows: l.rows[:n], total: s.left}
	right = &leaf{node: t.add(), rows: l.rows[n:], total: l.total.less(s.left)}
	cut := float32(math.Inf(1)) // every value goes left of it, as where only missing values go right
	if i := int(s.last - g.offset[s.column]); i < len(g.cuts[s.column]) {
		cut = g.cuts[s.column][i]
	}
	t.nodes[l.node] = node{column: int32(s.column), cut: cut, missingLeft: s.missingLeft, left: int32(left.node), right: int32(right.node)}
	small, large := left, right
	if len(right.rows) < len(left.rows) {
		small, large = right, left
	}
	if len(large.rows) >= 2*g.minRows {
		small.hist = g.histogram()
		small.hist.fill(g.matrix, g.column, small.rows, g.gradient, g.hessian)
		l.hist.subtract(g.matrix, small.hist)
		large.hist, l.hist = l.hist, nil
	}
	g.release(l)
	g.search(left)
	g.search(right)
	return left, right
}

// partition moves the rows that go left to the front, each side in its order.
func (g *grower) partition(rows []int32, s split) int {
	n, aside := 0, g.scratch[:0]
	missing := g.offset[s.column+1] - 1
	for _, r := range rows {
		b := g.at(r, s.column)
		if b == missing && s.missingLeft || b != missing && b <= s.last {
			rows[n] = r
			n++
		} else {
			aside = append(aside, r)
		}
	}
	copy(rows[n:], aside)
	return n
}

func (g *grower) histogram() *histogram {
	if n := len(g.free); n > 0 {
		h := g.free[n-1]
		g.free = g.free[:n-1]
		return h
	}
	return newHistogram(g.matrix)
}

func (g *grower) release(l *leaf) {
	if l.hist != nil {
		l.hist.reset(g.matrix)
		g.free = append(g.free, l.hist)
		l.hist = nil
	}
}

// search finds the best split of l. Of equal ones the lowest column and bin wins,
// whatever the order in which columns were met. Where no column that is drawn can
// split l, the others may.
func (g *grower) search(l *leaf) {
	if l.hist == nil || len(l.rows) < 2*g.minRows {
		g.release(l)
		return
	}
	g.searchColumns(l, true)
	if l.best.gain <= 0 && g.columns < 1 {
		g.searchColumns(l, false)
	}
}

// searchColumns finds the best split of l by the columns that are drawn for it, or
// by the others.
func (g *grower) searchColumns(l *leaf, drawn bool) {
	whole := l.total.score(g.lambda)
	for _, c := range l.hist.columns {
		if g.drawn(c, l.node) != drawn {
			continue
		}
		s := g.searchColumn(l, int(c), whole)
		if s.gain > l.best.gain || s.gain == l.best.gain && s.gain > 0 && s.column < l.best.column {
			l.best = s
		}
	}
}

// drawn reports whether a split of node may use column c.
func (g *grower) drawn(c int32, node int) bool {
	if g.columns >= 1 {
		return true
	}
	x := g.seed ^ uint64(c)*0x9e3779b97f4a7c15
	if g.perNode {
		x ^= uint64(node+1) * 0xd1342543de82ef95
	}
	return float64(mix(x)>>11)/(1<<53) < g.columns
}

// mix is the finalizer of SplitMix64.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// searchColumn is the best split of l by column c; whole is the score of l undivided.
func (g *grower) searchColumn(l *leaf, c int, whole float64) split {
	first, missing := g.offset[c], g.offset[c+1]-1
	bins := l.hist.bins
	rest := l.total
	for b := first; b <= missing; b++ {
		if b != g.rest[c] {
			rest = rest.less(bins[b])
		}
	}
	at := func(b int32) sums {
		if b == g.rest[c] {
			return rest
		}
		return bins[b]
	}
	best := split{column: c}
	absent := at(missing)
	var left sums
	for b := first; b < missing; b++ {
		in := at(b)
		left.add(in)
		if in.rows == 0 && b != missing-1 {
			continue // the same split as one bin before
		}
		g.consider(&best, l.total, left, whole, b, false)
		if absent.rows > 0 {
			with := left
			with.add(absent)
			g.consider(&best, l.total, with, whole, b, true)
		}
	}
	return best
}

// consider makes best the split with left on its left if that gains more.
func (g *grower) consider(best *split, total, left sums, whole float64, last int32, missingLeft bool) {
	right := total.less(left)
	if left.rows < g.minRows || right.rows < g.minRows || left.hessian < g.minHessian || right.hessian < g.minHessian {
		return
	}
	gain := left.score(g.lambda) + right.score(g.lambda) - whole
	if gain > best.gain+1e-12*whole {
		best.gain, best.last, best.missingLeft, best.left = gain, last, missingLeft, left
	}
}

// leaves is a heap of leaves by what their split gains, the oldest first among
// equals.
type leaves []*leaf

func (s leaves) Len() int      { return len(s) }
func (s leaves) Swap(i, j int) { s[i], s[j] = s[j], s[i] }
func (s leaves) Less(i, j int) bool {
	if s[i].best.gain != s[j].best.gain {
		return s[i].best.gain > s[j].best.gain
	}
	return s[i].node < s[j].node
}
func (s *leaves) Push(x any) { *s = append(*s, x.(*leaf)) }
func (s *leaves) Pop() any {
	old := *s
	l := old[len(old)-1]
	*s = old[:len(old)-1]
	return l
}

// push adds leaves, in the order of the heap if ordered.
func (s *leaves) push(ordered bool, add ...*leaf) {
	for _, l := range add {
		if ordered {
			heap.Push(s, l)
		} else {
			s.Push(l)
		}
	}
}
