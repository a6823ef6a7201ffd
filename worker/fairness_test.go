//go:build unix

package main

import (
	"testing"
	"time"

	"polyid-trainer/jobs"
)

// starts are when the folds of a job were first claimed.
func starts(j *jobs.Job) (at []time.Time) {
	for _, e := range j.Events {
		if e.Type == jobs.EventFoldStarted {
			at = append(at, e.Time)
		}
	}
	return at
}

// While a worker has forty jobs of one token to train, another posts one: its first
// fold is trained as soon as one ends.
func TestTwoTokens(t *testing.T) {
	c := newCluster(t)
	var many []*jobs.Job
	for range 40 {
		many = append(many, c.askAs("many", small()))
	}
	w := c.worker("--concurrency=1")
	c.training(many[0].ID, w)
	one := c.askAs("one", small())
	until(t, "the one job to be prepared", func() bool { return c.job(one.ID).State == jobs.Training })
	waits := time.Now()
	until(t, "its first fold", func() bool { return len(starts(c.job(one.ID))) > 0 })
	first := starts(c.job(one.ID))[0]
	ahead := 0
	for _, j := range many {
		for _, at := range starts(c.job(j.ID)) {
			if at.After(waits) && at.Before(first) {
				ahead++
			}
		}
	}
	t.Logf("its first fold was claimed %s after it was ready, with %d folds of the other in between", first.Sub(waits).Round(time.Millisecond), ahead)
	if ahead > 0 {
		t.Errorf("%d folds of the other token were begun meanwhile", ahead)
	}
}
