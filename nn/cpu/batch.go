package cpu

import (
	"slices"

	"polyid-trainer/nn"
)

// graph is one of the distinct graphs of a batch. The examples that share it
// differ in their targets and in dropout, which is at the heads only: everything
// before the heads is computed once for all of them.
type graph struct {
	*nn.Example       // the first that has it
	examples    []int // that have it, by their place in the batch, ascending
}

// batch is what a step or a prediction is on.
type batch struct {
	examples []nn.Example
	graphs   []graph // by their first example
	of       []int   // the graph of each example
	members  []int   // that graphs have, graph by graph
}

// reset sets the graphs of a batch. Graphs are told apart by what they are, not
// by whether they share memory, so that results do not depend on which plans a
// cache happens to hold.
func (b *batch) reset(examples []nn.Example) {
	b.examples, b.graphs, b.of = examples, b.graphs[:0], b.of[:0]
	for i := range examples {
		x := &examples[i]
		n := slices.IndexFunc(b.graphs, func(g graph) bool {
			return slices.Equal(g.Atom, x.Atom) && slices.Equal(g.Bond, x.Bond) && g.Plan.Equal(x.Plan)
		})
		if n < 0 {
			n = len(b.graphs)
			b.graphs = append(b.graphs, graph{Example: x})
		}
		b.of = append(b.of, n)
	}
	b.members = slices.Grow(b.members[:0], len(examples))
	for n := range b.graphs {
		at := len(b.members)
		for i, of := range b.of {
			if of == n {
				b.members = append(b.members, i)
			}
		}
		b.graphs[n].examples = b.members[at:len(b.members):len(b.members)]
	}
}

// rowsTogether bounds the bond rows of the last layer whose polymers go through
// each product together, unless one polymer has more: beyond it, more rows gain
// nothing, and what lies between two products leaves the cache.
const rowsTogether = 640

// together is how many of the first graphs are to be in one group.
func (e *engine[T]) together(graphs []graph) (n int) {
	rows := 0
	for n < len(graphs) {
		p := graphs[n].Plan
		rows += p.BondClasses(len(p.Blocks))
		if n > 0 && rows > e.rowsTogether {
			break
		}
		n++
	}
	return n
}

// statesAtOnce bounds the states that a step has at one time, unless one graph
// has more; elements, 256 MB in float32. A larger batch goes through the network
// in several parts, whose gradients are added up: it costs a pass over the
// weights and the gradient for each.
const statesAtOnce = 64 << 20

// atOnce is how many of the first graphs are to be in one part of a step.
func (e *engine[T]) atOnce(graphs []graph) (n int) {
	states := 0
	for n < len(graphs) {
		states += e.elements(&graphs[n])
		if n > 0 && states > e.statesAtOnce {
			break
		}
		n++
	}
	return n
}

// elements is the size of what a step holds for x from the first block to the
// last, but for what is as small as a vector.
func (e *engine[T]) elements(x *graph) int {
	f, last := e.config.AtomFeatures+pad, e.config.NumMessages
	h := f + e.config.AtomFeatures
	n := 0
	for t := range last {
		n += f*(x.Plan.AtomClasses(t)+x.Plan.BondClasses(t)) + h*x.Plan.BondClasses(t+1)
		if t < last-1 {
			n += h*x.Plan.BondClasses(t+1) + (2*h+f)*x.Plan.AtomClasses(t+1)
		}
	}
	bonds := x.Plan.BondClasses(last)
	n += f*bonds + 2*f*(x.Plan.AtomClasses(last-1)+bonds) // with the gradients
	if e.config.Dropout > 0 {
		n += len(x.examples) * e.sizes.Targets * f * bonds
	}
	return n
}

// bind makes groups of graphs and carves the arena for a run on them.
func (e *engine[T]) bind(graphs []graph, train bool) {
	e.train = train
	groups := 0
	for len(graphs) > 0 {
		if groups == len(e.made) {
			e.made = append(e.made, newGroup[T](e.config, e.sizes))
		}
		n := e.together(graphs)
		e.made[groups].join(graphs[:n])
		groups, graphs = groups+1, graphs[n:]
	}
	e.groups = e.made[:groups]
	var a carver[T]
	e.carve(&a)
	if a.n > len(e.arena) {
		e.arena = nil                  // so that it can be freed before the next is made
		e.arena = make([]T, a.n+a.n/8) // batches differ; the next need not grow it again
	}
	a = carver[T]{buf: e.arena}
	e.carve(&a)
	for _, g := range e.groups {
		g.weigh()
	}
}

func (e *engine[T]) carve(a *carver[T]) {
	for _, g := range e.groups {
		g.carve(a, e.config, e.train)
	}
	e.work.carve(a, e.groups, e.config, e.train)
}

// join makes g the group of graphs.
func (g *group[T]) join(graphs []graph) {
	g.graphs = graphs
	g.plan.Reset(len(g.round))
	g.atomTokens, g.bondTokens = g.atomTokens[:0], g.bondTokens[:0]
	for i := range graphs {
		g.plan.Add(graphs[i].Plan)
		g.atomTokens = append(g.atomTokens, graphs[i].Atom...)
		g.bondTokens = append(g.bondTokens, graphs[i].Bond...)
	}
}

// weigh sets the weights of classes in sums and means.
func (g *group[T]) weigh() {
	last := len(g.round)
	for i := range g.graphs {
		p := g.graphs[i].Plan
		for t := range last + 1 {
			count := g.both(g.count[t], t, i)
			atoms := 0
			if t < last {
				atoms = widen(count, p.AtomMembers(t))
			}
			widen(count[atoms:], p.BondMembers(t))
		}
		share := g.both(g.share, last, i)
		for r, n := range g.both(g.count[last], last, i) {
			share[r] = n / T(p.NumBonds)
		}
	}
}
