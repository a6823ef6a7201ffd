package jobs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"polyid-trainer/jobs/lease"
)

// Reconciler compares records with what the queue must hold and enqueues
// whatever a job still needs. It repairs what no protocol between record and
// queue can: a crash between writing a record and enqueuing, a lost
// acknowledgement, a task that the queue dropped, an emptied Redis. It is also
// the observer of leases: it takes work away from workers that are dead, and
// gives up work that too many of them died over.
//
// Enqueuing what is there already does nothing, and leases change by
// compare-and-set, so it may run anywhere, at any time, more than once. It is
// quickest when the same process runs it each time, since an observer only counts
// what it has seen itself.
type Reconciler struct {
	Store  Store
	Queue  Queue
	Leases *lease.Observer
	Now    func() time.Time
	Log    *slog.Logger
	// Failed, if not nil, is told of each job that was given up, so that its other
	// folds stop.
	Failed func(ctx context.Context, job string)
}

// clearer is a Queue that may show tasks of workers that are dead.
type clearer interface{ ClearLost(context.Context) error }

// Every is how often the reconciler runs. With lease.Length it bounds how long a
// dead worker's fold lies still: between 20 and 30 seconds.
const Every = 10 * time.Second

// Reconcile goes through all jobs once. One job's error does not keep the
// others from being repaired.
func (r *Reconciler) Reconcile(ctx context.Context) error {
	return r.each(ctx, func(name string, l *lease.Lease) lease.Status { return r.Leases.Look(name, l) })
}

// TakeOver takes all work away from the workers that hold it, at once. Only a
// process that knows all of them to be dead may call it: one that has locked the
// directory that all of them worked on.
func (r *Reconciler) TakeOver(ctx context.Context) error {
	return r.each(ctx, func(name string, l *lease.Lease) lease.Status {
		if l.Held() {
			return lease.Dead
		}
		return r.Leases.Look(name, l)
	})
}

// each looks at all jobs, with look for their leases.
func (r *Reconciler) each(ctx context.Context, look func(string, *lease.Lease) lease.Status) error {
	active, err := r.Store.Active(ctx)
	if err != nil {
		return fmt.Errorf("reconcile: %w", err)
	}
	var errs []error
	for _, j := range active {
		if err := r.repair(ctx, j, look); err != nil {
			errs = append(errs, fmt.Errorf("reconcile %s: %w", j.ID, err))
		}
	}
	r.Leases.EndRound()
	if q, ok := r.Queue.(clearer); ok {
		errs = append(errs, q.ClearLost(ctx))
	}
	return errors.Join(errs...)
}

