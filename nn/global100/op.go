package global100

import (
	"errors"
	"hash"
	"hash/fnv"
	"slices"

	"github.com/chewxy/hm"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// A token is the value of every node. The data it stands for is in the
// backend's memory, in shapes that change from polymer to polymer, so that one
// compiled graph serves them all.
func newToken() *tensor.Dense {
	return tensor.New(tensor.WithShape(1), tensor.WithBacking([]float32{0}))
}

// tokenType is the type of every node.
var tokenType = G.TensorType{Dims: 1, Of: tensor.Float32}

// op is a fused operator as a node of the graph.
type op struct {
	name   string // unique in the graph
	inputs int
	run    func()
	// diff makes the nodes of the inputs' gradients; nil in backward operators.
	diff func(inputs G.Nodes, output, grad *G.Node) (G.Nodes, error)

	out *tensor.Dense
}

var _ G.SDOp = (*op)(nil)

// apply makes o's node.
func (o *op) apply(inputs ...*G.Node) (*G.Node, error) {
	o.inputs, o.out = len(inputs), newToken()
	return G.ApplyOpWithName(o, o.name, inputs...)
}

// Do runs the backend's operator.
func (o *op) Do(...G.Value) (G.Value, error) {
	o.run()
	return o.out, nil
}

// SymDiff is Gorgonia's question for the gradient of an operator.
func (o *op) SymDiff(inputs G.Nodes, output, grad *G.Node) (G.Nodes, error) {
	if o.diff == nil {
		return nil, errors.New(o.name + " has no second derivative")
	}
	return o.diff(inputs, output, grad)
}

// DiffWRT says that weights and states are differentiated alike.
func (o *op) DiffWRT(inputs int) []bool {
	return slices.Repeat([]bool{o.diff != nil}, inputs)
}

func (o *op) Arity() int { return o.inputs }

func (o *op) Type() hm.Type {
	return hm.NewFnType(slices.Repeat([]hm.Type{tokenType}, o.inputs+1)...)
}

func (o *op) InferShape(...G.DimSizer) (tensor.Shape, error) { return tensor.Shape{1}, nil }
func (o *op) ReturnsPtr() bool                               { return true }
func (o *op) CallsExtern() bool                              { return false }
func (o *op) OverwritesInput() int                           { return -1 }
func (o *op) WriteHash(h hash.Hash)                          { h.Write([]byte(o.name)) }
func (o *op) String() string                                 { return o.name }

func (o *op) Hashcode() uint32 {
	h := fnv.New32a()
	o.WriteHash(h)
	return h.Sum32()
}
