package training

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"

	"polyid-trainer/api/datasets"
	"polyid-trainer/jobs"
	"polyid-trainer/jobs/idempotency"
	"polyid-trainer/jobs/keys"
	"polyid-trainer/storage"
)

// Request asks for a training job.
type Request struct {
	Owner string // the name of the token that asks
	Spec  jobs.Spec
	// Unread lists what of the request could not be read into Spec. The rest is
	// checked all the same, so that every problem is reported at once.
	Unread []jobs.Problem
	// ID is the job's, drawn by who asks; "" draws one. Submitting a job that is
	// there changes nothing.
	ID string
	// Key makes the request repeatable, for the body with the hash Body; "" does
	// not.
	Key, Body string
}

// submitRoute is part of the names of idempotency records.
const submitRoute = "POST /v1/training-jobs"

// Submit makes a job of a request, once for each key. The job it returns is as it
// was created, whatever has become of it since.
//
// Errors are jobs.Invalid with every problem, jobs.Conflict for a key that was
// used for another body, jobs.Forbidden, jobs.Unavailable, or the system's own.
func (s *Service) Submit(ctx context.Context, r Request) (*jobs.Job, error) {
	var from *copies
	j, _, err := idempotency.Once(ctx, s.Keys, idempotency.Request{Owner: r.Owner, Route: submitRoute, Key: r.Key, Body: r.Body},
		func() (made jobs.Job, err error) {
			made, from, err = s.accept(ctx, r)
			return made, err
		},
		func(j *jobs.Job) error { return s.begin(ctx, j, from) })
	if err != nil {
		return nil, err
	}
	return j, nil
}

// copies are what a job gets copies of: its tables, and the models that it
// starts from.
type copies struct {
	dataset *datasets.Table
	holdout *datasets.Table // nil if the job has no hold-out table of its own
	weights fs.FS           // nil if the job starts from no models
}

// accept checks everything about a request that could fail. It stores nothing.
func (s *Service) accept(ctx context.Context, r Request) (jobs.Job, *copies, error) {
	p, err := s.check(ctx, r)
	if err != nil {
		return jobs.Job{}, nil, err
	}
	if len(p.problems) > 0 {
		return jobs.Job{}, nil, &jobs.Error{Code: jobs.Invalid, Detail: "the training job has invalid settings", Problems: p.problems}
	}
	if err := s.Queue.Ready(ctx); err != nil {
		return jobs.Job{}, nil, err
	}
	j, err := jobs.New(s.now(), r.Owner, p.spec)
	if err != nil {
		return jobs.Job{}, nil, err
	}
	if r.ID != "" {
		j.ID = r.ID
	}
	j.Warnings, j.Memory = p.warnings, p.memory.Job()
	return *j, &copies{dataset: p.table, holdout: p.holdout, weights: p.weights}, nil
}

// begin stores a job and enqueues its first task. Called again, it changes
// nothing: what is stored already belongs to this very request.
func (s *Service) begin(ctx context.Context, j *jobs.Job, from *copies) error {
	id := j.ID
	before := []func(context.Context) error{
		func(ctx context.Context) error { return s.putTable(ctx, keys.Dataset(id), from.dataset) },
	}
	if from.holdout != nil {
		before = append(before, func(ctx context.Context) error { return s.putTable(ctx, keys.Holdout(id), from.holdout) })
	}
	if from.weights != nil {
		before = append(before, func(ctx context.Context) error { return s.putWeights(ctx, keys.InitPrefix(id), from.weights) })
	}
	if err := s.Store.Create(ctx, j, before...); err != nil && !errors.Is(err, storage.ErrConflict) {
		return err
	}
	// A new job needs its preparation first.
	if err := s.Queue.Enqueue(ctx, jobs.Needed(j.CreatedAt, j, nil)[0]); err != nil {
		// Redis has gone away since it was asked. The record is the truth, so the
		// reconciler enqueues the task once Redis is back.
		s.log().Warn("a task could not be enqueued; the reconciler will enqueue it", "job", id, "error", err)
	}
	return nil
}

func (s *Service) putTable(ctx context.Context, key string, t *datasets.Table) error {
	csv, err := t.CSV()
	if err != nil {
		return err
	}
	if _, err := s.Bucket.Put(ctx, key, bytes.NewReader(csv), int64(len(csv)), storage.Condition{}); err != nil {
		return fmt.Errorf("store table: %w", err)
	}
	return nil
}

// putWeights copies the models that a job starts from to below a prefix, since
// workers have no access to the Hub.
func (s *Service) putWeights(ctx context.Context, prefix string, weights fs.FS) error {
	paths, err := fs.Glob(weights, "model_fold_*/model.safetensors")
	if err != nil {
		return err
	}
	for _, path := range paths {
		body, err := fs.ReadFile(weights, path)
		if err != nil {
			return fmt.Errorf("copy %s: %w", path, err)
		}
		if _, err := s.Bucket.Put(ctx, prefix+path, bytes.NewReader(body), int64(len(body)), storage.Condition{}); err != nil {
			return fmt.Errorf("copy %s: %w", path, err)
		}
	}
	return nil
}
