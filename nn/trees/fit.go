package trees

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"

	"polyid-trainer/nn/sparse"
)

// Target is what a model learns of each row of a matrix.
type Target struct {
	Value  []float64 // by row; looked at only for the rows that a model is fitted on
	Weight []float64 // by row, ≥ 0; nil is 1 for all
	Bound  []int8    // by row: +1 where the value is a lower bound, -1 an upper one, 0 measured; nil is measured
}

func (t *Target) weight(r int) float64 {
	if t.Weight == nil {
		return 1
	}
	return t.Weight[r]
}

// met reports whether the value of row r is a bound that a prediction keeps.
func (t *Target) met(r int, predicted float64) bool {
	if t.Bound == nil || t.Bound[r] == 0 {
		return false
	}
	return (predicted-t.Value[r])*float64(t.Bound[r]) >= 0
}

// mean is the weighted mean of the rows that are no bounds, or of all if there are
// none.
func (t *Target) mean(rows []int) float64 {
	var sum, weight, all, allWeight float64
	for _, r := range rows {
		w := t.weight(r)
		all, allWeight = all+w*t.Value[r], allWeight+w
		if t.Bound == nil || t.Bound[r] == 0 {
			sum, weight = sum+w*t.Value[r], weight+w
		}
	}
	if weight > 0 {
		return sum / weight
	}
	if allWeight > 0 {
		return all / allWeight
	}
	return 0
}

var errNoRows = errors.New("trees: there are no measured rows to fit")

// check refuses a target that a matrix of x's rows cannot be fitted to.
func (t *Target) check(x *sparse.Matrix, rows []int) error {
	if len(t.Value) != x.Rows() || t.Weight != nil && len(t.Weight) != x.Rows() || t.Bound != nil && len(t.Bound) != x.Rows() {
		return fmt.Errorf("trees: the target does not have the matrix's %d rows", x.Rows())
	}
	for _, r := range rows {
		if v := t.Value[r]; math.IsNaN(v) || math.IsInf(v, 0) {
			return fmt.Errorf("trees: the value of row %d, %v, is not a number", r, v)
		}
		if w := t.weight(r); !(w >= 0) || math.IsInf(w, 0) {
			return fmt.Errorf("trees: the weight of row %d, %v, is not a number ≥ 0", r, w)
		}
	}
	return nil
}

// Boosting says how Boost fits. The zero value of a field is its default.
type Boosting struct {
	Rounds       int     // trees at most; 100
	LearningRate float64 // 0.1
	MaxLeaves    int     // of a tree; 31
	MinRows      int     // in a leaf; 20
	Lambda       float64 // L2 penalty of the leaves' values; 0
	Columns      float64 // the part of the columns that a tree may use; 1
	Rows         float64 // the part of the rows that a tree sees; 1
	Patience     int     // rounds without a better error of the held rows after which it ends; 0 never ends early
	Seed         uint64
}

func (c Boosting) withDefaults() Boosting {
	set := func(p *int, v int) {
		if *p == 0 {
			*p = v
		}
	}
	setf := func(p *float64, v float64) {
		if *p == 0 {
			*p = v
		}
	}
	set(&c.Rounds, 100)
	setf(&c.LearningRate, 0.1)
	set(&c.MaxLeaves, 31)
	set(&c.MinRows, 20)
	setf(&c.Columns, 1)
	setf(&c.Rows, 1)
	return c
}

// Boost fits gradient-boosted trees of the squared error to rows of x, by Newton
// steps. Where held rows are given, the model ends with the round of their least
// error. Cost: rounds × the stored values of the rows × the depth of a tree.
func Boost(x *sparse.Matrix, t Target, rows, held []int, c Boosting) (*Model, error) {
	for _, set := range [][]int{rows, held} {
		if err := t.check(x, set); err != nil {
			return nil, err
		}
	}
	if len(rows) == 0 {
		return nil, errNoRows
	}
	c = c.withDefaults()
	b := &booster{x: x, target: t, Boosting: c, model: &Model{base: t.mean(rows)}}
	b.grower = newGrower(bin(x, rows), shape{
		maxLeaves: c.MaxLeaves, minRows: c.MinRows, minHessian: 1e-3, lambda: c.Lambda, columns: c.Columns, scale: c.LearningRate,
	})
	b.grower.gradient, b.grower.hessian = make([]float64, x.Rows()), make([]float64, x.Rows())
	b.predicted = make([]float64, x.Rows())
	for i := range b.predicted {
		b.predicted[i] = b.model.base
	}
	best, bestError := 0, math.Inf(1)
	for round := range c.Rounds {
		b.round(rows, held, round)
		if len(held) == 0 {
			continue
		}
		if e := b.squaredError(held); e < bestError {
			best, bestError = round+1, e
		} else if c.Patience > 0 && round+1-best >= c.Patience {
			break
		}
	}
	if len(held) > 0 {
		b.model.trees = b.model.trees[:best]
	}
	return b.model, nil
}

