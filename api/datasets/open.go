package datasets

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/agnivade/levenshtein"

	"polyid-trainer/data"
	"polyid-trainer/jobs"
	"polyid-trainer/jobs/keys"
	"polyid-trainer/storage"
)

// Table is one or several datasets joined and read as a job asks. It is shared:
// nothing in it may be changed.
type Table struct {
	*data.Table
	Warnings []data.Warning
	License  string // of the shipped ones among them, "" if there is none

	once sync.Once
	csv  []byte
	err  error
}

// CSV is the table as data.Table.WriteCSV writes it, for a job's own copy. It is
// written once for all jobs, as the table is read once.
func (t *Table) CSV() ([]byte, error) {
	t.once.Do(func() {
		var b bytes.Buffer
		t.err = t.WriteCSV(&b)
		t.csv = b.Bytes()
	})
	return t.csv, t.err
}

// Use says what a job wants of a table.
type Use struct {
	MinValues int  // that a target needs; 0 is 10
	Holdout   bool // to judge by alone: of the targets one will do

	Keep []string `json:",omitempty"` // columns whose cells a split looks at
}

// Open reads the datasets of a job as one table, with the columns it asks for.
// What is wrong is jobs.Invalid with every problem, by pointer into the job. An
// opened table is kept, so that the next job like it costs a read of what
// describes it.
func (l *Library) Open(ctx context.Context, names data.Names, c data.Columns, u Use) (*Table, error) {
	sources, err := l.find(ctx, names)
	if err != nil {
		return nil, err
	}
	key, err := json.Marshal(struct {
		Sources []source
		Columns data.Columns
		Use     Use
	}{sources, c, u})
	if err != nil {
		return nil, fmt.Errorf("open datasets: %w", err)
	}
	return l.tables.table(ctx, string(key), func(ctx context.Context) (*Table, error) {
		return l.parse(ctx, sources, c, u)
	})
}

// source is a dataset that a job names.
type source struct{ ID, Hash string }

// find looks up all names.
func (l *Library) find(ctx context.Context, names data.Names) ([]source, error) {
	var sources []source
	var problems []jobs.Problem
	for i, name := range names {
		at := "/dataset"
		if len(names) > 1 {
			at = fmt.Sprintf("/dataset/%d", i)
		}
		if slices.ContainsFunc(sources, func(s source) bool { return s.ID == name }) {
			problems = append(problems, jobs.Problem{Pointer: at, Detail: fmt.Sprintf("%q is named twice", name)})
			continue
		}
		d, err := l.Get(ctx, name)
		if jobs.ErrorCode(err) == jobs.NotFound {
			problems = append(problems, jobs.Problem{Pointer: at, Detail: err.Error() + likeShipped(name)})
			continue
		}
		if err != nil {
			return nil, err
		}
		sources = append(sources, source{d.ID, d.Hash})
	}
	if len(problems) > 0 {
		return nil, &jobs.Error{Code: jobs.Invalid, Detail: "the dataset cannot be opened", Problems: problems}
	}
	return sources, nil
}

// likeShipped suggests a shipped dataset.
func likeShipped(name string) string {
	best, least := "", len(name)/2+1
	for _, d := range data.AllShipped() {
		if n := levenshtein.ComputeDistance(name[:min(len(name), 100)], d.Name); n < least {
			best, least = d.Name, n
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf("; is it %s?", best)
}

func (l *Library) parse(ctx context.Context, sources []source, c data.Columns, u Use) (*Table, error) {
	select {
	case l.reads <- struct{}{}:
		defer func() { <-l.reads }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	t := &Table{}
	check := &checker{limit: l.limits.HeavyAtoms}
	o := l.options(check)
	o.MinValues, o.ForPrediction, o.Keep = u.MinValues, u.Holdout, u.Keep
	var sheets []*data.Sheet
	for _, s := range sources {
		sheet, err := l.sheet(ctx, s.ID, o)
		if err != nil {
			return nil, err
		}
		sheets = append(sheets, sheet)
		if d, ok := data.Shipped(s.ID); ok {
			t.License = d.License
		}
	}
	table, report, err := data.Parse(ctx, sheets, c, o)
	var defects *data.DefectsError
	if err != nil && !errors.As(err, &defects) {
		return nil, fmt.Errorf("open datasets: %w", err)
	}
	if table != nil {
		report.Defects = append(report.Defects, check.oversize(table)...)
	}
	if u.Holdout && table != nil && !slices.ContainsFunc(table.N, func(n int32) bool { return n > 0 }) {
		report.Defects = append(report.Defects, data.Defect{Code: data.NoRows, Reason: "no row has a value of any of the job's targets"})
	}
	if len(report.Defects) > 0 {
		return nil, &jobs.Error{Code: jobs.Invalid, Detail: "the dataset cannot be trained on as asked", Problems: jobProblems(report, c)}
	}
	t.Table, t.Warnings = table, report.Warnings
	return t, nil
}

// sheet reads a dataset's cells.
func (l *Library) sheet(ctx context.Context, id string, o data.Options) (*data.Sheet, error) {
	if s, ok := data.Shipped(id); ok {
		return s.Sheet(), nil
	}
	object, err := l.bucket.Get(ctx, keys.DatasetTable(id))
	if errors.Is(err, storage.ErrNotExist) {
		return nil, noDataset(id)
	}
	if err != nil {
		return nil, fmt.Errorf("dataset %s: %w", id, err)
	}
	defer object.Close()
	o.MaxBytes *= 2 // quoted anew, it may have grown
	sheet, err := data.ReadSheet(object, id, o)
	if err != nil {
		return nil, fmt.Errorf("dataset %s: %w", id, err)
	}
	return sheet, nil
}

// jobProblems points at the part of a job that each defect is about.
func jobProblems(r *data.Report, c data.Columns) []jobs.Problem {
	var ps []jobs.Problem
	for _, d := range r.Defects {
		p := jobs.Problem{Pointer: "/dataset", Detail: d.String()}
		switch d.Code {
		case data.UnknownColumn, data.TooFewValues, data.NotATarget, data.NoTargets:
			p.Pointer = "/prediction_columns"
			if i := slices.Index(c.Targets, d.Column); i >= 0 {
				p.Pointer = fmt.Sprintf("/prediction_columns/%d", i)
			} else if i := slices.Index(c.Conditions, d.Column); i >= 0 {
				p.Pointer = fmt.Sprintf("/conditions/%d", i)
			} else if d.Column != "" && d.Column == c.Weights {
				p.Pointer = "/weights"
			} else if d.Code == data.UnknownColumn {
				p.Pointer = "/columns"
			}
		case data.NoStructure:
			p.Pointer = "/columns"
		case data.MixedUnits:
			p.Pointer = "/units"
		}
		ps = append(ps, p)
	}
	if r.Omitted > 0 {
		ps = append(ps, jobs.Problem{Pointer: "/dataset", Detail: fmt.Sprintf("and %d more defects", r.Omitted)})
	}
	return ps
}
