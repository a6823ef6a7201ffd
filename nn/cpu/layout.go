package cpu

import (
	"polyid-trainer/nn"
	"polyid-trainer/nn/kernel"
)

// layout is where each of the network's tensors lies in the form the kernels
// work on: matrices in panels, all else in vectors. What one block owns is
// contiguous in both.
type layout struct {
	vectors, panels int // elements in all

	outer      owned  // all that is in no block
	bond, atom vector // embeddings [classes, F] row-major
	init       pool
	head       []head
	block      []block
}

// vector is where n elements lie among the vectors.
type vector struct{ at, n int }

// owned is all of one block, or of what is in none: elements of the vectors and
// of the panels.
type owned struct{ vectors, panels vector }

// matrix is where a k×n matrix lies among the panels.
type matrix struct{ at, size, k, n int }

type dense struct {
	w    matrix
	bias vector
}

type pool struct {
	query     vector // [F]
	queryBias vector // [1]; softmax does not see it, so its gradient is zero
	value     dense  // [F, M]
}

type head struct {
	w    vector // [F]
	bias vector // [1]
}

// block is an nn.Block. The Dense over a concatenation are split into one
// matrix per source: x·W over a concatenation is the sum of each source times
// its rows of W, and the sources have fewer rows than the concatenation.
type block struct {
	all  owned
	pool pool

	edge1Bond, edge1Src, edge1Dst matrix // [F, 2F]
	edge1Mol                      dense  // [M, 2F], with the bias of all four
	edge2                         dense  // [2F, F]

	// Empty in the last block.
	msg1Dst, msg1Bond matrix // [F, 2F]
	msg1Mol           dense  // [M, 2F], with the bias of all three
	msg2              dense  // [2F, F]
	node1             dense  // [F, 2F]
	node2             dense  // [2F, F]
}

func newLayout[T kernel.Float](ks *kernel.Kernels[T], c nn.Config, s nn.Sizes) *layout {
	l := &layout{head: make([]head, s.Targets), block: make([]block, c.NumMessages)}
	f, h, m := c.AtomFeatures, 2*c.AtomFeatures, c.MolFeatures
	vec := func(n int) vector {
		l.vectors += n
		return vector{l.vectors - n, n}
	}
	mat := func(k, n int) matrix {
		size := ks.PackedLen(k, n)
		l.panels += size
		return matrix{l.panels - size, size, k, n}
	}
	full := func(k, n int) dense { return dense{mat(k, n), vec(n)} }
	pooling := func() pool { return pool{query: vec(f), queryBias: vec(1), value: full(f, m)} }

	l.bond, l.atom = vec(s.BondClasses*f), vec(s.AtomClasses*f)
	l.init = pooling()
	for i := range l.head {
		l.head[i] = head{vec(f), vec(1)}
	}
	l.outer = owned{vector{0, l.vectors}, vector{0, l.panels}}
	for j := range l.block {
		b, vectors, panels := &l.block[j], l.vectors, l.panels
		b.pool = pooling()
		b.edge1Bond, b.edge1Src, b.edge1Dst, b.edge1Mol = mat(f, h), mat(f, h), mat(f, h), full(m, h)
		b.edge2 = full(h, f)
		if j < len(l.block)-1 {
			b.msg1Dst, b.msg1Bond, b.msg1Mol = mat(f, h), mat(f, h), full(m, h)
			b.msg2 = full(h, f)
			b.node1, b.node2 = full(f, h), full(h, f)
		}
		b.all = owned{vector{vectors, l.vectors - vectors}, vector{panels, l.panels - panels}}
	}
	return l
}

// tensors is one value per parameter: weights, gradients or a moment.
type tensors[T kernel.Float] struct {
	vectors, panels []T
}

func newTensors[T kernel.Float](l *layout) *tensors[T] {
	return &tensors[T]{make([]T, l.vectors), alloc[T](l.panels)}
}

func (t *tensors[T]) vector(v vector) []T { return t.vectors[v.at : v.at+v.n : v.at+v.n] }

// span is elements of the panels, whichever matrices they belong to.
func (t *tensors[T]) span(v vector) []T { return t.panels[v.at : v.at+v.n : v.at+v.n] }

func (t *tensors[T]) matrix(m matrix) kernel.Panels[T] {
	return kernel.Panels[T]{Data: t.panels[m.at : m.at+m.size : m.at+m.size], K: m.k, N: m.n}
}