// booster is a fit under way.
type booster struct {
	Boosting
	x         *sparse.Matrix
	target    Target
	grower    *grower
	model     *Model
	predicted []float64 // by row
	sample    []int32
}

// round adds a tree that mends the error left on rows.
func (b *booster) round(rows, held []int, round int) {
	rng := rand.New(rand.NewPCG(b.Seed, uint64(round)))
	b.sample = b.sample[:0]
	for _, r := range rows {
		w := b.target.weight(r)
		if b.target.met(r, b.predicted[r]) || b.Rows < 1 && rng.Float64() >= b.Rows {
			w = 0
		}
		b.grower.gradient[r], b.grower.hessian[r] = w*(b.predicted[r]-b.target.Value[r]), w
		if w > 0 {
			b.sample = append(b.sample, int32(r))
		}
	}
	if len(b.sample) == 0 {
		b.model.trees = append(b.model.trees, tree{nodes: make([]node, 1)})
		return
	}
	t := b.grower.grow(b.sample, mix(b.Seed^uint64(round)))
	b.model.trees = append(b.model.trees, t)
	for _, set := range [][]int{rows, held} {
		for _, r := range set {
			b.predicted[r] += float64(b.grower.leafOf(&t, int32(r)))
		}
	}
}

func (b *booster) squaredError(rows []int) float64 {
	sum := 0.0
	for _, r := range rows {
		if d := b.predicted[r] - b.target.Value[r]; !b.target.met(r, b.predicted[r]) {
			sum += b.target.weight(r) * d * d
		}
	}
	return sum
}

// leafOf is the value that t has for a row of the matrix.
func (g *grower) leafOf(t *tree, r int32) float32 {
	n := &t.nodes[0]
	for n.left != 0 {
		c := int(n.column)
		bin, missing := g.at(r, c), g.offset[c+1]-1
		left := n.missingLeft
		if bin != missing {
			i := int(bin - g.offset[c])
			left = i < len(g.cuts[c]) && g.cuts[c][i] <= n.cut || math.IsInf(float64(n.cut), 1)
		}
		if left {
			n = &t.nodes[n.left]
		} else {
			n = &t.nodes[n.right]
		}
	}
	return n.value
}

// Bagging says how Forest fits. The zero value of a field is its default.
type Bagging struct {
	Trees   int     // 300
	MinRows int     // in a leaf; 1
	Columns float64 // the part of the columns that a split may choose from; 1/3
	Seed    uint64
}

func (c Bagging) withDefaults() Bagging {
	if c.Trees == 0 {
		c.Trees = 300
	}
	if c.MinRows == 0 {
		c.MinRows = 1
	}
	if c.Columns == 0 {
		c.Columns = 1.0 / 3
	}
	return c
}

// Forest fits a random forest of regression trees to rows of x (Breiman, Machine
// Learning 2001, 45, 5): each tree to a bootstrap sample, each split chosen from
// columns drawn for it. Rows whose value is a bound are left out.
func Forest(x *sparse.Matrix, t Target, rows []int, c Bagging) (*Model, error) {
	measured := make([]int, 0, len(rows))
	for _, r := range rows {
		if t.Bound == nil || t.Bound[r] == 0 {
			measured = append(measured, r)
		}
	}
	if err := t.check(x, measured); err != nil {
		return nil, err
	}
	if len(measured) == 0 {
		return nil, errNoRows
	}
	c = c.withDefaults()
	m := &Model{base: t.mean(measured)}
	g := newGrower(bin(x, measured), shape{minRows: c.MinRows, columns: c.Columns, perNode: true, scale: 1 / float64(c.Trees)})
	g.gradient, g.hessian = make([]float64, x.Rows()), make([]float64, x.Rows())
	for k := range c.Trees {
		rng := rand.New(rand.NewPCG(c.Seed, uint64(k)))
		for _, r := range measured {
			g.hessian[r] = 0
		}
		for range measured {
			r := measured[rng.IntN(len(measured))]
			g.hessian[r] += t.weight(r)
		}
		var sample []int32
		for _, r := range measured {
			g.gradient[r] = g.hessian[r] * (m.base - t.Value[r])
			if g.hessian[r] > 0 {
				sample = append(sample, int32(r))
			}
		}
		if len(sample) == 0 {
			return nil, errors.New("trees: the weights of the rows are all 0")
		}
		m.trees = append(m.trees, g.grow(sample, mix(c.Seed^uint64(k))))
	}
	return m, nil
}
