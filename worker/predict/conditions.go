package predict

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"polyid-trainer/featurize/structure"
)

// take sets the conditions of p to what an input states, of those that the model
// was trained with.
func (p *polymer) take(stated map[string]*float64, known []string) *structure.Error {
	names := slices.Sorted(maps.Keys(stated))
	if len(known) == 0 {
		p.ignored = names
		return nil
	}
	for _, name := range names {
		if !slices.Contains(known, name) {
			return &structure.Error{Code: "unknown_condition", Monomer: -1,
				Detail: fmt.Sprintf("%.60q is not a condition of this model; its conditions are %s", name, strings.Join(known, ", "))}
		}
	}
	for _, name := range known {
		v := float32(math.NaN())
		if given := stated[name]; given != nil {
			v = float32(*given)
		}
		p.conditions = append(p.conditions, v)
	}
	return nil
}

// warnConditions says which conditions the model had to assume.
func (m *Model) warnConditions(p polymer, warn func(code, format string, args ...any)) {
	if len(p.ignored) > 0 {
		warn(warnIgnored, "the model was trained without conditions, so %s changed nothing", strings.Join(p.ignored, ", "))
	}
	if m.stack == nil {
		return
	}
	for i, name := range m.stack.Space.Conditions {
		if p.conditions[i] != p.conditions[i] {
			warn(warnCondition, "%s is not given: the median of the training rows, %.6g, stands for it", name, m.stack.Space.Medians[i])
		}
	}
}

// conditions are the names of all conditions that inputs state, for their CSV.
func (q *Request) conditions() []string {
	names := map[string]bool{}
	for i := range q.Inputs {
		for name := range q.Inputs[i].Conditions {
			names[name] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}
