package jobs

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// The order in which one token's folds are trained: high priorities first, equal
// jobs one after another, short jobs ahead of long ones that came a little earlier,
// and a search behind what was asked for while it runs.
func TestPlaces(t *testing.T) {
	noon := time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	spec := DefaultSpec()
	job := func(id string, minutes, epochs int, change func(*Job)) *Job {
		j := &Job{ID: id, Spec: spec, State: Training, CreatedAt: noon.Add(time.Duration(minutes) * time.Minute), Data: &Prepared{Folds: []Size{{Train: 183}, {Train: 183}}}}
		j.Spec.Epochs = epochs
		if change != nil {
			change(j)
		}
		return j
	}
	priority := func(p Priority) func(*Job) { return func(j *Job) { j.Spec.Priority = p } }
	trial := func(i int) func(*Job) { return func(j *Job) { j.Trial = &Trial{Search: "se_1", Index: i} } }
	all := []*Job{
		job("first", 0, 50, nil), job("second", 1, 50, nil), job("short", 2, 5, nil), job("low", -600, 5, priority(PriorityLow)), job("high", 90, 500, priority(PriorityHigh)),
		job("trial0", 0, 50, trial(0)), job("trial9", 0, 50, trial(9)), job("meanwhile", 5, 50, nil),
	}
	var tasks []Task
	for _, j := range all {
		tasks = append(tasks, Needed(noon, j, []*Fold{{Job: j.ID, Index: 1, Status: FoldQueued}, {Job: j.ID, Status: FoldQueued}})...)
	}
	slices.SortStableFunc(tasks, func(a, b Task) int {
		if a.Place < b.Place {
			return -1
		}
		return 1
	})
	var got []string
	for _, task := range tasks {
		got = append(got, fmt.Sprintf("%s/%d", task.Job, task.Fold))
	}
	want := "high/0 high/1 short/0 short/1 first/0 trial0/0 first/1 trial0/1 second/0 second/1 meanwhile/0 meanwhile/1 trial9/0 trial9/1 low/0 low/1"
	if s := strings.Join(got, " "); s != want && s != strings.Replace(want, "first/0 trial0/0 first/1 trial0/1", "first/0 trial0/0 trial0/1 first/1", 1) {
		t.Errorf("in the order\n%s, want\n%s", s, want)
	}
}

func TestPriorityProblem(t *testing.T) {
	s := DefaultSpec()
	s.Dataset = []string{"ds"}
	s.Priority = "urgent"
	if ps := s.Problems(); len(ps) != 1 || ps[0].Pointer != "/priority" || !strings.Contains(ps[0].Detail, `"urgent"`) {
		t.Errorf("%+v", ps)
	}
}
