package predict

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"

	"polyid-trainer/data"
	"polyid-trainer/featurize/structure"
	"polyid-trainer/jobs"
	"polyid-trainer/nn/checkpoint"
	"polyid-trainer/nn/ensemble"
	"polyid-trainer/nn/revision"
	"polyid-trainer/nn/train"
)

// MaxCSV is how many bytes a CSV of inputs may have.
const MaxCSV = 50 << 20

// table is a CSV of inputs.
type table struct {
	sheet   *data.Sheet
	parsed  *data.Table
	groups  data.Groups
	defects map[int]data.Defect // the first of each row, by index
	kept    []int               // columns of the sheet that are no earlier answer's
}

// readTable reads a CSV of inputs for a model. A row's defects are its result; a
// file that has none that could be predicted is an error with code Invalid or
// TooLarge.
func readTable(ctx context.Context, m *Model, r io.Reader) (*table, error) {
	o := data.Options{MaxBytes: MaxCSV, ForPrediction: true, Mechanisms: structure.Mechanisms(), Recognize: structure.Recognize, Identify: structure.Identity}
	sheet, err := data.ReadSheet(r, "inputs", o)
	switch {
	case errors.Is(err, data.ErrTooLarge):
		return nil, &jobs.Error{Code: jobs.TooLarge, Detail: err.Error(), Err: err}
	case errors.Is(err, data.ErrFormat):
		return nil, &jobs.Error{Code: jobs.Invalid, Detail: err.Error(), Err: err}
	case err != nil:
		return nil, fmt.Errorf("read inputs: %w", err)
	}
	t, err := newTable(ctx, m, sheet, data.Columns{}, o)
	if err != nil {
		return nil, err
	}
	t.groups = t.parsed.PolymerGroups()
	return t, nil
}

// newTable makes a table of a sheet. roles, where stated, go before those that the
// model remembers of its own table.
func newTable(ctx context.Context, m *Model, sheet *data.Sheet, stated data.Columns, o data.Options) (*table, error) {
	columns := m.Config.Columns.Within(sheet)
	if stated.Roles != (data.Roles{}) {
		columns.Roles = stated.Roles
	}
	for _, t := range m.Config.Targets {
		columns.Targets = append(columns.Targets, t.Name)
	}
	parsed, report, err := data.Parse(ctx, []*data.Sheet{sheet}, columns, o)
	if err != nil {
		return nil, fmt.Errorf("read inputs: %w", err)
	}
	t := &table{sheet: sheet, parsed: parsed, defects: map[int]data.Defect{}}
	answered := m.answerColumns()
	for i, h := range sheet.Header {
		if !slices.Contains(answered, h) {
			t.kept = append(t.kept, i)
		}
	}
	index := make(map[int]int, len(sheet.Rows))
	for i, line := range sheet.Rows {
		index[line.Row] = i
	}
	var problems []jobs.Problem
	for _, d := range report.Defects {
		if i, ok := index[d.Row]; d.Row > 0 && ok {
			if _, have := t.defects[i]; !have && blocks(d.Code) {
				t.defects[i] = d
			}
			continue
		}
		problems = append(problems, jobs.Problem{Pointer: "", Detail: d.String()})
	}
	if problems != nil || len(sheet.Rows) == 0 || parsed.Rows() != len(sheet.Rows) {
		return nil, &jobs.Error{Code: jobs.Invalid, Detail: "the file has no polymers to predict", Problems: problems}
	}
	return t, nil
}

// blocks reports whether a row with such a defect cannot be predicted. What is
// wrong with a measured value does not matter.
func blocks(c data.Code) bool {
	return !slices.Contains([]data.Code{data.BadNumber, data.Bound, data.DuplicateRow}, c)
}

// polymer gives the polymers of the rows.
func (t *table) polymer(m *Model) func(int) polymer {
	g := grower(&m.Config)
	if slices.ContainsFunc(t.parsed.Structures, func(s data.Structure) bool { return s.Replicate > 0 }) {
		g.Replicates = 1 // each row is one replicate
	}
	return func(i int) polymer {
		p := polymer{structure: t.parsed.Structures[i], grower: g}
		for _, v := range t.parsed.ConditionsOf(i) {
			p.conditions = append(p.conditions, float32(v))
		}
		switch defect, bad := t.defects[i]; {
		case bad:
			p.err = &structure.Error{Code: string(defect.Code), Detail: defect.Reason, Monomer: -1, Pos: defect.Position}
		case p.structure.DP > structure.MaxDP:
			p.err = &structure.Error{Code: "out_of_range", Detail: fmt.Sprintf("a DP of %d is not between 1 and %d", p.structure.DP, structure.MaxDP), Monomer: -1}
		}
		return p
	}
}

