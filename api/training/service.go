// Package training is the service of training jobs: it submits, checks,
// estimates, pauses, resumes, cancels, publishes again and deletes them, and
// shows what they have done. It knows nothing of HTTP.
//
// A job goes through it once, at the start:
//
//	Request → check (datasets, split, Hub, memory) → Submit: tables, record, task
//
// From there on workers carry it, and the service only changes its record.
package training

import (
	"context"
	"encoding/json"
	"io/fs"
	"log/slog"
	"time"

	"polyid-trainer/api/datasets"
	"polyid-trainer/api/estimate"
	"polyid-trainer/data"
	"polyid-trainer/jobs"
	"polyid-trainer/jobs/idempotency"
	"polyid-trainer/storage"
)

// Service submits training jobs and acts on them. Its fields are set before use
// and not changed; it may be used concurrently.
type Service struct {
	Store   Store
	Queue   Queue
	Live    Live
	Bucket  storage.Bucket // of the records, for the objects beside them
	Library *datasets.Library
	Keys    *idempotency.Keys // nil ignores idempotency keys
	// Hub is asked before a job begins; nil asks nothing.
	Hub Hub
	// Weights opens the files of a revision that a job starts from,
	// model_fold_<i>/model.safetensors; nil refuses such jobs.
	Weights func(ctx context.Context, from jobs.Revision) (fs.FS, error)
	// Estimator measures what a job will take: how fast a job will train; nil estimates no time.
	Estimator Estimator
	// Reason says why a job, of which no fold is trained, waits, "" where nothing is
	// known; nil says nothing.
	Reason func(ctx context.Context, j *jobs.Job) string

	HubRepo string // where jobs publish that name no repository
	// Budget is what an owner's jobs may cost this month and what they have cost, in
	// USD; a limit of 0 is none. nil limits nobody.
	Budget func(ctx context.Context, owner string) (limit, spent float64, err error)
	// Home is HubRepo of who asks in ctx; nil is HubRepo for everyone.
	Home        func(ctx context.Context) string
	CostPerHour float64 // USD of a worker process

	// MemoryLimit is what this process may use, in bytes; 0 is no limit. Steps of
	// a job that needs more are not measured here.
	MemoryLimit int64
	// TrainsHere says that this process trains the jobs, so that one that needs
	// more than MemoryLimit is refused.
	TrainsHere bool

	Now func() time.Time // nil is time.Now
	Log *slog.Logger     // nil discards
}

// Store holds the records of training jobs.
type Store interface {
	jobs.Store
	// DeleteJob removes a job that has ended, with all its objects.
	DeleteJob(ctx context.Context, id string) error
}

// Queue takes tasks.
type Queue interface {
	jobs.Queue
	// Ready returns why Enqueue would fail, or nil.
	Ready(context.Context) error
}

// Live carries what running folds report and what they are told. All of it may
// be lost: the records alone decide.
type Live interface {
	Progress(ctx context.Context, job string, folds int) ([]json.RawMessage, error)
	Tell(ctx context.Context, job string, c jobs.Control) error
	Subscribe(ctx context.Context, job string) <-chan jobs.Update
}

// Hub is asked before a job begins, so that what would fail after hours of
// training fails at once.
type Hub interface {
	// Preflight lists what keeps a job from publishing to d, or from starting
	// from a revision; either may be nil. Pointers are into the job. An error is
	// jobs.Forbidden for a repository that is not allowed, or jobs.Unavailable.
	Preflight(ctx context.Context, d *jobs.Destination, from *jobs.Revision) ([]jobs.Problem, error)
}

// Estimator measures how fast a job will train.
type Estimator interface {
	Pace(ctx context.Context, s *jobs.Spec, t *data.Table) (estimate.Pace, error)
	// Memory computes what a fold of the job takes, without taking it.
	Memory(ctx context.Context, s *jobs.Spec, t *data.Table) (estimate.Memory, error)
}

var _ Estimator = (*estimate.Estimator)(nil)

// home is where a job publishes that names no repository.
func (s *Service) home(ctx context.Context) string {
	if s.Home == nil {
		return s.HubRepo
	}
	return s.Home(ctx)
}

func (s *Service) now() time.Time {
	if s.Now == nil {
		return time.Now()
	}
	return s.Now()
}

func (s *Service) log() *slog.Logger {
	if s.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return s.Log
}
