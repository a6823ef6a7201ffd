package httpapi

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"

	"polyid-trainer/api/datasets"
	"polyid-trainer/jobs"
	"polyid-trainer/storage"
)

type (
	createJob struct {
		Exchange
		Key string `header:"Idempotency-Key" doc:"Of the client's choice; its own for every job wanted."`
	}
	createdJob struct {
		Status   int
		Location string `header:"Location"`
		Body     jobs.View
	}
)

const createRoute = "POST /v1/training-jobs"

// create makes a job of a request, once for each key.
func (a *TrainingJobs) create(ctx context.Context, key string, body []byte) (*createdJob, error) {
	if key == "" {
		made, tables, err := a.accept(ctx, body)
		if err != nil {
			return nil, err
		}
		return a.begin(ctx, made, tables)
	}
	if err := checkKey(key); err != nil {
		return nil, err
	}
	name, hash := scope(Principal(ctx), createRoute, key), hashBody(body)
	p, err := kept[jobs.Job](ctx, a.Keys, name, hash)
	if err != nil {
		return nil, err
	}
	if p != nil && p.Done {
		return a.created(&p.Made)
	}
	// A promise that was not kept is one whose process died, or is at it now:
	// doing it again changes nothing.
	made, tables, err := a.accept(ctx, body)
	if err != nil {
		return nil, err
	}
	if p == nil {
		if p, err = makePromise(ctx, a.Keys, name, hash, *made); err != nil {
			return nil, err
		}
	}
	if p.Done {
		return a.created(&p.Made)
	}
	answer, err := a.begin(ctx, &p.Made, tables)
	if err != nil {
		return nil, err
	}
	return answer, keep[jobs.Job](ctx, a.Keys, name)
}

// created is the answer to the request for a job: the same however often the
// request comes, whatever has become of the job.
func (a *TrainingJobs) created(j *jobs.Job) (*createdJob, error) {
	v := jobs.NewView(j.CreatedAt, j, nil, nil, a.CostPerHour)
	return &createdJob{Status: http.StatusAccepted, Location: "/v1/training-jobs/" + j.ID, Body: v}, nil
}

// tables are what a job has copies of: its datasets, and the models it starts
// from.
type tables struct {
	dataset, holdout *datasets.Table
	weights          fs.FS
}

// accept reads a request and looks at everything that could fail. It stores
// nothing.
func (a *TrainingJobs) accept(ctx context.Context, body []byte) (*jobs.Job, *tables, error) {
	spec, problems, err := readSpec(body)
	if err != nil {
		return nil, nil, err
	}
	plan, err := a.preflight(ctx, spec, problems)
	if err != nil {
		return nil, nil, err
	}
	if len(plan.problems) > 0 {
		return nil, nil, &jobs.Error{Code: jobs.Invalid, Detail: "the training job cannot be run as asked", Problems: plan.problems}
	}
	if err := a.Queue.Ready(ctx); err != nil {
		return nil, nil, err
	}
	j, err := jobs.New(a.now(), Principal(ctx), plan.spec)
	if err != nil {
		return nil, nil, err
	}
	j.Warnings = plan.warnings
	return j, plan.tables(), nil
}

// begin stores a job and sets it going. Done again, it changes nothing: what is
// there already is of this very request.
func (a *TrainingJobs) begin(ctx context.Context, j *jobs.Job, t *tables) (*createdJob, error) {
	id := j.ID
	before := []func(context.Context) error{
		func(ctx context.Context) error { return a.putTable(ctx, "jobs/"+id+"/dataset.csv", t.dataset) },
	}
	if t.holdout != nil {
		before = append(before, func(ctx context.Context) error { return a.putTable(ctx, "jobs/"+id+"/holdout.csv", t.holdout) })
	}
	if t.weights != nil {
		before = append(before, func(ctx context.Context) error { return a.putWeights(ctx, id, t.weights) })
	}
	if err := a.Store.Create(ctx, j, before...); err != nil && !errors.Is(err, storage.ErrConflict) {
		return nil, err
	}
	if err := a.Queue.Enqueue(ctx, jobs.Task{Kind: jobs.Prepare, Job: id}); err != nil {
		// Redis went this moment. The record is the truth: the reconciler enqueues
		// it once Redis is back.
		logOf(ctx).Warn("enqueue", "job", id, "error", err)
	}
	return a.created(j)
}

func (a *TrainingJobs) putTable(ctx context.Context, key string, t *datasets.Table) error {
	csv, err := t.CSV()
	if err != nil {
		return err
	}
	if _, err := a.Bucket.Put(ctx, key, bytes.NewReader(csv), int64(len(csv)), storage.Condition{}); err != nil {
		return fmt.Errorf("store table: %w", err)
	}
	return nil
}

// putWeights copies the models that a job starts from, since workers have no
// access to the Hub.
func (a *TrainingJobs) putWeights(ctx context.Context, id string, weights fs.FS) error {
	paths, err := fs.Glob(weights, "model_fold_*/model.safetensors")
	if err != nil {
		return err
	}
	for _, path := range paths {
		body, err := fs.ReadFile(weights, path)
		if err != nil {
			return fmt.Errorf("copy %s: %w", path, err)
		}
		key := "jobs/" + id + "/init/" + path
		if _, err := a.Bucket.Put(ctx, key, bytes.NewReader(body), int64(len(body)), storage.Condition{}); err != nil {
			return fmt.Errorf("copy %s: %w", path, err)
		}
	}
	return nil
}
