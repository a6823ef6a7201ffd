package pipeline

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"

	"polyid-trainer/data"
	"polyid-trainer/featurize"
	"polyid-trainer/featurize/structure"
	"polyid-trainer/jobs"
	"polyid-trainer/jobs/keys"
	"polyid-trainer/nn/dataset"
	"polyid-trainer/nn/keras"
	"polyid-trainer/storage"
)

// corpus is a job's polymers in memory, shared by all its folds in a process.
type corpus struct {
	table *data.Table // the job's rows, those of another hold-out table last
	rows  int         // of the job's own table

	grown chains  // of the rows
	row   []int32 // of each chain: its row of table
	first []int32 // of each row of table: its first chain; one more at the end

	set *dataset.Dataset // the chains' graphs and plans
}

// Limits of reading back what the API has checked: it may be somewhat larger
// than what was uploaded, since every column is written out.
var stored = data.Options{MaxBytes: 1 << 30, MaxRows: math.MaxInt32, MinValues: 1, AllNumbers: true, Identify: structure.Identity}

// readTables reads the job's table and, if the job has one, its hold-out table.
// Both have the same targets.
func (p *Pipeline) readTables(ctx context.Context, job string, s *jobs.Spec) (table, holdout *data.Table, err error) {
	own := stored
	own.Keep = s.Split.Columns()
	table, err = p.readTable(ctx, keys.Dataset(job), s.Columns, own)
	if err != nil {
		return nil, nil, err
	}
	if s.Holdout == nil || len(s.Holdout.Dataset) == 0 {
		return table, nil, nil
	}
	same := data.Columns{Units: s.Columns.Units, Conditions: s.Columns.Conditions, Weights: s.Columns.Weights, Censored: s.Columns.Censored}
	for _, t := range table.Targets {
		same.Targets = append(same.Targets, t.Name)
	}
	o := stored
	o.ForPrediction = true // it need not have every target
	if holdout, err = p.readTable(ctx, keys.Holdout(job), same, o); err != nil {
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
	c = c.Written()
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

// newCorpus featurizes the chains of a job's tables, which rows yields; holdout
// may be nil.
func newCorpus(ctx context.Context, s *jobs.Spec, table, holdout *data.Table, rows iter.Seq2[[]structure.Chain, error]) (*corpus, error) {
	c := &corpus{table: table, rows: table.Rows()}
	if holdout != nil {
		c.table = appended(table, holdout)
	}
	f, err := featurize.New(s.Features)
	if err != nil {
		return nil, failure("invalid_features", "%v", err)
	}
	var stopped error
	c.set, err = dataset.New(ctx, f, func(yield func(string) bool) {
		stopped = c.follow(rows, yield)
	}, s.Model.NumMessages)
	switch {
	case stopped != nil:
		return nil, stopped
	case err == nil && len(c.first) != c.table.Rows()+1:
		return nil, fmt.Errorf("chains of %d rows for %d", len(c.first)-1, c.table.Rows())
	case err != nil && ctx.Err() == nil:
		return nil, c.unreadable(err)
	}
	return c, err
}

// follow yields the SMILES of every chain and notes which row it is of.
func (c *corpus) follow(rows iter.Seq2[[]structure.Chain, error], yield func(string) bool) error {
	i := int32(0)
	for grown, err := range rows {
		if err != nil {
			return err
		}
		if int(i) == c.table.Rows() {
			return fmt.Errorf("chains of more than %d rows", i)
		}
		c.first = append(c.first, int32(len(c.row)))
		if grown == nil {
			grown = []structure.Chain{{SMILES: c.table.Structures[i].Polymer}}
		}
		for _, chain := range grown {
			c.row = append(c.row, i)
			if !yield(chain.SMILES) {
				return nil
			}
		}
		i++
	}
	c.first = append(c.first, int32(len(c.row)))
	return nil
}

// unreadable is the failure of a corpus with chains that cannot be featurized.
func (c *corpus) unreadable(err error) error {
	var first *dataset.RowError
	if !errors.As(err, &first) {
		return err
	}
	row := int(c.row[first.Row])
	return &failed{jobs.Failure{Code: "invalid_structure", Row: &row, Detail: fmt.Sprintf("row %d: %v", row, first.Err)}}
}

// appended is a table with the rows of another one behind its own.
func appended(t, more *data.Table) *data.Table {
	return &data.Table{
		Structures: slices.Concat(t.Structures, more.Structures), Targets: t.Targets, Y: slices.Concat(t.Y, more.Y),
		Origin: slices.Concat(t.Origin, more.Origin), InputRows: t.InputRows + more.InputRows,
		Conditions: t.Conditions, C: slices.Concat(t.C, more.C), Weight: slices.Concat(t.Weight, more.Weight),
		Bound: slices.Concat(t.Bound, more.Bound), Side: slices.Concat(t.Side, more.Side),
	}
}

// chainsOf lists the chains of rows, ascending.
func (c *corpus) chainsOf(rows []int) []int {
	var out []int
	for _, r := range rows {
		for i := c.first[r]; i < c.first[r+1]; i++ {
			out = append(out, int(i))
		}
	}
	return out
}

// own is a table with a row for each chain of the job's own table, with the values
// of the row it was grown from and no SMILES of its own.
func (c *corpus) own() *data.Table {
	out := &data.Table{Targets: c.table.Targets, InputRows: c.table.InputRows}
	for _, r := range c.row[:c.first[c.rows]] {
		out.Structures = append(out.Structures, c.table.Structures[r])
		out.Y = append(out.Y, c.table.Values(int(r))...)
		out.Origin = append(out.Origin, c.table.Origin[r])
	}
	return out
}

// trained is the job's own table by chains, and what each was to the models.
func (c *corpus) trained() (*data.Table, []keras.Chain, error) {
	table := c.own()
	var out []keras.Chain
	for grown, err := range c.grown.each() {
		if err != nil {
			return nil, nil, err
		}
		if len(out) == len(table.Structures) { // the rest is of another hold-out table
			break
		}
		if grown == nil {
			out = append(out, keras.Chain{SMILES: table.Structures[len(out)].Polymer})
		}
		for _, g := range grown {
			table.Structures[len(out)].Replicate = g.Replicate
			out = append(out, keras.Chain{SMILES: g.SMILES, DP: g.DP, Ring: g.Ring})
		}
	}
	return table, out, nil
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
	groups := make([]string, c.table.Rows())
	for r := range groups {
		groups[r] = fmt.Sprint(merged[c.first[r]])
	}
	return groups
}

// load makes a prepared job's corpus from what prepare left.
func (p *Pipeline) load(ctx context.Context, j *jobs.Job) (*corpus, *Preparation, error) {
	prep, err := readPreparation(ctx, p.Bucket, j.ID)
	if err != nil {
		if errors.Is(err, storage.ErrNotExist) {
			return nil, nil, failure("prepared_missing", "%s is gone", keys.Prepared(j.ID))
		}
		return nil, nil, err
	}
	table, holdout, err := p.readTables(ctx, j.ID, &j.Spec)
	if err != nil {
		return nil, nil, err
	}
	if hash := table.Hash(); hash != prep.Data.Hash {
		return nil, nil, failure("dataset_changed", "%s is not the table that was prepared", keys.Dataset(j.ID))
	}
	grown, err := p.readChains(ctx, j.ID, prep)
	if err != nil {
		return nil, nil, err
	}
	c, err := newCorpus(ctx, &j.Spec, table, holdout, grown.each())
	if err != nil {
		return nil, nil, err
	}
	c.grown = grown
	return c, prep, nil
}

// readChains reads the chains that were grown when a job was prepared.
func (p *Pipeline) readChains(ctx context.Context, job string, prep *Preparation) (chains, error) {
	if prep.SchemaVersion == 1 {
		return packed(prep.Chains)
	}
	grown, err := read(ctx, p.Bucket, keys.Chains(job), maxChains)
	if errors.Is(err, storage.ErrNotExist) {
		return nil, failure("prepared_missing", "%s is gone", keys.Chains(job))
	}
	return grown, err
}
