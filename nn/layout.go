package nn

import "fmt"

// Float is an element type the network can be stated in: float32 as it is
// trained, float64 as it is checked.
type Float interface{ ~float32 | ~float64 }

// Spec names one tensor of the network.
type Spec struct {
	Name  string // as PolyID's layers name it, e.g. "block3.edge.concat.dense1.kernel"
	Shape []int  // one or two dimensions; a kernel is [in, out]
	Off   int    // index of its first element in a slab
}

// Size is the number of elements.
func (s Spec) Size() int {
	n := 1
	for _, d := range s.Shape {
		n *= d
	}
	return n
}

// Layout lists the network's tensors in the order Keras keeps them, which is
// also their order in a slab: bond and atom embedding, the initial pooling,
// the blocks, the heads.
func Layout(c Config, s Sizes) []Spec {
	var specs []Spec
	carve(c, s, func(name string, shape ...int) []float32 {
		off := 0
		if n := len(specs); n > 0 {
			off = specs[n-1].Off + specs[n-1].Size()
		}
		specs = append(specs, Spec{Name: name, Shape: shape, Off: off})
		return nil
	})
	return specs
}

// NumParams is the number of parameters: 4,361,359 at PolyID's full size with
// 128 molecule features.
func NumParams(c Config, s Sizes) int {
	specs := Layout(c, s)
	last := specs[len(specs)-1]
	return last.Off + last.Size()
}

// Dense is y = x·Kernel + Bias.
type Dense[T Float] struct {
	Kernel []T // [in, out] row-major
	Bias   []T // [out]
}

// Pool is nfp's GlobalUpdate with one attention head.
type Pool[T Float] struct {
	Query Dense[T] // F → 1
	Value Dense[T] // F → M
}

// Block is one round of message passing.
type Block[T Float] struct {
	Pool  Pool[T]
	Edge1 Dense[T] // [bond, source atom, destination atom, global] 3F+M → 2F, relu
	Edge2 Dense[T] // 2F → F
	// The last block updates no atoms: its four Dense below are empty.
	Msg1  Dense[T] // [destination atom, bond, global] 2F+M → 2F, relu
	Msg2  Dense[T] // 2F → F
	Node1 Dense[T] // F → 2F, relu
	Node2 Dense[T] // 2F → F
}

// Net is a slab seen as the network's tensors.
type Net[T Float] struct {
	Bond  []T // embedding [bond classes, F]
	Atom  []T // embedding [atom classes, F]
	Init  Pool[T]
	Block []Block[T]
	Head  []Dense[T] // F → 1 each
}

// View sees slab, of NumParams elements in Layout's order, as a Net.
func View[T Float](c Config, s Sizes, slab []T) *Net[T] {
	return carve(c, s, func(_ string, shape ...int) []T {
		n := Spec{Shape: shape}.Size()
		v := slab[:n:n]
		slab = slab[n:]
		return v
	})
}

// carve states the network's tensors once: it asks next for each in order.
func carve[T Float](c Config, s Sizes, next func(name string, shape ...int) []T) *Net[T] {
	f, m := c.AtomFeatures, c.MolFeatures
	dense := func(name string, in, out int) Dense[T] {
		k := next(name+".kernel", in, out)
		return Dense[T]{Kernel: k, Bias: next(name+".bias", out)}
	}
	pool := func(name string) Pool[T] {
		q := dense(name+".query", f, 1)
		return Pool[T]{Query: q, Value: dense(name+".value", f, m)}
	}
	net := &Net[T]{Block: make([]Block[T], c.NumMessages), Head: make([]Dense[T], s.Targets)}
	net.Bond = next("bond_embedding", s.BondClasses, f)
	net.Atom = next("atom_embedding", s.AtomClasses, f)
	net.Init = pool("global_init")
	for j := range net.Block {
		b, name := &net.Block[j], fmt.Sprintf("block%d", j)
		b.Pool = pool(name + ".global")
		b.Edge1 = dense(name+".edge.concat.dense1", 3*f+m, 2*f)
		b.Edge2 = dense(name+".edge.concat.dense2", 2*f, f)
		if j == c.NumMessages-1 {
			break
		}
		b.Msg1 = dense(name+".node.concat.dense1", 2*f+m, 2*f)
		b.Msg2 = dense(name+".node.concat.dense2", 2*f, f)
		b.Node1 = dense(name+".node.dense1", f, 2*f)
		b.Node2 = dense(name+".node.dense2", 2*f, f)
	}
	for i := range net.Head {
		net.Head[i] = dense(fmt.Sprintf("head%d", i), f, 1)
	}
	return net
}
