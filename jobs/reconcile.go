package jobs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// Reconciler compares records with what the queue must hold and enqueues
// whatever a job still needs. It heals what no protocol between record and
// queue can: a crash between writing a record and enqueuing, a lost
// acknowledgement, a task archived in silence, an emptied Redis, a worker that
// died. Enqueuing what is there already does nothing, so it may run anywhere,
// at any time, more than once.
type Reconciler struct {
	Store Store
	Queue Queue
	Now   func() time.Time
	Log   *slog.Logger
}

// Every is how often the reconciler runs. With Lease it bounds how long a dead
// worker's fold lies still.
const Every = 10 * time.Second

// Run reconciles at once and then at every tick until ctx ends.
func (r *Reconciler) Run(ctx context.Context, tick <-chan time.Time) error {
	for {
		if err := r.Reconcile(ctx); err != nil && ctx.Err() == nil {
			r.Log.Error("reconcile", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick:
		}
	}
}

// Reconcile goes through all jobs once. One job's error does not keep the
// others from being healed.
func (r *Reconciler) Reconcile(ctx context.Context) error {
	active, err := r.Store.Active(ctx)
	if err != nil {
		return fmt.Errorf("reconcile: %w", err)
	}
	var errs []error
	for _, j := range active {
		if err := r.heal(ctx, j); err != nil {
			errs = append(errs, fmt.Errorf("reconcile %s: %w", j.ID, err))
		}
	}
	return errors.Join(errs...)
}

// heal enqueues what one job needs. A record that makes it panic counts as
// damaged.
func (r *Reconciler) heal(ctx context.Context, j *Job) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the job's records make no sense: %v", p)
		}
	}()
	var folds []*Fold
	if j.State == Training {
		folds, err = r.Store.Folds(ctx, j.ID)
		if err == nil && j.Data != nil && len(folds) < len(j.Data.Folds) {
			err = &Error{Code: Damaged, Detail: fmt.Sprintf("the record of fold %d is missing", len(folds))}
		}
		if ErrorCode(err) == Damaged {
			return r.failDamaged(ctx, j.ID, err)
		}
		if err != nil {
			return err
		}
	}
	for _, t := range Needed(r.Now(), j, folds) {
		if err := r.Queue.Enqueue(ctx, t); err != nil {
			return err
		}
	}
	return nil
}

// failDamaged ends a job whose folds cannot be read. Its own record says why, and
// it can be resumed once they are repaired.
func (r *Reconciler) failDamaged(ctx context.Context, id string, cause error) error {
	var known *Error
	errors.As(cause, &known)
	_, err := r.Store.UpdateJob(ctx, id, func(j *Job) error {
		if j.State != Training {
			return nil
		}
		return j.Fail(r.Now(), Failure{
			Code: string(Damaged), Detail: known.Detail + ": `api doctor --repair` repairs what can be, and then the job can be resumed",
		})
	})
	return err
}

// Needed lists the tasks that a job's records call for now; folds are its fold
// records while it is training.
func Needed(now time.Time, j *Job, folds []*Fold) []Task {
	var tasks []Task
	stage := func(kind Kind) {
		if !j.Stage.Held(now) {
			tasks = append(tasks, Task{Kind: kind, Job: j.ID, Attempt: j.Stage.Attempt})
		}
	}
	switch j.State {
	case Queued, Preparing:
		stage(Prepare)
	case Training:
		ended := len(folds) > 0
		for _, f := range folds {
			if f.Status.Ended() {
				continue
			}
			ended = false
			if !f.Held(now) {
				tasks = append(tasks, Task{Kind: TrainFold, Job: j.ID, Fold: f.Index, Attempt: f.Attempt})
			}
		}
		if ended {
			stage(Finalize)
		}
	case Finalizing:
		stage(Finalize)
	case Publishing:
		stage(Publish)
	}
	for _, d := range j.Deliveries {
		if d.NextAttemptAt != nil && !now.Before(*d.NextAttemptAt) {
			tasks = append(tasks, Task{Kind: Notify, Job: j.ID, Attempt: d.Event<<8 | len(d.Attempts)}) // see NotifyTask
		}
	}
	return tasks
}

// NotifyTask says which event's delivery a task of kind Notify stands for, and
// how many tries were made before it.
func NotifyTask(t Task) (event, tries int) { return t.Attempt >> 8, t.Attempt & 0xff }