// repair takes a job's work away from dead workers, and enqueues what it needs. A
// record that makes it panic counts as damaged.
func (r *Reconciler) repair(ctx context.Context, j *Job, look func(string, *lease.Lease) lease.Status) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the job's records make no sense: %v", p)
		}
	}()
	folds, err := r.folds(ctx, j)
	if ErrorCode(err) == Damaged {
		return r.failDamaged(ctx, j.ID, err)
	}
	if err != nil {
		return err
	}
	state := j.State
	for i, f := range folds {
		if look(foldLease(j.ID, f.Index), &f.Lease) != lease.Dead {
			continue
		}
		if folds[i], err = r.loseFold(ctx, j, f); err != nil {
			return err
		}
	}
	if j, err = r.loseStage(ctx, j, look); err != nil {
		return err
	}
	if j.rungReached(folds) { // whose worker died between fold and job
		if j, err = r.Store.UpdateJob(ctx, j.ID, func(j *Job) error { return j.ReachRung(r.Now(), folds) }); err != nil {
			return err
		}
	}
	if j.State == Failed && state != Failed && r.Failed != nil {
		r.Failed(ctx, j.ID)
	}
	for _, t := range needed(r.Now(), j, folds, look) {
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

// folds reads the fold records of a job that has some to train, or that is over
// while a dead worker may still hold one of them.
func (r *Reconciler) folds(ctx context.Context, j *Job) ([]*Fold, error) {
	training := j.State == Training && !j.Trained()
	if !training && (!j.State.Ended() || j.Owes()) {
		return nil, nil
	}
	folds, err := r.Store.Folds(ctx, j.ID)
	if err == nil && training && j.Data != nil && len(folds) < len(j.Data.Folds) {
		err = &Error{Code: Damaged, Detail: fmt.Sprintf("the record of fold %d is missing", len(folds))}
	}
	return folds, err
}

// loseFold takes a fold away from a dead worker, and fails its job if it is given
// up.
func (r *Reconciler) loseFold(ctx context.Context, j *Job, f *Fold) (*Fold, error) {
	seen := f.Lease
	lost, err := r.Store.UpdateFold(ctx, j.ID, f.Index, func(f *Fold) error { return f.LoseWorker(&seen) })
	if errors.Is(err, lease.ErrChanged) {
		return f, nil
	}
	if err != nil {
		return f, err
	}
	r.Log.Warn("a worker died over a fold", "job", j.ID, "fold", f.Index, "worker", f.Worker, "losses", lost.Losses, "given_up", lost.Status == FoldFailed)
	if lost.Status != FoldFailed {
		return lost, nil
	}
	failed, err := r.Store.UpdateJob(ctx, j.ID, func(j *Job) error {
		if j.State != Training {
			return nil
		}
		return j.Fail(r.Now(), GaveUp(TrainFold, &lost.Lease, &lost.Index))
	})
	if err == nil {
		*j = *failed
	}
	return lost, err
}

// loseStage takes a job's stage, and its webhooks, away from dead workers.
func (r *Reconciler) loseStage(ctx context.Context, j *Job, look func(string, *lease.Lease) lease.Status) (*Job, error) {
	dead := look(stageLease(j.ID), &j.Stage) == lease.Dead
	var deliveries []int
	for i := range j.Deliveries {
		if d := &j.Deliveries[i]; d.NextAttemptAt != nil && look(deliveryLease(j.ID, d), &d.Lease) == lease.Dead {
			deliveries = append(deliveries, i)
		}
	}
	if !dead && deliveries == nil {
		return j, nil
	}
	seen := *j
	seen.Deliveries = append([]Delivery(nil), j.Deliveries...)
	changed, err := r.Store.UpdateJob(ctx, j.ID, func(j *Job) error {
		if dead {
			if err := j.loseWorker(r.Now(), &seen.Stage); err != nil {
				return err
			}
		}
		for _, i := range deliveries {
			if err := j.Deliveries[i].LoseWorker(&seen.Deliveries[i].Lease); err != nil {
				return err
			}
		}
		return nil
	})
	if errors.Is(err, lease.ErrChanged) {
		return j, nil
	}
	if err != nil {
		return j, err
	}
	if dead {
		r.Log.Warn("a worker died over a job's stage", "job", j.ID, "stage", seen.State, "worker", seen.Stage.Worker, "losses", changed.Stage.Losses, "state", changed.State)
	}
	return changed, nil
}

func stageLease(job string) string          { return job }
func foldLease(job string, fold int) string { return fmt.Sprintf("%s/%d", job, fold) }
func deliveryLease(job string, d *Delivery) string {
	return job + "/" + d.WebhookID
}

// Needed lists the tasks that a job's records call for now; folds are its fold
// records while it is training and not Trained. Work that waits after a failure is left to the
// Reconciler.
func Needed(now time.Time, j *Job, folds []*Fold) []Task {
	return needed(now, j, folds, func(_ string, l *lease.Lease) lease.Status {
		switch {
		case l.Held():
			return lease.Held
		case l.Wait > 0:
			return lease.Waiting
		}
		return lease.Free
	})
}

func needed(now time.Time, j *Job, folds []*Fold, look func(string, *lease.Lease) lease.Status) []Task {
	var tasks []Task
	kind, active := stageKind[j.State]
	if j.State == Training {
		ended := len(folds) > 0 || j.Trained()
		for _, f := range folds {
			if f.Status.Ended() {
				continue
			}
			ended = false
			if j.AtRung(f) {
				continue // until it is promoted
			}
			resumed := f.Resumption != j.Resumptions && !f.Held() // since it last waited
			if resumed || look(foldLease(j.ID, f.Index), &f.Lease) == lease.Free {
				tasks = append(tasks, Task{Kind: TrainFold, Job: j.ID, Fold: f.Index, Attempt: f.Attempt, Owner: j.Owner, Place: j.place(f.Index)})
			}
		}
		active = ended
	}
	if active && look(stageLease(j.ID), &j.Stage) == lease.Free {
		tasks = append(tasks, Task{Kind: kind, Job: j.ID, Attempt: j.Stage.Attempt, Owner: j.Owner, Place: j.place(0)})
	}
	for i := range j.Deliveries {
		d := &j.Deliveries[i]
		if d.NextAttemptAt != nil && !now.Before(*d.NextAttemptAt) && look(deliveryLease(j.ID, d), &d.Lease) == lease.Free {
			tasks = append(tasks, d.Task(j.ID))
		}
	}
	return tasks
}

// stageKind is the work that moves a job out of a state. A job that trains has
// its folds to do first.
var stageKind = map[State]Kind{
	Queued: Prepare, Preparing: Prepare, Training: Finalize, Finalizing: Finalize, Publishing: Publish,
}

// NotifyTask says which event's delivery a task of kind Notify stands for, and
// how many tries were made before it.
func NotifyTask(t Task) (event, tries int) { return t.Attempt >> 8, t.Attempt & 0xff }
