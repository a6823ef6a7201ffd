package datasets

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"

	"polyid-trainer/data"
	"polyid-trainer/featurize/structure"
	"polyid-trainer/jobs"
	"polyid-trainer/jobs/keys"
	"polyid-trainer/storage"
	"polyid-trainer/storage/record"
)

// OnDefect says what becomes of rows with defects when a table comes.
type OnDefect string

// The values of OnDefect. Empty refuses tables to train on and keeps libraries,
// whose bad rows have their error in the results.
const (
	Refuse OnDefect = "refuse"
	Drop   OnDefect = "drop"
	Keep   OnDefect = "keep"
)

// Report is what was found in a table when it came. Nothing of it was changed but
// by what the upload asked for.
type Report struct {
	Object   string        `json:"object" enum:"dataset_report"`
	Dataset  string        `json:"dataset"`
	OnDefect OnDefect      `json:"on_defect"`
	Rows     int           `json:"rows"`    // of the file
	Dropped  int           `json:"dropped"` // of them, as on_defect=drop asked
	Defects  []data.Defect `json:"defects"` // of rows, dropped or kept, by the row of the file
	Omitted  int           `json:"omitted"` // defects that are only counted
	Findings []Finding     `json:"findings"`
}

// Finding is something that a chemist should look at.
type Finding struct {
	Code    string   `json:"code"`
	Column  string   `json:"column,omitempty"`
	Rows    []int    `json:"rows"`  // of the file, the first of them
	Count   int      `json:"count"` // of all rows
	Detail  string   `json:"detail"`
	Actions []string `json:"actions"` // that make sense: drop, average, keep
}

// Codes of findings.
const (
	findDuplicates = "duplicate_polymers"
	findConflicts  = "conflicting_values"
	findOutliers   = "values_out_of_range"
	findUnits      = "values_in_other_units"
	findUnlikely   = "suspicious_target"
)

// mostRows is how many rows a finding lists.
const mostRows = 100

// examine looks through a table for findings.
func examine(t *data.Table, unlikely []data.Unlikely) []Finding {
	found := []Finding{}
	for _, u := range unlikely {
		found = append(found, Finding{Code: findUnlikely, Column: u.Column, Rows: []int{}, Actions: []string{"keep"},
			Detail: fmt.Sprintf("%s is not proposed as a property: it %s", u.Column, u.Reason)})
	}
	if t == nil {
		return found
	}
	if slices.ContainsFunc(t.Structures, func(s data.Structure) bool { return s.Notation() != "" }) {
		found = append(found, repeated(t)...)
	}
	for i := range t.Targets {
		found = append(found, outliers(t, i)...)
	}
	return found
}

// repeated finds polymers that stand in several rows, however they are written,
// with equal values or with others.
func repeated(t *data.Table) (found []Finding) {
	type conflict struct {
		rows   []int
		spread float64
	}
	conflicts := make([]conflict, len(t.Targets))
	spreads := make([]float64, len(t.Targets))
	for i := range t.Targets {
		values := column(t, i)
		if len(values) > 0 {
			spreads[i] = quantile(values, 0.75) - quantile(values, 0.25)
		}
	}
	var equal []int
	polymers := 0
	for _, rows := range t.PolymerGroups().Members() {
		if len(rows) < 2 {
			continue
		}
		differs := false
		for i := range t.Targets {
			low, high := math.Inf(1), math.Inf(-1)
			for _, r := range rows {
				if v := t.Values(r)[i]; !math.IsNaN(v) {
					low, high = min(low, v), max(high, v)
				}
			}
			if high > low && high-low > 0.1*spreads[i] {
				differs = true
				c := &conflicts[i]
				c.rows, c.spread = append(c.rows, rows...), max(c.spread, high-low)
			}
		}
		if !differs {
			polymers++
			equal = append(equal, rows...)
		}
	}
	if len(equal) > 0 {
		found = append(found, finding(t, findDuplicates, "", equal, []string{"drop", "average", "keep"},
			"%d polymers stand in %d rows, perhaps written differently, with nearly equal values; they are never divided among folds", polymers, len(equal)))
	}
	for i, c := range conflicts {
		if len(c.rows) > 0 {
			found = append(found, finding(t, findConflicts, t.Targets[i].Column, c.rows, []string{"average", "drop", "keep"},
				"rows of one polymer differ in %s, by up to %.4g %s", t.Targets[i].Name, c.spread, t.Targets[i].Units))
		}
	}
	return found
}

