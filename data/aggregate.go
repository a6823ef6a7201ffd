package data

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
)

// Aggregation averages replicates, as PolyID's aggregate predictions do: rows
// that agree in some columns become one.
type Aggregation struct {
	By        []string `json:"by"`        // columns of Structure.Field
	Functions []string `json:"functions"` // of each value: "mean", "std"
}

// reducers are the functions there are. Both ignore NaN.
var reducers = map[string]func([]float64) float64{"mean": mean, "std": std}

// WithDefaults groups by polymer and takes means, as PolyID does.
func (a Aggregation) WithDefaults() Aggregation {
	if len(a.By) == 0 {
		a.By = []string{"monomers", "distribution", "pm"}
	}
	if len(a.Functions) == 0 {
		a.Functions = []string{"mean"}
	}
	return a
}

// Validate reports, joined, every [SettingError].
func (a Aggregation) Validate() error {
	var errs []error
	for i, name := range a.By {
		if _, ok := new(Structure).Field(name); !ok {
			errs = append(errs, &SettingError{fmt.Sprintf("by/%d", i), fmt.Sprintf("%.40q is no column of a structure%s", name, suggest(name, fields))})
		}
	}
	for i, f := range a.Functions {
		if reducers[f] == nil {
			errs = append(errs, &SettingError{fmt.Sprintf("functions/%d", i), fmt.Sprintf("%.40q is neither mean nor std", f)})
		}
	}
	return errors.Join(errs...)
}

// Keys are a structure's values of the columns to group by. For a structure
// without monomers its own SMILES stands in.
func (a Aggregation) Keys(s *Structure) []string {
	keys := make([]string, len(a.By))
	for i, name := range a.By {
		keys[i], _ = s.Field(name)
		if f := fold(name); len(s.Monomers) == 0 && (f == "monomers" || f == "smilesmonomer") {
			keys[i] = cmp.Or(s.Polymer, s.RepeatUnit)
		}
	}
	return keys
}

// Aggregate is one group's result.
type Aggregate struct {
	Keys   []string  // of the columns grouped by
	Rows   []int     // that went in, ascending
	Values []float64 // [columns × functions], column by column; NaN of no values
}

// Apply groups rows with equal keys and reduces each column of their values.
// As in pandas, NaN counts for nothing, std divides by n−1 and groups come in the
// order of their keys, numbers by value. Unlike there, a blank is a key as good
// as any, so that no row is lost. Unknown functions give NaN; Validate finds
// them.
func (a Aggregation) Apply(keys [][]string, values [][]float64) []Aggregate {
	index := make(map[string]int)
	var out []Aggregate
	for row, k := range keys {
		text := strings.Join(k, "\x00")
		i, ok := index[text]
		if !ok {
			i = len(out)
			index[text] = i
			out = append(out, Aggregate{Keys: k})
		}
		out[i].Rows = append(out[i].Rows, row)
	}
	for i := range out {
		g := &out[i]
		column := make([]float64, len(g.Rows))
		for c := range values[g.Rows[0]] {
			for n, row := range g.Rows {
				column[n] = values[row][c]
			}
			for _, f := range a.Functions {
				v := math.NaN()
				if reduce := reducers[f]; reduce != nil {
					v = reduce(column)
				}
				g.Values = append(g.Values, v)
			}
		}
	}
	slices.SortFunc(out, func(x, y Aggregate) int { return slices.CompareFunc(x.Keys, y.Keys, compareKeys) })
	return out
}

// compareKeys orders numbers by value and before text.
func compareKeys(a, b string) int {
	x, isX := decimal(a)
	y, isY := decimal(b)
	switch {
	case isX && isY:
		return cmp.Or(cmp.Compare(x, y), strings.Compare(a, b))
	case isX:
		return -1
	case isY:
		return 1
	}
	return strings.Compare(a, b)
}

// mean of the values that are not NaN; NaN of none.
func mean(values []float64) float64 {
	sum, n := 0.0, 0
	for _, v := range values {
		if !math.IsNaN(v) {
			sum += v
			n++
		}
	}
	return sum / float64(n)
}

// std is the sample standard deviation of the values that are not NaN; NaN of
// fewer than two.
func std(values []float64) float64 {
	m, sum, n := mean(values), 0.0, 0
	for _, v := range values {
		if !math.IsNaN(v) {
			sum += (v - m) * (v - m)
			n++
		}
	}
	if n < 2 {
		return math.NaN()
	}
	return math.Sqrt(sum / float64(n-1))
}
