package datasets

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"polyid-trainer/data"
	"polyid-trainer/jobs"
	"polyid-trainer/jobs/access"
)

// Add stores a file: CSV, gzipped CSV or .xlsx. Rows with defects that no choice
// of columns can mend are dropped or kept if on says so; otherwise the file is
// refused, with all of them, as jobs.Invalid. What is larger than the limits is
// jobs.TooLarge. Of a file no row of which is a polymer nothing is stored. Cost:
// that of reading every distinct SMILES.
func (l *Library) Add(ctx context.Context, r io.Reader, name string, on OnDefect) (*Dataset, error) {
	select {
	case l.reads <- struct{}{}:
		defer func() { <-l.reads }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	name = strings.TrimSpace(name)
	if name == "" {
		name = "dataset"
	}
	if len(name) > maxName || strings.ContainsFunc(name, func(r rune) bool { return r < ' ' }) {
		return nil, &jobs.Error{Code: jobs.Invalid, Detail: "the dataset's name cannot be",
			Problems: []jobs.Problem{{Pointer: "query.name", Detail: fmt.Sprintf("is longer than %d bytes, or has control characters", maxName)}}}
	}
	sheet, err := data.ReadSheet(r, "", l.options(&checker{}))
	if err != nil {
		return nil, readError(err)
	}
	a := &addition{Library: l, sheet: sheet, on: on, check: &checker{limit: l.limits.HeavyAtoms}}
	if err := a.read(ctx); err != nil {
		return nil, err
	}
	if err := a.judge(); err != nil {
		return nil, err
	}
	now := l.now().UTC()
	d := &Dataset{ID: jobs.NewID(jobs.DatasetPrefix), Owner: access.Name(ctx), Name: name, Hash: sheet.Hash(), CreatedAt: &now}
	found := newReport(d.ID, a.on, a.table, a.report)
	if a.report.Rows -= found.Dropped; found.Dropped > 0 {
		a.report.Warnings = append(a.report.Warnings, data.Warning{Code: "rows_dropped",
			Detail: fmt.Sprintf("%d of %d rows of the file have defects and were dropped, as on_defect=drop asked; the report lists them", found.Dropped, found.Rows)})
	}
	a.report.Warnings = append(a.report.Warnings, a.check.warnings()...)
	d.describe(sheet, a.table, a.report)
	return l.store(ctx, d, sheet, found)
}

// addition is a table on its way into the library.
type addition struct {
	*Library
	sheet  *data.Sheet
	on     OnDefect
	check  *checker
	table  *data.Table
	report *data.Report
}

// read reads the sheet as a table, as far as it is one, and drops rows if asked.
func (a *addition) read(ctx context.Context) error {
	o := a.options(a.check)
	o.DropBadRows = a.on == Drop
	if err := a.parse(ctx, o, true); err != nil {
		return err
	}
	if a.on == "" && slices.ContainsFunc(a.report.Defects, func(d data.Defect) bool { return d.Code == data.NoTargets }) {
		a.on = Keep // a library
	}
	if a.table == nil && (a.on == Keep || !slices.ContainsFunc(a.report.Defects, hopeless)) {
		// It can be described all the same, as far as it goes.
		o.ForPrediction, o.DropBadRows = true, false
		if err := a.parse(ctx, o, false); err != nil {
			return err
		}
	}
	if a.table != nil {
		large := a.check.oversize(a.table)
		if a.on == Drop {
			a.report.Dropped = append(a.report.Dropped, large...)
		} else {
			a.report.Defects = append(a.report.Defects, large...)
		}
	}
	if a.on == Drop && len(a.report.Dropped) > 0 {
		return a.drop(ctx)
	}
	return nil
}

// parse reads the sheet; the report is kept if it is the one that counts.
func (a *addition) parse(ctx context.Context, o data.Options, counts bool) error {
	table, report, err := data.Parse(ctx, []*data.Sheet{a.sheet}, data.Columns{}, o)
	var defects *data.DefectsError
	if err != nil && !errors.As(err, &defects) {
		return fmt.Errorf("read dataset: %w", err)
	}
	if a.table = table; counts {
		a.report = report
	}
	return nil
}

// drop leaves out the rows that have defects, and reads the rest.
func (a *addition) drop(ctx context.Context) error {
	bad := make(map[int]bool)
	for _, d := range a.report.Dropped {
		bad[d.Row] = true
	}
	if a.report.Omitted > 0 {
		return &jobs.Error{Code: jobs.Invalid, Detail: "too many rows of the dataset have defects to drop them", Problems: problemsOf(&data.Report{Defects: a.report.Dropped, Omitted: a.report.Omitted}, hopeless)}
	}
	a.sheet.Rows = slices.DeleteFunc(a.sheet.Rows, func(l data.Line) bool { return bad[l.Row] })
	if len(a.sheet.Rows) == 0 {
		return &jobs.Error{Code: jobs.Invalid, Detail: "every row of the dataset has a defect", Problems: problemsOf(&data.Report{Defects: a.report.Dropped}, hopeless)}
	}
	dropped, rows := a.report.Dropped, a.report.Rows
	o := a.options(a.check)
	if err := a.parse(ctx, o, true); err != nil {
		return err
	}
	a.report.Dropped, a.report.Rows = dropped, rows
	if a.table == nil {
		o.ForPrediction = true
		return a.parse(ctx, o, false)
	}
	return nil
}

// judge refuses what is not to be stored.
func (a *addition) judge() error {
	if a.report.Rows == 0 && !slices.ContainsFunc(a.report.Defects, hopeless) {
		a.report.Defects = append(a.report.Defects, data.Defect{Code: data.NoRows, Reason: "there is no row below the header"})
	}
	refused := hopeless
	if a.on == Keep {
		refused = func(d data.Defect) bool { return hopeless(d) && d.Row == 0 }
	}
	if problems := problemsOf(a.report, refused); slices.ContainsFunc(a.report.Defects, refused) {
		return &jobs.Error{Code: jobs.Invalid, Detail: "the dataset has defects", Problems: problems}
	}
	switch {
	case slices.ContainsFunc(a.report.Defects, func(d data.Defect) bool { return d.Code == data.NoStructure }):
		if !structured(a.sheet) {
			return invalid("no row of the table is a polymer: no column holds SMILES of chains, repeat units or monomers")
		}
	case a.table != nil && !polymersIn(a.table, a.report):
		return invalid("no row of the table is a polymer that can be read")
	}
	return nil
}

// hopeless reports whether a defect stays whatever columns a job chooses.
func hopeless(d data.Defect) bool {
	switch d.Code {
	case data.NoStructure, data.NoTargets, data.NotATarget, data.TooFewValues, data.MixedUnits:
		return false
	}
	return true
}
