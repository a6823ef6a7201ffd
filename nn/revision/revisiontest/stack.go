package revisiontest

import (
	"testing"

	"polyid-trainer/featurize/smiles"
	"polyid-trainer/nn/revision"
	"polyid-trainer/nn/stack"
)

// Stack is a stack for r's targets and folds that learned from a few molecules.
func Stack(t testing.TB, r *revision.Revision) *stack.Stack {
	t.Helper()
	return StackWith(t, r, nil)
}

// StackWith is Stack with conditions, on each of which every target depends.
func StackWith(t testing.TB, r *revision.Revision, names []string) *stack.Stack {
	t.Helper()
	tab := &stack.Table{}
	var polymers []stack.Polymer
	for i, s := range []string{"CCCC", "CCOC", "CCNC", "CC(C)C", "CCCCO", "OCCO", "CCSC", "CCCl", "CCF", "c1ccccc1"} {
		m, err := smiles.Read(s)
		if err != nil {
			t.Fatal(err)
		}
		var conditions []float32
		for range names {
			conditions = append(conditions, float32(i*i%7))
		}
		polymers = append(polymers, stack.Describe(m, 1, conditions))
		tab.Group, tab.Fold = append(tab.Group, int32(i)), append(tab.Fold, int32(i%len(r.Models)))
	}
	tab.Space = stack.NewSpace(polymers, tab.Group, names)
	var err error
	if tab.X, err = tab.Space.Matrix(polymers); err != nil {
		t.Fatal(err)
	}
	for k, target := range r.Config.Targets {
		tab.Names = append(tab.Names, target.Name)
		tab.Values, tab.Network = append(tab.Values, nil), append(tab.Network, nil)
		for i := range polymers {
			tab.Values[k], tab.Network[k] = append(tab.Values[k], float64(i)), append(tab.Network[k], float64(i+k))
		}
	}
	s, _, err := stack.Fit(t.Context(), tab, stack.Config{Members: []stack.Member{stack.Linear, stack.Neighbours}})
	if err != nil {
		t.Fatal(err)
	}
	return s
}