// outliers finds values far beyond what the others are, and such as would be
// among them in another unit.
func outliers(t *data.Table, target int) (found []Finding) {
	values := column(t, target)
	if len(values) < 8 {
		return nil
	}
	name := t.Targets[target]
	low, high := quantile(values, 0.25), quantile(values, 0.75)
	const far = 5 // interquartile ranges
	width := far * max(high-low, 1e-9*math.Abs(high))
	var out, other []int
	shift, from := otherUnit(name.Units)
	for row := range t.Rows() {
		v := t.Values(row)[target]
		switch {
		case math.IsNaN(v) || v >= low-width && v <= high+width && !impossible(name.Units, v):
		case shift != 0 && v+shift >= low-width && v+shift <= high+width && !sentinel(v):
			other = append(other, row)
		default:
			out = append(out, row)
		}
	}
	if len(out) > 0 {
		found = append(found, finding(t, findOutliers, name.Column, out, []string{"drop", "keep"},
			"%d values of %s are far from the others, half of which lie from %.4g to %.4g %s: a first one is %.6g",
			len(out), name.Name, low, high, name.Units, t.Values(out[0])[target]))
	}
	if len(other) > 0 {
		found = append(found, finding(t, findUnits, name.Column, other, []string{"drop", "keep"},
			"%d values of %s would be among the others in %s, not %s", len(other), name.Name, from, name.Units))
	}
	return append(found, wholeInOtherUnit(t, target, values)...)
}

// temperatures are properties in °C whose typical range is known, by their median
// in °C; in K they would all be 273 higher.
var temperatures = []string{"tg", "tm", "glass_transition", "melt_temp", "glasstransition", "melttemp"}

// wholeInOtherUnit finds a column in °C, or in no unit, that holds kelvin: nothing
// below freezing in 30 or more values, and a median that few polymers reach.
func wholeInOtherUnit(t *data.Table, target int, sorted []float64) []Finding {
	name := t.Targets[target]
	if !slices.Contains(temperatures, lower(name.Name)) {
		return nil
	}
	median, least := quantile(sorted, 0.5), sorted[0]
	rows := measured(t, target)
	switch {
	case name.Units != "K" && name.Units != "°F" && least > 130 && median > 250 && len(sorted) >= 8:
		return []Finding{finding(t, findUnits, name.Column, rows, []string{"keep"},
			"%s looks like kelvin: its least value is %.4g and its median %.4g; state units if they are", name.Name, least, median)}
	case name.Units == "K" && least < 0:
		return []Finding{finding(t, findUnits, name.Column, rows, []string{"keep"},
			"%s is said to be in K and has values below zero, the least %.4g: it may be in °C", name.Name, least)}
	}
	return nil
}

func lower(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}

// otherUnit is what leads from a unit that is often mistaken to the column's.
func otherUnit(units string) (shift float64, from string) {
	switch units {
	case "°C":
		return -273.15, "K"
	case "K":
		return 273.15, "°C"
	}
	return 0, ""
}

// impossible says that no value of a unit can be v: below absolute zero.
func impossible(units string, v float64) bool {
	return units == "°C" && v < -273.15 || units == "K" && v < 0
}

// sentinel says that v is a number people write for none.
func sentinel(v float64) bool {
	a := math.Abs(v)
	return a == 99 || a == 999 || a == 9999 || a == 99999 || a == 999999
}

// measured are the rows that have a value of a target.
func measured(t *data.Table, target int) (rows []int) {
	for row := range t.Rows() {
		if !math.IsNaN(t.Values(row)[target]) {
			rows = append(rows, row)
		}
	}
	return rows
}

// finding names rows of the table by those of the file.
func finding(t *data.Table, code, column string, rows []int, actions []string, format string, args ...any) Finding {
	f := Finding{Code: code, Column: column, Count: len(rows), Actions: actions, Detail: fmt.Sprintf(format, args...), Rows: []int{}}
	for _, r := range rows[:min(len(rows), mostRows)] {
		f.Rows = append(f.Rows, t.Origin[r].Row)
	}
	return f
}

