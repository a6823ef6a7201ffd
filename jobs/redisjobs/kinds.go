package redisjobs

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/hibiken/asynq"

	"polyid-trainer/jobs"
)

// terms are how the queue treats the tasks of one kind. Each kind has a queue of
// its own, named like it: queues are what pools choose between.
type terms struct {
	retries   int           // failures before the task is archived; the reconciler revives it
	timeout   time.Duration // of one delivery; asynq's own is 30 minutes
	retention time.Duration // how long a done task stays on the dashboard
	firstWait time.Duration // after the first failure, doubled at each further one
	longest   time.Duration // wait between two tries
}

// kinds are the terms of every kind of task. Counting a fold's failures, and a
// webhook's, is up to the record: what the queue retries is an outage.
var kinds = map[jobs.Kind]terms{
	jobs.Prepare:   {retries: 10, timeout: 6 * time.Hour, retention: time.Hour, firstWait: time.Second, longest: time.Minute},
	jobs.TrainFold: {retries: 25, timeout: 90 * 24 * time.Hour, retention: time.Hour, firstWait: 2 * time.Second, longest: time.Minute},
	jobs.Finalize:  {retries: 10, timeout: 6 * time.Hour, retention: time.Hour, firstWait: time.Second, longest: time.Minute},
	jobs.Publish:   {retries: 10, timeout: time.Hour, retention: time.Hour, firstWait: 2 * time.Second, longest: 5 * time.Minute},
	jobs.Notify:    {retries: 5, timeout: 2 * time.Minute, firstWait: time.Second, longest: time.Minute},
	jobs.Screen:    {retries: 10, timeout: 24 * time.Hour, firstWait: time.Second, longest: 10 * time.Second},
	jobs.Assemble:  {retries: 10, timeout: 24 * time.Hour, retention: time.Hour, firstWait: time.Second, longest: time.Minute},
	jobs.Predict:   {retries: 5, timeout: time.Hour, firstWait: time.Second, longest: 30 * time.Second},

	jobs.StepSearch: {retries: 2, timeout: 10 * time.Minute, firstWait: time.Second, longest: time.Minute},
}

// wait is the delay before the retry that follows the n-th failure, from 0.
func (t terms) wait(n int) time.Duration {
	d := t.firstWait
	for ; n > 0 && d < t.longest; n-- {
		d *= 2
	}
	return min(d, t.longest)
}

// queueOf names the queue of a kind.
func queueOf(k jobs.Kind) string { return string(k) }

// encode makes a task of the queue, and the options that the kind's terms call
// for.
func encode(t jobs.Task) (*asynq.Task, []asynq.Option, error) {
	terms, ok := kinds[t.Kind]
	if !ok {
		return nil, nil, fmt.Errorf("%q is no kind of task", t.Kind)
	}
	payload, err := json.Marshal(t)
	if err != nil {
		return nil, nil, err
	}
	return asynq.NewTask(string(t.Kind), payload), []asynq.Option{
		asynq.Queue(queueOf(t.Kind)),
		asynq.TaskID(t.ID()),
		asynq.MaxRetry(terms.retries),
		asynq.Timeout(terms.timeout),
		asynq.Retention(terms.retention),
	}, nil
}

// decode reads what encode wrote.
func decode(a *asynq.Task) (jobs.Task, error) {
	t := jobs.Task{Kind: jobs.Kind(a.Type())}
	if err := json.Unmarshal(a.Payload(), &t); err != nil {
		return t, fmt.Errorf("read a task of kind %s: %w", a.Type(), err)
	}
	return t, nil
}
