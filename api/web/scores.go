package web

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Score is one property's measured errors, as a table shows them.
type Score struct {
	Target, Units           string
	MAE, RMSE, R2, Baseline string // "–" where nothing was measured
	Rows, Polymers          int
	Members                 []Member // of a stack, by name
	Poor                    bool     // no better than the baseline
}

// Member is what one member of a stack is off by itself.
type Member struct{ Name, MAE string }

// errors are the out-of-fold errors in a job's or revision's metrics.json.
type errors struct {
	MAE, RMSE, R2 *float64
	Baseline      *float64 `json:"baseline_mae"`
	Rows          int      `json:"n_rows"`
	Polymers      int      `json:"n_polymers"`
	Units         string
	Members       map[string]struct{ MAE *float64 }
}

// outOfFold are the errors by property; none where there are no metrics yet,
// and of a file that another project wrote.
func outOfFold(metrics json.RawMessage) map[string]errors {
	var m struct {
		OutOfFold map[string]errors `json:"out_of_fold"`
	}
	if json.Unmarshal(metrics, &m) != nil {
		return nil
	}
	return m.OutOfFold
}

func (e errors) score(target string) Score {
	s := Score{
		Target: target, Units: e.Units, MAE: show(e.MAE), RMSE: show(e.RMSE), R2: show(e.R2), Baseline: show(e.Baseline),
		Rows: e.Rows, Polymers: e.Polymers, Poor: e.MAE != nil && e.Baseline != nil && *e.MAE >= *e.Baseline,
	}
	for _, name := range slices.Sorted(maps.Keys(e.Members)) {
		s.Members = append(s.Members, Member{name, show(e.Members[name].MAE)})
	}
	return s
}

func show(v *float64) string {
	if v == nil {
		return "–"
	}
	return Number(*v)
}

// scores are all properties' errors, by name.
func scores(metrics json.RawMessage) []Score {
	var out []Score
	for target, e := range outOfFold(metrics) {
		out = append(out, e.score(target))
	}
	slices.SortFunc(out, func(a, b Score) int { return strings.Compare(a.Target, b.Target) })
	return out
}

// score is one property's errors, nil where it has none.
func score(metrics json.RawMessage, target string) *Score {
	e, ok := outOfFold(metrics)[target]
	if !ok {
		return nil
	}
	s := e.score(target)
	return &s
}

// Comparison is one measure of one property of two revisions.
type Comparison struct {
	Target, Measure, A, B string
	Better                int  // 1 or 2; 0 where neither is
	First                 bool // of its property
	Span                  int  // how many there are of it
}

// compare sets two revisions' errors of a property side by side.
func compare(a, b json.RawMessage, target string) []Comparison {
	x, y := outOfFold(a)[target], outOfFold(b)[target]
	line := func(measure string, a, b *float64, sign float64) Comparison {
		c := Comparison{Target: target, Measure: measure, A: show(a), B: show(b), Span: 4}
		if a != nil && b != nil && *a != *b {
			c.Better = 1
			if sign*(*b-*a) > 0 {
				c.Better = 2
			}
		}
		return c
	}
	rows := line("rows", nil, nil, 1)
	rows.A, rows.B = strconv.Itoa(x.Rows), strconv.Itoa(y.Rows)
	out := []Comparison{line("MAE", x.MAE, y.MAE, -1), line("RMSE", x.RMSE, y.RMSE, -1), line("R²", x.R2, y.R2, 1), rows}
	out[0].First = true
	return out
}
