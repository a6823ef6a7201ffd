package pipeline_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"math"
	"slices"
	"testing"

	"polyid-trainer/data"
	"polyid-trainer/jobs"
	"polyid-trainer/jobs/keys"
	"polyid-trainer/nn/ensemble"
	"polyid-trainer/nn/revision"
	"polyid-trainer/nn/stack"
)

// A job that asks for a stack publishes one, scores its members beside the blend,
// and makes the same of it when every task is delivered twice.
func TestStack(t *testing.T) {
	t.Parallel()
	var stacks [2][]byte
	for i, times := range []int{1, 2} {
		p := newPlant(t)
		s := spec()
		s.Holdout = &data.Holdout{Fraction: 0.2}
		s.Stack = &stack.Config{Members: []stack.Member{stack.Network, stack.Trees, stack.Neighbours, stack.Linear}}
		s.Intervals = ensemble.Intervals{Method: ensemble.Local, Level: 0.8}
		j := p.ask(s, keys.Dataset, table(t, 120))
		p.run(j.ID, times)
		j = p.job(j.ID)
		if j.State != jobs.Publishing {
			t.Fatalf("the job is %s (%+v)", j.State, j.Failure)
		}
		r, dir := p.revision(j.ID)
		if r.Stack == nil || !r.Calibration.Local() || r.Calibration.Level != 0.8 {
			t.Fatalf("the revision has stack %v and calibration %q at %v", r.Stack, r.Calibration.Method, r.Calibration.Level)
		}
		var m revision.Metrics
		if err := json.Unmarshal(j.Metrics, &m); err != nil {
			t.Fatal(err)
		}
		for name, scores := range map[string]revision.Scores{"out of fold": m.OutOfFold, "hold-out": m.Holdout} {
			tg := scores["Tg"]
			if len(tg.Members) != 4 || !(tg.MAE > 0) {
				t.Errorf("%s: %+v", name, tg)
			}
			for member, score := range tg.Members {
				if !(score.MAE > 0) {
					t.Errorf("%s: %s is off by %v", name, member, score.MAE)
				}
			}
		}
		if network := m.OutOfFold["Tg"].Members[stack.Network].MAE; m.OutOfFold["Tg"].MAE > network {
			t.Errorf("the blend is off by %v, the barely trained network alone by %v", m.OutOfFold["Tg"].MAE, network)
		}
		body, err := fs.ReadFile(dir, revision.StackArrays)
		if err != nil {
			t.Fatal(err)
		}
		stacks[i] = body
	}
	if !bytes.Equal(stacks[0], stacks[1]) {
		t.Error("delivering twice changed the stack")
	}
}

// Conditions, weights and bounds of a table reach the stack and the revision; bounds
// are in no score.
func TestMeasurement(t *testing.T) {
	t.Parallel()
	p := newPlant(t)
	s := spec()
	s.Conditions, s.Weights, s.Censored = []string{"temperature_c"}, "w", true
	s.Stack = &stack.Config{Members: []stack.Member{stack.Network, stack.Linear}}
	tab := table(t, 120)
	tab.Conditions, tab.Side, tab.Bound = s.Conditions, make([]int8, len(tab.Y)), make([]float64, len(tab.Y))
	bounds, measured := 0, 0
	for row := range tab.Rows() {
		tab.C, tab.Weight = append(tab.C, float64(row%7)), append(tab.Weight, float64(row%3))
		for i := range tab.Targets {
			at := row*len(tab.Targets) + i
			tab.Bound[at] = math.NaN()
			switch {
			case math.IsNaN(tab.Y[at]) || i > 0:
			case row%10 == 0:
				tab.Side[at], tab.Bound[at], tab.Y[at] = 1, tab.Y[at], math.NaN()
				bounds++
			default:
				measured++
			}
		}
	}
	j := p.ask(s, keys.Dataset, tab)
	p.run(j.ID, 1)
	if j = p.job(j.ID); j.State != jobs.Publishing {
		t.Fatalf("the job is %s (%+v)", j.State, j.Failure)
	}
	r, _ := p.revision(j.ID)
	if c := r.Stack.Space; !slices.Equal(c.Conditions, s.Conditions) || !slices.Equal(c.Medians, []float32{3}) {
		t.Errorf("the stack's conditions are %v with medians %v", c.Conditions, c.Medians)
	}
	if got := r.Metrics.OutOfFold["Tg"].Rows; bounds == 0 || got != measured {
		t.Errorf("%d rows of Tg are scored; %d were measured and %d are bounds", got, measured, bounds)
	}
	if c := r.Config.Columns; !c.Censored || c.Weights != "w" {
		t.Errorf("the revision remembers the columns %+v", c)
	}
}

// Folds by cluster and by time are dealt from what the job's own copy of the table
// keeps, and the revision says how.
func TestSplits(t *testing.T) {
	t.Parallel()
	for name, split := range map[string]data.Split{"cluster": {GroupBy: data.ByCluster}, "time": {OrderBy: "year"}} {
		p := newPlant(t)
		s := spec()
		s.Split = split.WithDefaults()
		tab := table(t, 120)
		tab.Kept = map[string][]string{"year": nil}
		for row := range tab.Rows() {
			tab.Kept["year"] = append(tab.Kept["year"], fmt.Sprint(1990+row/10))
		}
		j := p.ask(s, keys.Dataset, tab)
		p.run(j.ID, 1)
		if j = p.job(j.ID); j.State != jobs.Publishing {
			t.Fatalf("%s: the job is %s (%+v)", name, j.State, j.Failure)
		}
		r, _ := p.revision(j.ID)
		if d := r.Config.Data; d.GroupBy != s.Split.GroupBy || d.OrderBy != s.Split.OrderBy {
			t.Errorf("%s: the revision says %+v", name, d)
		}
	}
}