// quantile interpolates between values in order.
func quantile(sorted []float64, q float64) float64 {
	at := q * float64(len(sorted)-1)
	i := int(at)
	if i+1 >= len(sorted) {
		return sorted[len(sorted)-1]
	}
	return sorted[i] + (at-float64(i))*(sorted[i+1]-sorted[i])
}

// Report is what was found in a dataset, by id or shipped name. One that came
// before there were reports is looked through anew.
func (l *Library) Report(ctx context.Context, id string) (*Report, error) {
	d, err := l.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	if !d.Shipped {
		e, _, err := record.Load[Report](ctx, l.bucket, keys.DatasetReport(id))
		if err == nil {
			return e.Record, nil
		}
		if !errors.Is(err, storage.ErrNotExist) {
			return nil, fmt.Errorf("report of %s: %w", id, err)
		}
	}
	o := l.options(&checker{limit: l.limits.HeavyAtoms})
	o.ForPrediction = true
	sheet, err := l.sheet(ctx, id, o)
	if err != nil {
		return nil, err
	}
	t, report, err := data.Parse(ctx, []*data.Sheet{sheet}, data.Columns{}, o)
	if err != nil {
		return nil, fmt.Errorf("report of %s: %w", id, err)
	}
	return newReport(id, Keep, t, report), nil
}

// Sheet is a dataset's rows as they were read, by id or shipped name.
func (l *Library) Sheet(ctx context.Context, id string) (*data.Sheet, error) {
	select {
	case l.reads <- struct{}{}:
		defer func() { <-l.reads }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	if _, err := l.Get(ctx, id); err != nil {
		return nil, err
	}
	return l.sheet(ctx, id, l.options(&checker{}))
}

// newReport is the report of a table that was read.
func newReport(id string, on OnDefect, t *data.Table, r *data.Report) *Report {
	out := &Report{Object: "dataset_report", Dataset: id, OnDefect: cmp.Or(on, Refuse), Rows: r.Rows, Defects: []data.Defect{}, Omitted: r.Omitted,
		Findings: examine(t, r.NotProposed)}
	dropped := make(map[int]bool)
	for _, d := range r.Dropped {
		dropped[d.Row] = true
	}
	out.Dropped = len(dropped)
	out.Defects = append(out.Defects, r.Dropped...)
	for _, d := range r.Defects {
		if d.Row > 0 {
			out.Defects = append(out.Defects, d)
		}
	}
	return out
}

// polymersIn says that a row of a table is a polymer that can be read.
func polymersIn(t *data.Table, r *data.Report) bool {
	bad := make(map[int]bool)
	for _, d := range r.Defects {
		switch d.Code {
		case data.BadSMILES, data.BadMonomers, data.MissingStructure, data.MissingMechanism, data.UnknownMechanism, data.RaggedRow, data.BadSyntax:
			bad[d.Row] = true
		}
	}
	for i := range t.Structures {
		if t.Structures[i].Notation() != "" && !bad[t.Origin[i].Row] {
			return true
		}
	}
	return false
}

// structured says that some column of a sheet, though none is called so, holds
// structures that a job can name: at least half of a sample can be read.
func structured(s *data.Sheet) bool {
	stride := max(1, len(s.Rows)/64)
	filled, read := map[int]int{}, map[int]int{}
	for i := 0; i < len(s.Rows); i += stride {
		for c, cell := range s.Rows[i].AppendCells(nil) {
			if cell == "" {
				continue
			}
			filled[c]++
			if structure.Molecule(cell) {
				read[c]++
			}
		}
	}
	for _, c := range slices.Collect(maps.Keys(read)) {
		if 2*read[c] >= filled[c] {
			return true
		}
	}
	return false
}

// invalid refuses a table with one sentence.
func invalid(format string, args ...any) error {
	detail := fmt.Sprintf(format, args...)
	return &jobs.Error{Code: jobs.Invalid, Detail: detail, Problems: []jobs.Problem{{Detail: detail}}}
}
