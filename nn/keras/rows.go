package keras

import (
	"errors"
	"fmt"
	"slices"

	"polyid-trainer/data"
	"polyid-trainer/nn/checkpoint"
	"polyid-trainer/nn/keras/internal/pickle"
	"polyid-trainer/nn/train"
)

// Rows is what models were trained on and how that went, which PolyID keeps in
// its files if told to save_training: the table as df_input, each fold's part of
// it as df_train and df_validate, the latter with the fold's predictions and
// their errors as df_validate_results, and the epochs as df_loss_log. Their
// index counts the table's rows from 0.
type Rows struct {
	Table     *data.Table
	Chains    []Chain         // of each row as trained; nil takes the table's
	Folds     []data.Fold     // of each model
	Predicted [][]float64     // by each model for its validation rows, [rows × targets], in the targets' units
	History   [][]train.Epoch // of each model
}

// Chain is what a row's polymer was to the models.
type Chain struct {
	SMILES string
	DP     int  // monomers or repeat units in it; 0 takes the table's
	Ring   bool // of DP repeat units, without ends
}

// check reports what does not belong together.
func (r *Rows) check(models []*checkpoint.Model) error {
	var errs []error
	wrong := func(format string, a ...any) { errs = append(errs, fmt.Errorf("rows: "+format, a...)) }
	targets := targetNames(models[0].Targets)
	if len(r.Table.Targets) != len(targets) {
		wrong("the table has %d targets, the models predict %d", len(r.Table.Targets), len(targets))
	} else {
		for i, t := range r.Table.Targets {
			if t.Name != targets[i] {
				wrong("target %d is %q in the table, the models predict %q", i, t.Name, targets[i])
			}
		}
	}
	n := r.Table.Rows()
	if r.Chains != nil && len(r.Chains) != n {
		wrong("%d chains for %d rows", len(r.Chains), n)
	}
	if k := len(models); len(r.Folds) != k || len(r.Predicted) != k || len(r.History) != k {
		wrong("%d folds, predictions of %d and histories of %d for %d models", len(r.Folds), len(r.Predicted), len(r.History), k)
		return errors.Join(errs...)
	}
	for i, f := range r.Folds {
		if got := len(r.Predicted[i]); got != len(f.Validate)*len(targets) {
			wrong("fold %d has %d predictions for %d rows of %d targets", i, got, len(f.Validate), len(targets))
		}
		for _, rows := range [][]int{f.Train, f.Validate} {
			for _, row := range rows {
				if row < 0 || row >= n {
					wrong("fold %d names row %d of %d", i, row, n)
				}
			}
		}
	}
	return errors.Join(errs...)
}

// frame is a table of some rows as pandas makes it of lists: every column, and
// the index. What is missing is None or NaN.
type frame struct {
	columns *pickle.Dict
	index   *pickle.List
}

func newFrame(rows []int) *frame { return &frame{&pickle.Dict{}, integers(rows)} }

func (f *frame) add(name string, values *pickle.List) {
	f.columns.Entries = append(f.columns.Entries, pickle.Entry{Key: name, Value: values})
}

// object is the frame as a value of a pickle.
func (f *frame) object() *pickle.Object { return made(makeTable, f.columns, f.index) }

func integers(values []int) *pickle.List {
	l := &pickle.List{Items: make([]any, len(values))}
	for i, v := range values {
		l.Items[i] = int64(v)
	}
	return l
}

// input is df_input.
func (r *Rows) input() *pickle.Object {
	all := make([]int, r.Table.Rows())
	for i := range all {
		all[i] = i
	}
	return r.frame(all).object()
}

// fold is what a fold's data file holds of the training.
func (r *Rows) fold(i int) []pickle.Entry {
	validate := r.Folds[i].Validate
	results := r.frame(validate)
	k := len(r.Table.Targets)
	for t, target := range r.Table.Targets {
		predicted, wrong := make([]float64, len(validate)), make([]float64, len(validate))
		for n, row := range validate {
			predicted[n] = r.Predicted[i][n*k+t]
			wrong[n] = r.Table.Values(row)[t] - predicted[n]
		}
		results.add(target.Name+"_pred", list(predicted))
		results.add(target.Name+"_err", list(wrong))
	}
	return []pickle.Entry{
		{Key: "df_train", Value: r.frame(r.Folds[i].Train).object()},
		{Key: "df_test", Value: nil},
		{Key: "df_validate", Value: r.frame(validate).object()},
		{Key: "df_validate_results", Value: results.object()},
		{Key: "df_loss_log", Value: lossLog(r.History[i])},
	}
}

// frame is some rows of the table: the columns that PolyID splits and groups by,
// whatever else any row of the table fills, the targets and their units.
func (r *Rows) frame(rows []int) *frame {
	f := newFrame(rows)
	column := func(name string, of func(row int) any) {
		l := &pickle.List{Items: make([]any, len(rows))}
		for i, row := range rows {
			l.Items[i] = of(row)
		}
		f.add(name, l)
	}
	s := r.Table.Structures
	column("smiles_polymer", func(row int) any {
		if r.Chains != nil {
			return text(r.Chains[row].SMILES)
		}
		return text(s[row].Polymer)
	})
	for _, name := range []string{"smiles_monomer", "mechanism", "distribution"} {
		column(name, r.field(name))
	}
	for _, name := range []string{"smiles_repeat_unit", "monomers"} {
		if r.filled(r.field(name)) {
			column(name, r.field(name))
		}
	}
	column("pm", func(row int) any { return s[row].PM })
	column("replicate_structure", func(row int) any { return int64(s[row].Replicate) })
	if r.filled(r.dp) {
		column("DP", r.dp)
	}
	if slices.ContainsFunc(r.Chains, func(c Chain) bool { return c.Ring }) {
		column("periodic", func(row int) any { return r.Chains[row].Ring })
	}
	for t, target := range r.Table.Targets {
		column(target.Name, func(row int) any { return r.Table.Values(row)[t] })
		if target.Units != "" {
			column(target.Name+"_units", func(int) any { return target.Units })
		}
	}
	return f
}

// dp is a row's degree of polymerization, or None.
func (r *Rows) dp(row int) any {
	n := r.Table.Structures[row].DP
	if r.Chains != nil && r.Chains[row].DP != 0 {
		n = r.Chains[row].DP
	}
	if n == 0 {
		return nil
	}
	return int64(n)
}

// text is a text, or None.
func text(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func (r *Rows) field(name string) func(row int) any {
	return func(row int) any {
		v, _ := r.Table.Structures[row].Field(name)
		return text(v)
	}
}

// filled reports whether any row of the table has a value.
func (r *Rows) filled(column func(row int) any) bool {
	for row := range r.Table.Structures {
		if column(row) != nil {
			return true
		}
	}
	return false
}

// lossLog is df_loss_log, whose epochs count from 0 as Keras' do.
func lossLog(history []train.Epoch) *pickle.Object {
	n := len(history)
	epochs, losses, valLosses := make([]int, n), make([]float64, n), make([]float64, n)
	rows := make([]int, n)
	for i, e := range history {
		rows[i], epochs[i] = i, e.Epoch-1
		losses[i], valLosses[i] = float64(e.Loss), float64(e.ValLoss)
	}
	f := newFrame(rows)
	f.add("epoch", integers(epochs))
	f.add("loss", list(losses))
	f.add("val_loss", list(valLosses))
	return f.object()
}
