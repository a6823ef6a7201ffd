package train

import (
	"slices"

	"polyid-trainer/nn"
	"polyid-trainer/nn/plan"
)

// Set is the examples that a training reads again and again. It need not hold
// their plans: those of a large table are made when they are wanted.
type Set interface {
	Len() int
	// Label is the row that an example is of, and its scaled targets.
	Label(i int) (row int, target []float32)
	// Example sets into to an example with its plan and tokens. It may reuse the
	// memory of tokens that it put there before.
	Example(i int, into *nn.Example)
	// Graphs numbers the distinct graphs: of[i] is example i's and first[g] the
	// first example of graph g. Examples of one graph have equal plans and tokens.
	Graphs() (of, first []int32)
}

// Examples are a Set in memory.
type Examples []nn.Example

var _ Set = Examples(nil)

// Len implements Set.
func (x Examples) Len() int { return len(x) }

// Label implements Set.
func (x Examples) Label(i int) (row int, target []float32) { return x[i].Row, x[i].Target }

// Example implements Set.
func (x Examples) Example(i int, into *nn.Example) { *into = x[i] }

// Graphs implements Set. Two graphs are equal when they share a plan and their
// classes carry the same tokens; many rows of a table differ in tacticity only,
// which features of version 1 do not see.
func (x Examples) Graphs() (of, first []int32) {
	of = make([]int32, len(x))
	byPlan := map[*plan.Plan][]int32{} // graphs of a plan
	for i, e := range x {
		same := byPlan[e.Plan]
		at := slices.IndexFunc(same, func(g int32) bool {
			y := &x[first[g]]
			return slices.Equal(e.Atom, y.Atom) && slices.Equal(e.Bond, y.Bond)
		})
		if at >= 0 {
			of[i] = same[at]
			continue
		}
		of[i] = int32(len(first))
		byPlan[e.Plan] = append(same, of[i])
		first = append(first, int32(i))
	}
	return of, first
}

// part is some examples of a Set.
type part struct {
	Set
	at []int32
}

// Len implements Set.
func (p part) Len() int { return len(p.at) }

// Label implements Set.
func (p part) Label(i int) (row int, target []float32) { return p.Set.Label(int(p.at[i])) }

// Example implements Set.
func (p part) Example(i int, into *nn.Example) { p.Set.Example(int(p.at[i]), into) }

// Graphs implements Set.
func (p part) Graphs() (of, first []int32) {
	all, _ := p.Set.Graphs()
	of = make([]int32, len(p.at))
	number := map[int32]int32{}
	for i, at := range p.at {
		g, ok := number[all[at]]
		if !ok {
			g = int32(len(first))
			number[all[at]] = g
			first = append(first, int32(i))
		}
		of[i] = g
	}
	return of, first
}
