package pipeline

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"polyid-trainer/data"
	"polyid-trainer/featurize"
	"polyid-trainer/featurize/structure"
	"polyid-trainer/jobs"
	"polyid-trainer/nn/dataset"
	"polyid-trainer/nn/keras"
	"polyid-trainer/storage"
)

// corpus is a job's polymers in memory, shared by all its folds in a process.
type corpus struct {
	table *data.Table // the job's rows, those of another hold-out table last
	rows  int         // of the job's own table

	chains *data.Table // one row per chain, with the values of the row it was grown from
	row    []int       // of each chain: its row of table
	first  []int       // of each row of table: its first chain; one more at the end

	set *dataset.Dataset // the chains' graphs and plans
}

// Limits of reading back what the API has checked: it may be somewhat larger
// than what was uploaded, since every column is written out.
var stored = data.Options{MaxBytes: 1 << 30, MaxRows: math.MaxInt32, MinValues: 1, AllNumbers: true}

// readTables reads the job's table and, if the job has one, its hold-out table.
// Both have the same targets.
func (p *Pipeline) readTables(ctx context.Context, job string, s *jobs.Spec) (table, holdout *data.Table, err error) {
	table, err = p.readTable(ctx, DatasetKey(job), s.Columns, stored)
	if err != nil {
		return nil, nil, err
	}
	if s.Holdout == nil || len(s.Holdout.Dataset) == 0 {
		return table, nil, nil
	}
	same := data.Columns{Units: s.Columns.Units}
	for _, t := range table.Targets {
		same.Targets = append(same.Targets, t.Name)
	}
	o := stored
	o.ForPrediction = true // it need not have every target
	if holdout, err = p.readTable(ctx, HoldoutKey(job), same, o); err != nil {
		return nil, nil, err
	}
	for i, t := range holdout.Targets {
		if want := table.Targets[i].Units; t.Units != want && t.Column != "" {
			return nil, nil, failure("holdout_units", "%s is in %q in the dataset and in %q in the hold-out dataset", t.Name, want, t.Units)
		}
	}
	return table, holdout, nil
}

func (p *Pipeline) readTable(ctx context.Context, key string, c data.Columns, o data.Options) (*data.Table, error) {
	c.Roles = data.Roles{} // the table is written under its own names
	object, err := p.Bucket.Get(ctx, key)
	if err != nil {
		return nil, fmt.Errorf("reading the dataset: %w", err)
	}
	defer object.Close()
	table, _, err := data.Read(ctx, object, key, c, o)
	var bad *data.DefectsError
	switch {
	case errors.As(err, &bad):
		f := &failed{jobs.Failure{Code: "invalid_dataset", Detail: err.Error()}}
		return nil, f
	case errors.Is(err, data.ErrFormat), errors.Is(err, data.ErrTooLarge):
		return nil, failure("invalid_dataset", "%v", err)
	case err != nil:
		return nil, fmt.Errorf("reading the dataset: %w", err)
	}
	return table, nil
}

// grow makes the chains of every row that states none. Equal structures grow
// equal chains, once. All rows at fault are in the error.
func grow(ctx context.Context, g structure.Grower, t *data.Table) ([][]structure.Chain, error) {
	grown := make([][]structure.Chain, t.Rows())
	var bad []error
	var at int
	for i := range t.Structures {
		if err := context.Cause(ctx); err != nil {
			return nil, err
		}
		s := &t.Structures[i]
		if s.Notation() == data.Polymer {
			continue
		}
		chains, err := g.Grow(s)
		if err != nil {
			if bad == nil {
				at = i
			}
			bad = append(bad, fmt.Errorf("row %d: %w", i, err))
			continue
		}
		grown[i] = chains
	}
	if bad != nil {
		return nil, &failed{jobs.Failure{Code: "invalid_structure", Detail: "no chain can be grown: " + several(bad), Row: &at}}
	}
	return grown, nil
}

// several writes the first errors and the number of the rest.
func several(errs []error) string {
	const shown = 3
	text := errors.Join(errs[:min(shown, len(errs))]...).Error()
	if len(errs) > shown {
		text += fmt.Sprintf("\nand %d more", len(errs)-shown)
	}
	return text
}

