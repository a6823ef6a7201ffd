// Package dataset turns a table's polymers into what the network learns from:
// one graph and one plan per distinct polymer, made once and shared by all
// folds, and per fold a vocabulary and a scaler fitted on its training rows.
package dataset

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"polyid-trainer/data"
	"polyid-trainer/featurize"
	"polyid-trainer/nn"
	"polyid-trainer/nn/plan"
)

// Dataset is the polymers of a table's rows. It is read-only once made and may
// be shared by any number of folds. It takes about 50 kB a distinct graph of
// 200 atoms.
type Dataset struct {
	lexicons *featurize.Lexicons
	graphs   []*featurize.Graph // distinct, by number
	plans    []*plan.Plan       // of graphs
	row      []int32            // number of each row's graph
}

// New featurizes the SMILES of a table's rows and plans their graphs for a
// network of blocks blocks. Rows with the same SMILES are read once. A row that
// cannot be read is a *RowError; all of them are reported, joined. progress
// may be nil, see featurize.Featurizer.All.
func New(ctx context.Context, f *featurize.Featurizer, smiles []string, blocks int, progress func(done, total int)) (*Dataset, error) {
	first := map[string]int{} // of each SMILES, in distinct
	var distinct []string
	of := make([]int, len(smiles))
	for i, s := range smiles {
		n, ok := first[s]
		if !ok {
			n = len(distinct)
			first[s] = n
			distinct = append(distinct, s)
		}
		of[i] = n
	}
	results, err := f.All(ctx, distinct, 0, progress)
	if err != nil {
		return nil, err
	}
	d := &Dataset{lexicons: &f.Lexicons, row: make([]int32, len(smiles))}
	var bad []error
	cache := plan.NewCache(blocks)
	number := map[*plan.Plan]int32{} // equal graphs share a plan
	for i, n := range of {
		r := results[n]
		if r.Err != nil {
			bad = append(bad, &RowError{i, r.Err})
			continue
		}
		p := cache.Plan(r.Graph)
		g, ok := number[p]
		if !ok {
			g = int32(len(d.plans))
			number[p] = g
			d.graphs = append(d.graphs, r.Graph)
			d.plans = append(d.plans, p)
		}
		d.row[i] = g
	}
	if len(bad) > 0 {
		return nil, errors.Join(bad...)
	}
	return d, nil
}

// RowError says why a row cannot be read.
type RowError struct {
	Row int
	Err error
}

func (e *RowError) Error() string { return fmt.Sprintf("row %d: %v", e.Row, e.Err) }

// Unwrap returns the cause.
func (e *RowError) Unwrap() error { return e.Err }

// Rows is the number of rows.
func (d *Dataset) Rows() int { return len(d.row) }

// Distinct is the number of distinct graphs among them.
func (d *Dataset) Distinct() int { return len(d.graphs) }

// PlanBytes is the memory that the plans take.
func (d *Dataset) PlanBytes() int {
	n := 0
	for _, p := range d.plans {
		n += p.Bytes()
	}
	return n
}

// Fold is what one fold learns from, and what it takes to predict with it.
type Fold struct {
	Vocab           *featurize.Vocab
	Scaler          data.Scaler
	Train, Validate []nn.Example
}

// Sizes is what the fold adds to a network's configuration.
func (f *Fold) Sizes() nn.Sizes {
	return nn.Sizes{AtomClasses: f.Vocab.Atom.Classes(), BondClasses: f.Vocab.Bond.Classes(), Targets: len(f.Scaler.Center)}
}

// Fold fits a vocabulary and a scaler on the training rows of one fold of table,
// whose rows d was made from, and binds both sets of rows to them.
func (d *Dataset) Fold(table *data.Table, fold data.Fold) (*Fold, error) {
	if table.Rows() != d.Rows() {
		return nil, fmt.Errorf("a table of %d rows, the dataset was made from %d", table.Rows(), d.Rows())
	}
	for _, rows := range [][]int{fold.Train, fold.Validate} {
		for _, r := range rows {
			if r < 0 || r >= d.Rows() {
				return nil, fmt.Errorf("the fold names row %d of %d", r, d.Rows())
			}
		}
	}
	vocab, err := d.lexicons.Fit(d.each(fold.Train))
	if err != nil {
		return nil, fmt.Errorf("fitting the vocabulary: %w", err)
	}
	scaler, err := table.FitScaler(fold.Train)
	if err != nil {
		return nil, err
	}
	f := &Fold{Vocab: vocab, Scaler: scaler, Train: d.Bind(vocab, fold.Train), Validate: d.Bind(vocab, fold.Validate)}
	for _, examples := range [][]nn.Example{f.Train, f.Validate} {
		for i := range examples {
			scaled := scaler.Transform(table.Values(examples[i].Row))
			examples[i].Target = make([]float32, len(scaled))
			for t, y := range scaled {
				examples[i].Target[t] = float32(y)
			}
		}
	}
	return f, nil
}

func (d *Dataset) each(rows []int) iter.Seq[*featurize.Graph] {
	return func(yield func(*featurize.Graph) bool) {
		for _, r := range rows {
			if !yield(d.graphs[d.row[r]]) {
				return
			}
		}
	}
}

// Bind gives rows the tokens of a vocabulary, without targets. Rows with equal
// graphs share their tokens.
func (d *Dataset) Bind(v *featurize.Vocab, rows []int) []nn.Example {
	b := d.lexicons.Bind(v)
	type tokens struct{ atom, bond []int32 }
	known := map[int32]tokens{}
	out := make([]nn.Example, len(rows))
	for i, r := range rows {
		g := d.row[r]
		p := d.plans[g]
		t, ok := known[g]
		if !ok {
			t.atom, _ = b.Atom.Tokens(nil, p.AtomID)
			t.bond, _ = b.Bond.Tokens(nil, p.BondID)
			known[g] = t
		}
		out[i] = nn.Example{Plan: p, Atom: t.atom, Bond: t.bond, Row: r}
	}
	return out
}
