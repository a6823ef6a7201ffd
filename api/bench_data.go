package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"polyid-trainer/data"
	"polyid-trainer/featurize"
	"polyid-trainer/featurize/structure"
	"polyid-trainer/nn/dataset"
)

// benchRows is how many rows of a table bench works with: of a larger one some
// from all over it.
const benchRows = 400

// readDataset reads a shipped dataset, or a table in a file, and grows its chains:
// their SMILES stand in the table's structures.
func readDataset(ctx context.Context, name string, chains structure.Chains, f *featurize.Featurizer, blocks int) (*data.Table, *dataset.Dataset, error) {
	all, err := openDataset(ctx, name)
	if err != nil {
		return nil, nil, err
	}
	grower := structure.Grower{Chains: chains}
	table := &data.Table{Targets: all.Targets}
	for i := range min(benchRows, all.Rows()) {
		r := i * all.Rows() / min(benchRows, all.Rows())
		grown, err := grower.Grow(&all.Structures[r])
		if err != nil {
			return nil, nil, fmt.Errorf("%s, row %d: %w", name, all.Origin[r].Row, err)
		}
		s := all.Structures[r]
		s.Polymer = grown[0].SMILES
		table.Structures = append(table.Structures, s)
		table.Y = append(table.Y, all.Values(r)...)
		table.Origin = append(table.Origin, all.Origin[r])
	}
	set, err := dataset.New(ctx, f, dataset.Polymers(table), blocks)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", name, err)
	}
	return table, set, nil
}

func openDataset(ctx context.Context, name string) (*data.Table, error) {
	o := data.Options{Check: structure.Check, Mechanisms: structure.Mechanisms()}
	if shipped, ok := data.Shipped(name); ok {
		var columns data.Columns
		if name == dataset.PolyIDTable {
			columns.Targets = []string{"Tg", "Tm"}
		}
		table, _, err := data.Parse(ctx, []*data.Sheet{shipped.Sheet()}, columns, o)
		return table, err
	}
	file, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("--dataset: %q is no shipped dataset and no file", name)
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	table, _, err := data.Read(ctx, file, name, data.Columns{}, o)
	return table, err
}
