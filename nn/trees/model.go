package trees

import (
	"errors"
	"fmt"
	"math"
)

// Model is a sum of trees. It may be used by several goroutines at once.
type Model struct {
	base  float64
	trees []tree
}

// tree is a decision tree; nodes[0] is its root, and children follow their parents.
type tree struct{ nodes []node }

// node sends a row left or right, or is a leaf with a value: then left is 0.
type node struct {
	column      int32
	cut         float32 // values up to it go left
	missingLeft bool
	left, right int32
	value       float32
}

func (t *tree) add() int {
	t.nodes = append(t.nodes, node{})
	return len(t.nodes) - 1
}

// predict is the value of the leaf that x, [columns], falls in.
func (t *tree) predict(x []float32) float32 {
	n := &t.nodes[0]
	for n.left != 0 {
		v := x[n.column]
		left := v <= n.cut
		if v != v {
			left = n.missingLeft
		}
		if left {
			n = &t.nodes[n.left]
		} else {
			n = &t.nodes[n.right]
		}
	}
	return n.value
}

// Predict is the model's value for a row, [columns], NaN where a value is missing.
// Cost: trees × depth.
func (m *Model) Predict(x []float32) float64 {
	sum := m.base
	for i := range m.trees {
		sum += float64(m.trees[i].predict(x))
	}
	return sum
}

// Trees is the number of trees.
func (m *Model) Trees() int { return len(m.trees) }

// Arrays are a model as flat arrays, for files that hold no code: node i of tree t
// is at Start[t]+i, a leaf has Left 0, and children are numbered within their tree.
type Arrays struct {
	Base        float64
	Start       []int32 // trees + 1
	Column      []int32 // of every node, as all below
	Cut         []float32
	MissingLeft []uint8 // 1 or 0
	Left, Right []int32
	Value       []float32
}

// Arrays gives the model's arrays.
func (m *Model) Arrays() Arrays {
	a := Arrays{Base: m.base, Start: []int32{0}}
	for _, t := range m.trees {
		for _, n := range t.nodes {
			a.Column = append(a.Column, n.column)
			a.Cut = append(a.Cut, n.cut)
			a.MissingLeft = append(a.MissingLeft, 0)
			if n.missingLeft {
				a.MissingLeft[len(a.MissingLeft)-1] = 1
			}
			a.Left = append(a.Left, n.left)
			a.Right = append(a.Right, n.right)
			a.Value = append(a.Value, n.value)
		}
		a.Start = append(a.Start, int32(len(a.Column)))
	}
	return a
}

// New makes a model of arrays that come from a file. It refuses those of which a
// prediction for a row of so many columns would not end or leave the arrays.
func New(a Arrays, columns int) (*Model, error) {
	n := len(a.Column)
	if len(a.Cut) != n || len(a.MissingLeft) != n || len(a.Left) != n || len(a.Right) != n || len(a.Value) != n {
		return nil, errors.New("trees: the arrays of the nodes differ in length")
	}
	if len(a.Start) == 0 || a.Start[0] != 0 || int(a.Start[len(a.Start)-1]) != n {
		return nil, fmt.Errorf("trees: start does not run from 0 to %d nodes", n)
	}
	if math.IsNaN(a.Base) || math.IsInf(a.Base, 0) {
		return nil, fmt.Errorf("trees: the base %v is not a number", a.Base)
	}
	m := &Model{base: a.Base}
	for k := range len(a.Start) - 1 {
		from, to := a.Start[k], a.Start[k+1]
		if from >= to || int(to) > n {
			return nil, fmt.Errorf("trees: tree %d has no nodes", k)
		}
		t := tree{nodes: make([]node, to-from)}
		for i := range t.nodes {
			at := int(from) + i
			nd := node{a.Column[at], a.Cut[at], a.MissingLeft[at] != 0, a.Left[at], a.Right[at], a.Value[at]}
			if err := nd.check(i, len(t.nodes), columns); err != nil {
				return nil, fmt.Errorf("trees: tree %d, node %d: %w", k, i, err)
			}
			t.nodes[i] = nd
		}
		m.trees = append(m.trees, t)
	}
	return m, nil
}

// check refuses node i of so many that a walk could not pass.
func (n *node) check(i, nodes, columns int) error {
	if n.left == 0 {
		if v := float64(n.value); math.IsNaN(v) || math.IsInf(v, 0) {
			return fmt.Errorf("the value %v is not a number", v)
		}
		return nil
	}
	for _, child := range []int32{n.left, n.right} {
		if int(child) <= i || int(child) >= nodes {
			return fmt.Errorf("child %d is not between it and the tree's end, %d", child, nodes)
		}
	}
	if n.column < 0 || int(n.column) >= columns {
		return fmt.Errorf("column %d is not one of %d", n.column, columns)
	}
	return nil
}
