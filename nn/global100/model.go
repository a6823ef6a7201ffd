// Package global100 states the network as a Gorgonia graph: one node per fused
// operator, and compiled once for polymers of any shape.
//
//	embed ─ block0 ─ block1 ─ … ─ heads
//
// # What Gorgonia does here, and what it does not
//
// Gorgonia derives the structure of the gradient: it walks the graph backwards
// from the loss, asks each operator for its backward operator, and wires these
// together. Its tape machine then decides the order in which everything runs.
//
// Gorgonia computes no values. The arithmetic of a forward operator and of its
// backward operator is a backend's, written by hand (see [Operators]), in the
// backend's own memory. Every node carries the same one-element tensor, so that
// one compiled graph serves polymers of any size; Gorgonia's shape inference,
// memory planning and kernels take no part.
//
// Values from Gorgonia are in the tests alone: oracle_test.go states the network
// in Gorgonia's native operators, in float64, with gradients by Gorgonia's rules,
// and agrees with PolyID on TensorFlow to 1e-10. Backends are held to the same
// golden files by nn/enginetest.
//
// # What it costs
//
// For 12 blocks a step of the machine with operators that do nothing takes 0.03 ms
// of CPU time (one core of a 2.5 GHz Xeon) and 199 allocations of 5 kB in all;
// a step of the published network takes more than 10 ms. Measure it with
//
//	go test ./nn/global100 -run '^$' -bench Step
//
// nn/cpu's BenchmarkGraph compares a whole step with the same operators called in
// a loop, and its TestGraphIsTheLoop holds both to the same bits.
package global100

import (
	"fmt"
	"slices"

	G "gorgonia.org/gorgonia"
)

// Model is one network's graph on one backend. It is used by one goroutine at
// a time; models are independent of one another.
type Model struct {
	forward, step G.VM
}

// New compiles the network of blocks blocks twice: forward only, and with its
// gradient.
func New(blocks int, ops Operators) (*Model, error) {
	var f, s builder
	f.ops, s.ops = ops, ops
	if err := f.network(blocks); err != nil {
		return nil, fmt.Errorf("build forward graph: %w", err)
	}
	if err := s.network(blocks); err != nil {
		return nil, fmt.Errorf("build training graph: %w", err)
	}
	if err := s.differentiate(); err != nil {
		return nil, fmt.Errorf("differentiate: %w", err)
	}
	return &Model{forward: G.NewTapeMachine(f.graph), step: G.NewTapeMachine(s.graph)}, nil
}

// Forward runs the network on the batch the backend is bound to.
func (m *Model) Forward() error { return run(m.forward) }

// Step runs the network and its gradient.
func (m *Model) Step() error { return run(m.step) }

// Close frees the machines.
func (m *Model) Close() error {
	if err := m.forward.Close(); err != nil {
		return err
	}
	return m.step.Close()
}

func run(vm G.VM) error {
	defer vm.Reset()
	return vm.RunAll()
}

// builder makes a graph.
type builder struct {
	ops     Operators
	graph   *G.ExprGraph
	weights G.Nodes // one node per forward operator
	loss    *G.Node
}

// input makes a node that runs nothing.
func (b *builder) input(name string) *G.Node {
	return G.NodeFromAny(b.graph, newToken(), G.WithName(name))
}

// network states the network.
func (b *builder) network(blocks int) error {
	b.graph = G.NewGraph()
	states, err := b.fused("embed", b.ops.Embed, b.ops.EmbedBackward)
	for j := 0; j < blocks && err == nil; j++ {
		states, err = b.fused(fmt.Sprintf("block%d", j),
			func() { b.ops.Block(j) }, func() { b.ops.BlockBackward(j) }, states)
	}
	if err != nil {
		return err
	}
	b.loss, err = b.fused("heads", b.ops.Heads, b.ops.HeadsBackward, states)
	return err
}

// fused adds an operator with weights of its own, on the states of at most one
// other.
func (b *builder) fused(name string, forward, backward func(), states ...*G.Node) (*G.Node, error) {
	weights := b.input(name + ".weights")
	b.weights = append(b.weights, weights)
	o := &op{name: name, run: forward}
	o.diff = func(inputs G.Nodes, output, grad *G.Node) (G.Nodes, error) {
		back := &op{name: name + ".backward", run: backward}
		dStates, err := back.apply(append(slices.Clone(inputs), output, grad)...)
		if err != nil {
			return nil, err
		}
		part := &op{name: name + ".weights.gradient", run: func() {}}
		dWeights, err := part.apply(dStates)
		if err != nil {
			return nil, err
		}
		return G.Nodes{dWeights, dStates}[:len(inputs)], nil
	}
	return o.apply(append(G.Nodes{weights}, states...)...)
}

// differentiate has Gorgonia add the gradient of the loss for all weights.
func (b *builder) differentiate() error {
	one := b.input("loss.gradient")
	_, err := G.Backpropagate(G.Nodes{b.loss}, G.Nodes{one}, b.weights)
	return err
}