// header is that of the sheet, without the columns of an earlier answer: they are
// replaced.
func (t *table) header() []string {
	names := make([]string, len(t.kept))
	for i, c := range t.kept {
		names[i] = t.sheet.Header[c]
	}
	return names
}

// cells are a row's, as many as the header has.
func (t *table) cells(i int) []string {
	all := t.sheet.Rows[i].AppendCells(nil)
	cells := make([]string, len(t.kept))
	for k, c := range t.kept {
		if c < len(all) {
			cells[k] = all[c]
		}
	}
	return cells
}

// scored is a result beside what the row has measured; ok is false if there is
// nothing to compare.
func (t *table) scored(m *Model, i int, r Result) (p revision.Prediction, ok bool) {
	if r.Error != nil || !t.parsed.Measured(i) {
		return p, false
	}
	measured := slices.Clone(t.parsed.Values(i))
	var predicted, std []float64
	var intervals []*ensemble.Interval
	for j, target := range m.Config.Targets {
		// Kelvin are not compared with degrees.
		if u := t.parsed.Targets[j].Units; u != "" && target.Units != "" && u != target.Units {
			measured[j] = math.NaN()
		}
		v := r.Predictions[target.Name]
		predicted, std = append(predicted, float64(v.Mean)), append(std, float64(v.Std))
		var interval *ensemble.Interval
		if v.Interval != nil {
			interval = &ensemble.Interval{Low: v.Interval[0], High: v.Interval[1]}
		}
		intervals = append(intervals, interval)
	}
	return revision.Prediction{Row: i, Fold: revision.Holdout, Group: t.groups[i], Measured: measured, Predicted: predicted, Std: std, Interval: intervals}, true
}

// header and cells of a JSON request, for its CSV.
func (q *Request) header() []string { return append(slices.Clone(inputColumns), q.conditions()...) }

var inputColumns = []string{"smiles_polymer", "smiles_repeat_unit", "monomers", "mechanism", "pm", "distribution", "DP"}

func (q *Request) cells(i int) []string {
	p := q.Inputs[i].polymer(&revision.Config{})
	cells := make([]string, len(inputColumns))
	for c, name := range inputColumns {
		cells[c], _ = p.structure.Field(name)
	}
	for _, name := range q.conditions() {
		cell := ""
		if v := q.Inputs[i].Conditions[name]; v != nil {
			cell = strconv.FormatFloat(*v, 'g', -1, 64)
		}
		cells = append(cells, cell)
	}
	return cells
}

// csvWriter writes results behind the columns of their inputs.
type csvWriter struct {
	*csv.Writer
	targets []checkpoint.Target
}

func newCSVWriter(w io.Writer, header []string, m *Model) (*csvWriter, error) {
	c := &csvWriter{csv.NewWriter(w), m.Config.Targets}
	return c, c.Write(append(slices.Clone(header), m.answerColumns()...))
}

// answerColumns are the columns of an answer behind those of its inputs.
func (m *Model) answerColumns() []string {
	var line []string
	percent := m.percent()
	for _, t := range m.Config.Targets {
		line = append(line, t.Name+"_pred_mean", t.Name+"_pred_std", t.Name+"_pred_lo"+percent, t.Name+"_pred_hi"+percent)
	}
	return append(line, "fps_notin_train", "error")
}

// write writes one result. What there is none of is blank.
func (c *csvWriter) write(cells []string, r Result) error {
	for _, t := range c.targets {
		p, ok := r.Predictions[t.Name]
		if !ok {
			cells = append(cells, "", "", "", "")
			continue
		}
		cells = append(cells, number(p.Mean), number(p.Std))
		if i := p.Interval; i != nil {
			cells = append(cells, number(train.Measure(i[0])), number(train.Measure(i[1])))
		} else {
			cells = append(cells, "", "")
		}
	}
	unseen, problem := "", ""
	if r.Domain != nil {
		unseen = strconv.Itoa(r.Domain.Unseen)
	}
	if e := r.Error; e != nil {
		problem = e.Code + ": " + e.Detail
	}
	return c.Write(append(cells, unseen, problem))
}

// finish writes what is buffered.
func (c *csvWriter) finish() error {
	c.Flush()
	return c.Error()
}

// number writes x so that it reads back as itself, and NaN as a blank.
func number(x train.Measure) string {
	if math.IsNaN(float64(x)) {
		return ""
	}
	return strconv.FormatFloat(float64(x), 'g', -1, 64)
}
