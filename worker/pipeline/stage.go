package pipeline

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"polyid-trainer/jobs"
	"polyid-trainer/jobs/lease"
	"polyid-trainer/storage"
)

// stopping is how long a worker that is told to stop may take to save what it has
// and to release its lease.
const stopping = 15 * time.Second

// stage is a claim on the work of a job's state, which is all of it but folds.
type stage struct {
	*Pipeline
	kind   jobs.Kind
	job    *jobs.Job // as it was claimed
	holder *lease.Holder
	log    *slog.Logger
}

// errMoved means that the job is no longer in the state whose work was claimed:
// it was paused or cancelled, or another worker did the work.
var errMoved = fmt.Errorf("the job has moved on: %w", lease.ErrStop)

// stage claims the work of a job that is in one of the states in, lets enter
// move the record, and does the work, which ends with stage.done. If another
// worker holds the lease, or the job has moved on, there is nothing to do but to
// enqueue what the job needs now.
func (p *Pipeline) stage(ctx context.Context, kind jobs.Kind, id string, in []jobs.State, enter func(*jobs.Job) error, work func(context.Context, *stage) error) error {
	s := &stage{Pipeline: p, kind: kind, holder: lease.NewHolder(p.Lease, p.Log)}
	j, err := p.Store.UpdateJob(ctx, id, func(j *jobs.Job) error {
		if !slices.Contains(in, j.State) {
			return errMoved
		}
		if err := s.holder.Claim(&j.Stage, p.now(), p.Worker); err != nil {
			return err
		}
		return enter(j)
	})
	switch {
	case errors.Is(err, errMoved):
		if j, err = p.Store.Job(ctx, id); err != nil {
			return err
		}
		return p.next(ctx, j)
	case lease.IsHeld(err), jobs.ErrorCode(err) == jobs.Conflict:
		return nil // the reconciler looks after it
	case err != nil:
		return err
	}
	p.changed(ctx, id)
	s.job = j
	s.log = p.Log.With("job", id, "stage", j.State, "attempt", j.Stage.Attempt)
	s.log.Info("stage began", "worker", p.Worker)
	outcome, err := s.holder.Run(ctx, s.renew, func(ctx context.Context) error { return work(ctx, s) })
	return s.recordOutcome(ctx, outcome, err)
}

// update changes the record under the lease, while the job is in its state.
func (s *stage) update(ctx context.Context, change func(*jobs.Job) error) (*jobs.Job, error) {
	j, err := s.Store.UpdateJob(ctx, s.job.ID, func(j *jobs.Job) error {
		if err := j.Stage.Check(s.holder.Token); err != nil {
			return err
		}
		if j.State != s.job.State {
			return errMoved
		}
		return change(j)
	})
	return j, lostIfGone(err)
}

// lostIfGone makes jobs.ErrLost of the error of updating a record that was
// deleted.
func lostIfGone(err error) error {
	if errors.Is(err, storage.ErrNotExist) || jobs.ErrorCode(err) == jobs.NotFound {
		return fmt.Errorf("%w: the record was deleted", jobs.ErrLost)
	}
	return err
}

func (s *stage) renew(ctx context.Context) error {
	_, err := s.update(ctx, func(j *jobs.Job) error { return s.holder.Renew(&j.Stage, s.now()) })
	return err
}

// done ends the stage with the record moved by change, and enqueues what comes
// next.
func (s *stage) done(ctx context.Context, change func(*jobs.Job) error) error {
	j, err := s.update(ctx, func(j *jobs.Job) error {
		if err := j.Stage.Succeed(s.holder.Token); err != nil {
			return err
		}
		return change(j)
	})
	if err != nil {
		return err
	}
	s.log.Info("stage ended", "state", j.State)
	return s.next(ctx, j)
}

// recordOutcome leaves the record as work that ended so calls for. A failure that
// is recorded is no error: the record says when to try again.
func (s *stage) recordOutcome(ctx context.Context, outcome lease.Outcome, err error) error {
	switch outcome {
	case lease.Done:
		return nil
	case lease.Lost:
		return fmt.Errorf("%s: %w", s.job.State, err)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopping)
	defer cancel()
	failure, hopeless := asFailure(err)
	j, recorded := s.Store.UpdateJob(ctx, s.job.ID, func(j *jobs.Job) error {
		if outcome == lease.Failed && j.State == s.job.State {
			return j.FailStage(s.now(), s.kind, s.holder.Token, err, failure, hopeless)
		}
		return j.Stage.Release(s.holder.Token)
	})
	if recorded != nil {
		return errors.Join(err, fmt.Errorf("recording the outcome of a stage: %w", recorded))
	}
	switch {
	case outcome == lease.Interrupted:
		return err
	case outcome == lease.Stopped:
		s.log.Info("the job has moved on", "state", j.State)
		return nil
	case j.State == jobs.Failed:
		s.log.Error("the job has failed", "code", j.Failure.Code, "detail", j.Failure.Detail, "error", err)
	default:
		s.log.Warn("the stage failed, to be tried again", "failures", j.Stage.Failures, "error", err)
	}
	return s.next(ctx, j)
}
