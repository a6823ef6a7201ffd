package dataset

import (
	"polyid-trainer/featurize"
	"polyid-trainer/nn"
)

// Examples are some rows of a Dataset, bound to a fold's vocabulary. Their plans
// are those of the Dataset's cache: Example makes what is not there, in a
// fraction of a millisecond. It is a train.Set, and may be used by any number of
// goroutines.
type Examples struct {
	set     *Dataset
	tokens  *featurize.Binding
	rows    []int32
	targets []float32 // [rows, width], scaled; none when only predicting
	width   int
	weights []float64    // of each row; nil where all count the same
	bounds  [][]nn.Bound // of each row; nil where there are none
}

// Len is the number of rows.
func (x *Examples) Len() int { return len(x.rows) }

// Label is a row and its scaled targets; NaN is unmeasured.
func (x *Examples) Label(i int) (row int, target []float32) {
	if x.targets != nil {
		target = x.targets[i*x.width : (i+1)*x.width : (i+1)*x.width]
	}
	return int(x.rows[i]), target
}

// Example sets into to an example with its plan and tokens, for which it reuses
// the memory of those that are there.
func (x *Examples) Example(i int, into *nn.Example) {
	into.Row, into.Target = x.Label(i)
	into.Plan = x.set.plan(x.set.row[into.Row])
	into.Atom, _ = x.tokens.Atom.Tokens(into.Atom[:0], into.Plan.AtomID)
	into.Bond, _ = x.tokens.Bond.Tokens(into.Bond[:0], into.Plan.BondID)
}

// Graphs numbers the distinct graphs: of[i] is example i's, and first[g] is the
// first example of graph g.
func (x *Examples) Graphs() (of, first []int32) {
	of = make([]int32, len(x.rows))
	number := make([]int32, x.set.Distinct()) // by graph of the set, from 1
	for i, r := range x.rows {
		n := &number[x.set.row[r]]
		if *n == 0 {
			first = append(first, int32(i))
			*n = int32(len(first))
		}
		of[i] = *n - 1
	}
	return of, first
}

// All is every example, in memory.
func (x *Examples) All() []nn.Example {
	out := make([]nn.Example, len(x.rows))
	for i := range out {
		x.Example(i, &out[i])
	}
	return out
}
