package screenings

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"polyid-trainer/data"
	"polyid-trainer/data/library"
	"polyid-trainer/jobs"
	"polyid-trainer/jobs/expression"
)

// Spec is what was asked for: the body of POST /v1/screenings. Null and absent are
// the same.
type Spec struct {
	Model jobs.Revision `json:"model"` // empty fields are the configured model's
	Input Input         `json:"input"`
	// Where is an expression that rows which are kept fulfil; "" keeps all.
	Where   string   `json:"where"`
	OrderBy string   `json:"order_by"` // an expression, least first; "" is the library's order
	Limit   int      `json:"limit"`    // rows that are kept; 0 is all
	Pareto  []string `json:"pareto"`   // expressions of which each is better the less; keeps the front
	// Diverse is the least Tanimoto distance between rows that are kept, from 0 to
	// 1, on Morgan counts.
	Diverse    float64           `json:"diverse"`
	Columns    map[string]string `json:"columns"` // expressions of further columns, by name
	AnyKernel  bool              `json:"any_kernel"`
	Format     Format            `json:"format"`
	Name       string            `json:"name"`
	Webhook    *jobs.Webhook     `json:"webhook"`
	MaxCostUSD *float64          `json:"max_cost_usd"`
}

// Input is what is screened: one of its fields.
type Input struct {
	Dataset string        `json:"dataset,omitempty"` // id or name
	Grid    *library.Grid `json:"grid,omitempty"`
}

// Format is the form of the results.
type Format string

// The formats.
const (
	CSV     Format = "csv"
	CSVGzip Format = "csv.gz"
	NDJSON  Format = "ndjson"
	Parquet Format = "parquet"
)

// Formats are all formats.
var Formats = []Format{CSV, CSVGzip, NDJSON, Parquet}

// MediaType is the format's, for HTTP.
func (f Format) MediaType() string {
	return map[Format]string{CSV: "text/csv; charset=utf-8", CSVGzip: "application/gzip", NDJSON: "application/x-ndjson", Parquet: "application/vnd.apache.parquet"}[f]
}

const (
	maxColumns = 32
	maxPareto  = 8
	// mostDiverse bounds what is compared with each other.
	mostDiverse = 10_000
)

// Ordered reports whether the results are in another order than the library's, or
// chosen among all of them, so that none is known before all are.
func (s *Spec) Ordered() bool {
	return s.OrderBy != "" || s.Limit > 0 || len(s.Pareto) > 0 || s.Diverse > 0
}

// WithDefaults fills what is unset.
func (s Spec) WithDefaults() Spec {
	if s.Format == "" {
		s.Format = CSV
	}
	return s
}

type problems []jobs.Problem

func (ps *problems) add(pointer, format string, args ...any) {
	*ps = append(*ps, jobs.Problem{Pointer: pointer, Detail: fmt.Sprintf(format, args...)})
}

// Problems are the values that cannot be, as far as can be told without model and
// library. mechanism says why one is none.
func (s *Spec) Problems(mechanism func(string) error, costs bool) []jobs.Problem {
	var ps problems
	switch in := s.Input; {
	case in.Dataset == "" && in.Grid == nil:
		ps.add("/input", `is required: {"dataset": "ds_…"} or {"grid": {"monomers": [[…], […]], "mechanism": "ester"}}`)
	case in.Dataset != "" && in.Grid != nil:
		ps.add("/input", "has a dataset and a grid: one of them is screened")
	case in.Grid != nil:
		for _, e := range settingErrors(in.Grid.Check(mechanism)) {
			ps.add("/input/grid/"+e.Field, "%s", e.Detail)
		}
	}
	if s.Limit < 0 {
		ps.add("/limit", "%d is below 0: leave it out to keep all rows", s.Limit)
	}
	switch {
	case !(s.Diverse >= 0 && s.Diverse < 1):
		ps.add("/diverse", "%v is no Tanimoto distance from 0 to below 1", s.Diverse)
	case s.Diverse > 0 && (s.Limit < 1 || s.Limit > mostDiverse):
		ps.add("/limit", "is required with diverse, from 1 to %d: each row that is kept is compared with all before it", mostDiverse)
	}
	if len(s.Pareto) > maxPareto {
		ps.add("/pareto", "has %d expressions, more than %d", len(s.Pareto), maxPareto)
	}
	if !slices.Contains(Formats, s.Format) {
		ps.add("/format", "%.40q is none of csv, csv.gz, parquet, ndjson", s.Format)
	}
	if s.Webhook != nil {
		ps = append(ps, s.Webhook.Problems("/webhook", Events)...)
	}
	if c := s.MaxCostUSD; c != nil {
		switch {
		case !(*c > 0) || math.IsInf(*c, 0):
			ps.add("/max_cost_usd", "%v is not above 0", *c)
		case !costs:
			ps.add("/max_cost_usd", "needs COST_PER_HOUR, which this server does not have: nobody can tell what has been spent")
		}
	}
	return append(ps, (jobs.Details{Name: s.Name}).Problems()...)
}

