package dataset

import (
	"context"
	"fmt"

	"polyid-trainer/data"
	"polyid-trainer/featurize"
)

// PolyID is PolyID's own training table, with Tg and Tm as targets, and its 229
// polymers for a network of blocks blocks: what the network is measured on.
func PolyID(ctx context.Context, f *featurize.Featurizer, blocks int) (*data.Table, *Dataset, error) {
	const name = "stereopolymer_input_nopush"
	shipped, ok := data.Shipped(name)
	if !ok {
		return nil, nil, fmt.Errorf("no shipped dataset %s", name)
	}
	columns := data.Columns{Targets: []string{"Tg", "Tm"}}
	table, _, err := data.Parse(ctx, []*data.Sheet{shipped.Sheet()}, columns, data.Options{})
	if err != nil {
		return nil, nil, fmt.Errorf("reading %s: %w", name, err)
	}
	smiles := make([]string, table.Rows())
	for i, s := range table.Structures {
		smiles[i] = s.Polymer
	}
	set, err := New(ctx, f, smiles, blocks, nil)
	if err != nil {
		return nil, nil, fmt.Errorf("reading %s: %w", name, err)
	}
	return table, set, nil
}