// newCorpus featurizes the chains of a job's tables; holdout may be nil.
func newCorpus(ctx context.Context, s *jobs.Spec, table, holdout *data.Table, grown [][]structure.Chain) (*corpus, error) {
	c := &corpus{table: table, rows: table.Rows()}
	if holdout != nil {
		c.table = appended(table, holdout)
	}
	if len(grown) != c.table.Rows() {
		return nil, fmt.Errorf("chains of %d rows for %d", len(grown), c.table.Rows())
	}
	c.chains = &data.Table{Targets: c.table.Targets, InputRows: c.table.InputRows}
	var smiles []string
	for i := range c.table.Structures {
		c.first = append(c.first, len(smiles))
		chains := grown[i]
		if chains == nil {
			chains = []structure.Chain{{SMILES: c.table.Structures[i].Polymer}}
		}
		for _, chain := range chains {
			st := c.table.Structures[i]
			st.Polymer, st.Replicate = chain.SMILES, chain.Replicate
			smiles = append(smiles, chain.SMILES)
			c.row = append(c.row, i)
			c.chains.Structures = append(c.chains.Structures, st)
			c.chains.Y = append(c.chains.Y, c.table.Values(i)...)
			c.chains.Origin = append(c.chains.Origin, c.table.Origin[i])
		}
	}
	c.first = append(c.first, len(smiles))
	f, err := featurize.New(s.Features)
	if err != nil {
		return nil, failure("invalid_features", "%v", err)
	}
	c.set, err = dataset.New(ctx, f, smiles, s.Model.NumMessages, nil)
	if err != nil {
		if ctx.Err() != nil {
			return nil, err
		}
		return nil, c.unreadable(err)
	}
	return c, nil
}

// unreadable is the failure of a corpus with chains that cannot be featurized.
func (c *corpus) unreadable(err error) error {
	var first *dataset.RowError
	if !errors.As(err, &first) {
		return err
	}
	row := c.row[first.Row]
	return &failed{jobs.Failure{Code: "invalid_structure", Row: &row, Detail: fmt.Sprintf("row %d: %v", row, first.Err)}}
}

// appended is a table with the rows of another one behind its own.
func appended(t, more *data.Table) *data.Table {
	return &data.Table{
		Structures: slices.Concat(t.Structures, more.Structures), Targets: t.Targets, Y: slices.Concat(t.Y, more.Y),
		Origin: slices.Concat(t.Origin, more.Origin), InputRows: t.InputRows + more.InputRows,
	}
}

// chainsOf lists the chains of rows, ascending.
func (c *corpus) chainsOf(rows []int) []int {
	var out []int
	for _, r := range rows {
		for i := c.first[r]; i < c.first[r+1]; i++ {
			out = append(out, i)
		}
	}
	return out
}

// own is the chains of the job's own table, without those of another hold-out
// table.
func (c *corpus) own() *data.Table {
	n := c.first[c.rows]
	return &data.Table{
		Structures: c.chains.Structures[:n], Targets: c.chains.Targets, Y: c.chains.Y[:n*len(c.chains.Targets)],
		Origin: c.chains.Origin[:n], InputRows: c.chains.InputRows,
	}
}

// trained says what the chains of the job's own table are.
func (c *corpus) trained(prep *Preparation) []keras.Chain {
	var out []keras.Chain
	for i := range c.rows {
		if prep.Chains[i] == nil {
			out = append(out, keras.Chain{SMILES: c.table.Structures[i].Polymer})
		}
		for _, g := range prep.Chains[i] {
			out = append(out, keras.Chain{SMILES: g.SMILES, DP: g.DP, Ring: g.Ring})
		}
	}
	return out
}

// folds are folds of rows as folds of chains.
func (c *corpus) folds(rows data.Folds) data.Folds {
	out := make(data.Folds, len(rows))
	for i, f := range rows {
		out[i] = data.Fold{Train: c.chainsOf(f.Train), Validate: c.chainsOf(f.Validate)}
	}
	return out
}

// groupKeys names what the network cannot tell apart: rows share one when they
// have chains with equal graphs, or are connected by rows that do.
func (c *corpus) groupKeys() []string {
	byRow := make([]string, len(c.row))
	for i, r := range c.row {
		byRow[i] = fmt.Sprint(r)
	}
	merged := data.GroupBy(byRow).Merge(data.GroupBy(c.set.GraphKeys()))
	keys := make([]string, c.table.Rows())
	for r := range keys {
		keys[r] = fmt.Sprint(merged[c.first[r]])
	}
	return keys
}

// load makes a prepared job's corpus from what prepare left.
func (p *Pipeline) load(ctx context.Context, j *jobs.Job) (*corpus, *Preparation, error) {
	prep, err := readPreparation(ctx, p.Bucket, j.ID)
	if err != nil {
		if errors.Is(err, storage.ErrNotExist) {
			return nil, nil, failure("prepared_missing", "%s is gone", PreparedKey(j.ID))
		}
		return nil, nil, err
	}
	table, holdout, err := p.readTables(ctx, j.ID, &j.Spec)
	if err != nil {
		return nil, nil, err
	}
	if hash := table.Hash(); hash != prep.Data.Hash {
		return nil, nil, failure("dataset_changed", "%s is not the table that was prepared", DatasetKey(j.ID))
	}
	c, err := newCorpus(ctx, &j.Spec, table, holdout, prep.Chains)
	return c, prep, err
}
