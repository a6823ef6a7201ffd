package web

import (
	"cmp"
	"encoding/json"
	"maps"
	"math"
	"slices"
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

// Comparison is one measure of one property, of several revisions.
type Comparison struct {
	Target, Units, Measure string
	Cells                  []Cell // of each revision
	First                  bool   // of its property
	Span                   int    // how many there are of it
}

// Cell is one revision's value.
type Cell struct {
	Text string
	Best bool // of the revisions, where they differ
}

// compare sets the errors of a property of several revisions side by side; nil
// where none has it.
func compare(revisions []json.RawMessage, target string) []Comparison {
	var all []errors
	units, some := "", false
	members := map[string]bool{}
	for _, m := range revisions {
		e, ok := outOfFold(m)[target]
		some = some || ok
		units = cmp.Or(units, e.Units)
		all = append(all, e)
		for name := range e.Members {
			members[name] = true
		}
	}
	if !some {
		return nil
	}
	line := func(measure string, sign float64, get func(errors) *float64) Comparison {
		return Comparison{Target: target, Units: units, Measure: measure, Cells: cells(all, sign, get)}
	}
	out := []Comparison{
		line("MAE", -1, func(e errors) *float64 { return e.MAE }),
		line("Baseline MAE", 0, func(e errors) *float64 { return e.Baseline }),
		line("RMSE", -1, func(e errors) *float64 { return e.RMSE }),
		line("R²", 1, func(e errors) *float64 { return e.R2 }),
		line("Rows", 0, func(e errors) *float64 {
			if e.Rows == 0 {
				return nil
			}
			n := float64(e.Rows)
			return &n
		}),
	}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		out = append(out, line("MAE of "+name+" alone", 0, func(e errors) *float64 { return e.Members[name].MAE }))
	}
	out[0].First = true
	for i := range out {
		out[i].Span = len(out)
	}
	return out
}

// cells are what get reads of each; the largest times sign is marked, for a sign
// of 0 none.
func cells(all []errors, sign float64, get func(errors) *float64) []Cell {
	out := make([]Cell, len(all))
	best, worst := math.Inf(-1), math.Inf(1)
	for i, e := range all {
		v := get(e)
		out[i].Text = show(v)
		if v != nil && sign != 0 {
			best, worst = max(best, sign**v), min(worst, sign**v)
		}
	}
	for i, e := range all {
		v := get(e)
		out[i].Best = v != nil && sign != 0 && best > worst && sign**v == best
	}
	return out
}
