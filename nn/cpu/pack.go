package cpu

import (
	"polyid-trainer/nn"
	"polyid-trainer/nn/kernel"
)

// pack sets own from the plain row-major p.
func (e *engine[T]) pack(own *tensors[T], p *nn.Params) {
	slab, ok := any(p.Slab).([]T)
	if !ok {
		slab = make([]T, len(p.Slab))
		widen(slab, p.Slab)
	}
	pairs(e.layout, nn.View(e.config, e.sizes, slab),
		func(v vector, plain []T) { copy(own.vector(v), plain) },
		func(m matrix, plain kernel.View[T]) { e.ks.Pack(own.matrix(m), plain) })
}

// unpack sets the plain row-major p from own.
func (e *engine[T]) unpack(p *nn.Params, own *tensors[T]) {
	if slab, ok := any(p.Slab).([]T); ok {
		e.unpackSlab(slab, own)
		return
	}
	slab := make([]T, len(p.Slab))
	e.unpackSlab(slab, own)
	widen(p.Slab, slab)
}

// unpackSlab sets slab, in nn.Layout's order, from own.
func (e *engine[T]) unpackSlab(slab []T, own *tensors[T]) {
	pairs(e.layout, nn.View(e.config, e.sizes, slab),
		func(v vector, plain []T) { copy(plain, own.vector(v)) },
		func(m matrix, plain kernel.View[T]) { e.ks.Unpack(plain, own.matrix(m)) })
}

// pairs ties every tensor of l to that of a plain network, or to the rows of
// it that a matrix of l holds.
func pairs[T kernel.Float](l *layout, net *nn.Net[T], vec func(vector, []T), mat func(matrix, kernel.View[T])) {
	rows := func(m matrix, d nn.Dense[T], from int) {
		mat(m, kernel.Dense(d.Kernel[from*m.n:(from+m.k)*m.n], m.k, m.n))
	}
	whole := func(own dense, d nn.Dense[T]) {
		rows(own.w, d, 0)
		vec(own.bias, d.Bias)
	}
	pooling := func(own pool, p nn.Pool[T]) {
		vec(own.query, p.Query.Kernel)
		vec(own.queryBias, p.Query.Bias)
		whole(own.value, p.Value)
	}
	vec(l.bond, net.Bond)
	vec(l.atom, net.Atom)
	pooling(l.init, net.Init)
	for i, own := range l.head {
		vec(own.w, net.Head[i].Kernel)
		vec(own.bias, net.Head[i].Bias)
	}
	for j := range l.block {
		own, b := &l.block[j], &net.Block[j]
		f := own.edge1Bond.k
		pooling(own.pool, b.Pool)
		rows(own.edge1Bond, b.Edge1, 0)
		rows(own.edge1Src, b.Edge1, f)
		rows(own.edge1Dst, b.Edge1, 2*f)
		rows(own.edge1Mol.w, b.Edge1, 3*f)
		vec(own.edge1Mol.bias, b.Edge1.Bias)
		whole(own.edge2, b.Edge2)
		if j == len(l.block)-1 {
			break
		}
		rows(own.msg1Dst, b.Msg1, 0)
		rows(own.msg1Bond, b.Msg1, f)
		rows(own.msg1Mol.w, b.Msg1, 2*f)
		vec(own.msg1Mol.bias, b.Msg1.Bias)
		whole(own.msg2, b.Msg2)
		whole(own.node1, b.Node1)
		whole(own.node2, b.Node2)
	}
}
