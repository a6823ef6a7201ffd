package screenings

import (
	"math"
	"strconv"

	"polyid-trainer/data"
	"polyid-trainer/jobs/expression"
)

// Prediction is what a model says of one row.
type Prediction struct {
	// Values are mean, std, lo90 and hi90 of each target, NaN where there is none.
	Values     []float64
	Unseen     int     // Morgan environments that no training polymer has
	InDomain   bool    //
	Judged     bool    // whether the model knows its domain: if not, the two above say nothing
	Similarity float64 // to the nearest training polymer; NaN is unknown
	Error      string  // why there is no prediction; "" if there is
}

// Row is a row of results.
type Row struct {
	Cells []string
	Key   Key       // by which it is ordered
	Front []float64 // what the front is of
}

// Key is what rows are ordered by.
type Key struct {
	Number float64
	Text   string
}

// Compare orders two keys, least first; what is missing comes last.
func (k Key) Compare(o Key) int {
	switch a, b := math.IsNaN(k.Number), math.IsNaN(o.Number); {
	case a && b:
		return 0
	case a:
		return 1
	case b:
		return -1
	case k.Number < o.Number:
		return -1
	case k.Number > o.Number:
		return 1
	case k.Text < o.Text:
		return -1
	case k.Text > o.Text:
		return 1
	}
	return 0
}

// Evaluator makes results of predictions. It is used by one goroutine at a time.
type Evaluator struct {
	*Columns
	row    *expression.Row
	inputs []string
}

// NewEvaluator makes one.
func (c *Columns) NewEvaluator() *Evaluator {
	return &Evaluator{Columns: c, row: c.Schema.NewRow()}
}

// Result makes the result of a row; keep is false if where does not hold of it. A
// row that could not be predicted is kept where nothing is asked of rows, with its
// error.
func (e *Evaluator) Result(line data.Line, p *Prediction) (r Row, keep bool) {
	e.inputs = line.AppendCells(e.inputs[:0])
	if len(e.inputs) > e.Columns.inputs {
		e.inputs = e.inputs[:e.Columns.inputs]
	}
	for len(e.inputs) < e.Columns.inputs {
		e.inputs = append(e.inputs, "")
	}
	r.Cells = append(make([]string, 0, len(e.Names)), e.inputs...)
	if p.Error != "" {
		for range len(e.Names) - e.Columns.inputs - 1 {
			r.Cells = append(r.Cells, "")
		}
		r.Cells = append(r.Cells, p.Error)
		if e.OrderBy != nil {
			r.Key.Number = math.NaN()
		}
		return r, e.Where == nil && len(e.Pareto) == 0
	}
	e.set(p)
	at := e.Columns.inputs + Fields*e.targets + 3
	computed := make([]any, len(e.Computed))
	for i, c := range e.Computed {
		computed[i] = c.Value(e.row)
		e.row.Set(at+i, computed[i])
	}
	if e.Where != nil && !e.Where.True(e.row) {
		return r, false
	}
	for _, v := range p.Values {
		r.Cells = append(r.Cells, number(v))
	}
	unseen, domain := "", ""
	if p.Judged {
		unseen, domain = strconv.Itoa(p.Unseen), strconv.FormatBool(p.InDomain)
	}
	r.Cells = append(r.Cells, unseen, domain, number(p.Similarity))
	for _, v := range computed {
		r.Cells = append(r.Cells, cell(v))
	}
	r.Cells = append(r.Cells, "")
	if e.OrderBy != nil {
		r.Key = key(e.OrderBy.Value(e.row))
	}
	for _, x := range e.Pareto {
		r.Front = append(r.Front, x.Number(e.row))
	}
	return r, true
}

// set gives the row of the expressions its values.
func (e *Evaluator) set(p *Prediction) {
	for i, text := range e.inputs {
		if e.Kinds[i] == expression.Text {
			e.row.Set(i, text)
			continue
		}
		v, ok := data.Number(text)
		if !ok {
			v = math.NaN()
		}
		e.row.Set(i, v)
	}
	at := e.Columns.inputs
	for i, v := range p.Values {
		e.row.Set(at+i, v)
	}
	at += len(p.Values)
	unseen := math.NaN()
	if p.Judged {
		unseen = float64(p.Unseen)
	}
	e.row.Set(at, unseen)
	e.row.Set(at+1, p.Judged && p.InDomain)
	e.row.Set(at+2, p.Similarity)
}

func key(v any) Key {
	switch v := v.(type) {
	case float64:
		return Key{Number: v}
	case string:
		return Key{Text: v}
	}
	return Key{Number: math.NaN()}
}

func cell(v any) string {
	switch v := v.(type) {
	case float64:
		return number(v)
	case bool:
		return strconv.FormatBool(v)
	case string:
		return v
	}
	return ""
}

// number writes x so that it reads back as itself, and what is no number as a
// blank.
func number(x float64) string {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return ""
	}
	return strconv.FormatFloat(x, 'g', -1, 64)
}