func settingErrors(err error) (out []*data.SettingError) {
	var joined interface{ Unwrap() []error }
	var one *data.SettingError
	switch {
	case errors.As(err, &joined):
		for _, e := range joined.Unwrap() {
			out = append(out, settingErrors(e)...)
		}
	case errors.As(err, &one):
		out = append(out, one)
	}
	return out
}

// Columns are those of the results: those of the library, those of the predictions,
// and those that are computed.
type Columns struct {
	Schema   *expression.Schema
	Names    []string          // of all columns of a result, in their order
	Kinds    []expression.Kind // likewise
	Computed []Computed
	Where    *expression.Expression // nil keeps all
	OrderBy  *expression.Expression // nil is the library's order
	Pareto   []*expression.Expression

	targets int
	inputs  int
}

// Computed is a column that is computed of others.
type Computed struct {
	Name string
	*expression.Expression
}

// fields are what is known of each target, as an expression names it behind the
// target's name, and as its column is called.
func (m *Model) fields() []struct{ name, column string } {
	level := cmp.Or(m.Level, "90")
	return []struct{ name, column string }{{"", "_pred_mean"}, {"_std", "_pred_std"}, {"_lo" + level, "_pred_lo" + level}, {"_hi" + level, "_pred_hi" + level}}
}

// Fields is how many numbers a prediction of one target has.
const Fields = 4

// NewColumns makes the columns of s's results for a model and rows; every problem
// with s's expressions is listed.
func NewColumns(s *Spec, m *Model, r *Source) (*Columns, []jobs.Problem) {
	c := &Columns{targets: len(m.Targets), inputs: len(r.Header)}
	var columns []expression.Column
	for i, h := range r.Header {
		kind := expression.Text
		if r.Numeric[i] {
			kind = expression.Number
		}
		columns = append(columns, expression.Column{Name: h, Kind: kind, Input: true})
		c.Names, c.Kinds = append(c.Names, h), append(c.Kinds, kind)
	}
	for _, t := range m.Targets {
		for _, f := range m.fields() {
			columns = append(columns, expression.Column{Name: t.Name + f.name})
			c.Names, c.Kinds = append(c.Names, t.Name+f.column), append(c.Kinds, expression.Number)
		}
	}
	for _, more := range []expression.Column{{Name: "fps_notin_train"}, {Name: "in_domain", Kind: expression.Truth}, {Name: "similarity"}} {
		columns = append(columns, more)
		c.Names, c.Kinds = append(c.Names, more.Name), append(c.Kinds, more.Kind)
	}
	c.Schema = expression.NewSchema(columns)
	ps := c.compile(s)
	for _, x := range c.Computed {
		c.Names, c.Kinds = append(c.Names, x.Name), append(c.Kinds, x.Kind())
	}
	c.Names, c.Kinds = append(c.Names, "error"), append(c.Kinds, expression.Text)
	return c, ps
}

// compile compiles s's expressions. Where, order and front may name what is
// computed; that names columns alone.
func (c *Columns) compile(s *Spec) []jobs.Problem {
	var ps problems
	columns := slices.Clone(c.Schema.Columns())
	if len(s.Columns) > maxColumns {
		ps.add("/columns", "has %d columns, more than %d", len(s.Columns), maxColumns)
		return ps
	}
	for _, name := range slices.Sorted(maps.Keys(s.Columns)) {
		at := "/columns/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
		e, err := c.Schema.Compile(s.Columns[name], expression.Number, expression.Text, expression.Truth)
		switch taken := slices.Contains(c.Names, name) || slices.ContainsFunc(columns, func(o expression.Column) bool { return o.Name == name }); {
		case name == "" || len(name) > 256 || taken || name == "error" || name == "input" || name == "result":
			ps.add(at, "%.80q cannot be the name of a further column: it is empty, too long, or another's", name)
		case err != nil:
			ps.add(at, "%s", err)
		default:
			c.Computed = append(c.Computed, Computed{name, e})
		}
	}
	for _, x := range c.Computed {
		columns = append(columns, expression.Column{Name: x.Name, Kind: x.Kind()})
	}
	c.Schema = expression.NewSchema(columns)
	compile := func(at, source string, want ...expression.Kind) *expression.Expression {
		e, err := c.Schema.Compile(source, want...)
		if err != nil {
			ps.add(at, "%s", err)
		}
		return e
	}
	if s.Where != "" {
		c.Where = compile("/where", s.Where, expression.Truth)
	}
	if s.OrderBy != "" {
		c.OrderBy = compile("/order_by", s.OrderBy, expression.Number, expression.Text)
	}
	for i, p := range s.Pareto {
		c.Pareto = append(c.Pareto, compile(fmt.Sprintf("/pareto/%d", i), p, expression.Number))
	}
	return ps
}
