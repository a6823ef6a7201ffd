package dataset

import (
	"context"
	"fmt"
	"iter"

	"polyid-trainer/data"
	"polyid-trainer/featurize"
)

// PolyIDTable is the shipped name of PolyID's own training table.
const PolyIDTable = "stereopolymer_input_nopush"

// PolyID is PolyID's own training table, with Tg and Tm as targets, and its 229
// polymers for a network of blocks blocks: what the network is measured on.
func PolyID(ctx context.Context, f *featurize.Featurizer, blocks int) (*data.Table, *Dataset, error) {
	const name = PolyIDTable
	shipped, ok := data.Shipped(name)
	if !ok {
		return nil, nil, fmt.Errorf("no shipped dataset %s", name)
	}
	columns := data.Columns{Targets: []string{"Tg", "Tm"}}
	table, _, err := data.Parse(ctx, []*data.Sheet{shipped.Sheet()}, columns, data.Options{})
	if err != nil {
		return nil, nil, fmt.Errorf("reading %s: %w", name, err)
	}
	set, err := New(ctx, f, Polymers(table), blocks)
	if err != nil {
		return nil, nil, fmt.Errorf("reading %s: %w", name, err)
	}
	return table, set, nil
}

// Polymers yields the chains that a table's rows state.
func Polymers(t *data.Table) iter.Seq[string] {
	return func(yield func(string) bool) {
		for i := range t.Structures {
			if !yield(t.Structures[i].Polymer) {
				return
			}
		}
	}
}
