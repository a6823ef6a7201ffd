package pipeline

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"polyid-trainer/jobs"
	"polyid-trainer/jobs/lease"
	"polyid-trainer/nn"
	"polyid-trainer/storage"
	"polyid-trainer/worker/memory"
)

// Live is what running folds tell, and are told, between checkpoints. All of it
// may be lost.
type Live interface {
	// Heartbeat tells a fold's progress and returns what the fold is to do.
	Heartbeat(ctx context.Context, job string, fold int, progress json.RawMessage) (jobs.Control, error)
	// Tell tells a job's folds what to do at their next heartbeat.
	Tell(ctx context.Context, job string, c jobs.Control) error
	// Changed wakes up whoever watches the job.
	Changed(ctx context.Context, job string) error
}

// Pipeline works on the stages of training jobs. Its fields are set before use
// and not changed; it may work on many tasks at once.
type Pipeline struct {
	Store     jobs.Store
	Queue     jobs.Queue
	Bucket    storage.Bucket
	NewEngine nn.NewEngine
	Live      Live // nil tells nobody: records alone decide

	Worker         string        // "host:pid", as records show it
	Hardware       string        // of this machine, as the model card names it
	Code           string        // version of this program, as models name it
	Every          time.Duration // the longest time between checkpoints; 0 is a minute
	HeartbeatEvery time.Duration // between two tellings of a fold's progress; 0 is two seconds
	Lease          lease.Terms
	Memory         *memory.Budget // for the folds that train at once; nil has no limit
	CostPerHour    float64        // USD of this process
	Log            *slog.Logger
	Now            func() time.Time // nil is time.Now

	once    sync.Once
	meter   *Meter
	corpora corpusCache
}

const (
	defaultEvery     = time.Minute
	defaultHeartbeat = 2 * time.Second
)

// Handle works on a task of kind jobs.Prepare, jobs.TrainFold or jobs.Finalize.
// Its errors are those that redisjobs.Server.Handler asks for. A task whose work
// is done already, or another's, is no error.
func (p *Pipeline) Handle(ctx context.Context, t jobs.Task) error {
	p.once.Do(func() { p.meter = NewMeter(p.Now) })
	var err error
	switch t.Kind {
	case jobs.Prepare:
		err = p.prepare(ctx, t.Job)
	case jobs.TrainFold:
		err = p.train(ctx, t.Job, t.Fold)
	case jobs.Finalize:
		err = p.finalize(ctx, t.Job)
	default:
		return jobs.Permanent(fmt.Errorf("a worker knows no task of kind %q", t.Kind))
	}
	if jobs.ErrorCode(err) == jobs.NotFound { // deleted
		return nil
	}
	return err
}

func (p *Pipeline) now() time.Time {
	if p.Now == nil {
		return time.Now()
	}
	return p.Now()
}

// next enqueues what a job needs after its record has moved, and wakes up who
// watches it. What fails here the reconciler does.
func (p *Pipeline) next(ctx context.Context, j *jobs.Job) error {
	p.changed(ctx, j.ID)
	var folds []*jobs.Fold
	if j.State == jobs.Training && !j.Trained() {
		var err error
		if folds, err = p.Store.Folds(ctx, j.ID); err != nil {
			return err
		}
	}
	return p.enqueue(ctx, j, folds)
}

// enqueue enqueues what a job needs, given its fold records, and wakes up the
// search of a trial that has stopped.
func (p *Pipeline) enqueue(ctx context.Context, j *jobs.Job, folds []*jobs.Fold) error {
	for _, t := range jobs.Needed(p.now(), j, folds) {
		if err := p.Queue.Enqueue(ctx, t); err != nil {
			return err
		}
	}
	if t := j.Trial; t != nil && (j.State.Ended() || j.State == jobs.Paused) {
		return p.Queue.Enqueue(ctx, jobs.Task{Kind: jobs.StepSearch, Job: t.Search})
	}
	return nil
}

func (p *Pipeline) changed(ctx context.Context, job string) {
	if p.Live == nil {
		return
	}
	if err := p.Live.Changed(ctx, job); err != nil && ctx.Err() == nil {
		p.Log.Warn("waking up the job's watchers", "job", job, "error", err)
	}
}

func orDefault(d, otherwise time.Duration) time.Duration {
	if d == 0 {
		return otherwise
	}
	return d
}

// failed is a failure that ends a job.
type failed struct{ jobs.Failure }

func (f *failed) Error() string { return f.Detail }

// failure makes the error that ends a job for good.
func failure(code, format string, args ...any) error {
	return &failed{jobs.Failure{Code: code, Detail: fmt.Sprintf(format, args...)}}
}

// asFailure finds the failure in an error that no retry can mend.
func asFailure(err error) (jobs.Failure, bool) {
	var f *failed
	switch {
	case errors.As(err, &f):
		return f.Failure, true
	case jobs.IsPermanent(err):
		return jobs.Failure{Code: "permanent", Detail: err.Error()}, true
	}
	return jobs.Failure{}, false
}
