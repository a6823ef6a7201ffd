package pipeline

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"polyid-trainer/jobs"
)

// stage is a claim on the work of a job's state.
type stage struct {
	*Pipeline
	job   *jobs.Job // as it was claimed
	token string
	until deadline
	log   *slog.Logger
}

// errMoved means that the job is no longer in the state whose work was claimed:
// paused, cancelled, or done by another.
var errMoved = errors.New("the job has moved on")

// stage claims the work of a job that is in one of the states in, lets enter
// move the record, and does the work, which ends with stage.done. A claim that
// another holds, and a job that has moved on, are no errors: then what the job
// needs now is enqueued.
func (p *Pipeline) stage(ctx context.Context, id string, in []jobs.State, enter func(*jobs.Job) error, work func(context.Context, *stage) error) error {
	s := &stage{Pipeline: p, token: rand.Text()}
	j, err := p.Store.UpdateJob(ctx, id, func(j *jobs.Job) error {
		if !slices.Contains(in, j.State) {
			return errMoved
		}
		if err := j.Stage.Take(p.now(), p.Worker, s.token); err != nil {
			return err
		}
		p.Lease.extend(&j.Stage, p.now())
		return enter(j)
	})
	switch {
	case errors.Is(err, errMoved):
		if j, err = p.Store.Job(ctx, id); err != nil {
			return err
		}
		return p.next(ctx, j)
	case jobs.ErrorCode(err) == jobs.Conflict:
		return nil // the reconciler looks after it
	case err != nil:
		return err
	}
	p.changed(ctx, id)
	s.job = j
	s.until.set(j.Stage.Until)
	s.log = p.Log.With("job", id, "stage", j.State, "attempt", j.Stage.Attempt)
	s.log.Info("stage began", "worker", p.Worker)

	held, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var renewing sync.WaitGroup
	renewing.Go(func() {
		k := keeper{lease: p.Lease, until: &s.until, renew: s.renew, now: p.now, after: time.After, log: s.log}
		k.keep(held, cancel)
	})
	err = work(held, s)
	cause := context.Cause(held)
	cancel(nil)
	renewing.Wait()
	return s.settle(ctx, cause, err)
}

// update changes the record under the claim, while the job is in its state.
func (s *stage) update(ctx context.Context, change func(*jobs.Job) error) (*jobs.Job, error) {
	return s.Store.UpdateJob(ctx, s.job.ID, func(j *jobs.Job) error {
		if err := j.Stage.Check(s.token); err != nil {
			return err
		}
		if j.State != s.job.State {
			return errMoved
		}
		return change(j)
	})
}

func (s *stage) renew(ctx context.Context) error {
	j, err := s.update(ctx, func(j *jobs.Job) error {
		s.Lease.extend(&j.Stage, s.now())
		return nil
	})
	if errors.Is(err, errMoved) {
		return Stop{jobs.FoldPaused}
	}
	if err == nil {
		s.until.set(j.Stage.Until)
	}
	return err
}

// done ends the claim with the record moved by change, and enqueues what comes
// next.
func (s *stage) done(ctx context.Context, change func(*jobs.Job) error) error {
	j, err := s.update(ctx, func(j *jobs.Job) error {
		if err := j.Stage.Release(s.token); err != nil {
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

// settle leaves the record as work that ended with err calls for. cause is why
// it was told to stop, if it was.
func (s *stage) settle(ctx context.Context, cause, err error) error {
	var stop Stop
	fatal, hopeless := asFailure(err)
	moved := errors.Is(err, errMoved) || errors.As(cause, &stop)
	switch {
	case err == nil:
		return nil
	case isLost(cause) || isLost(err):
		return fmt.Errorf("%s: %w", s.job.State, jobs.ErrLost)
	case cause == nil && !moved && !hopeless:
		return fmt.Errorf("%s: %w", s.job.State, err) // the claim lapses, which is time for what is away to return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), handBack)
	defer cancel()
	j, released := s.Store.UpdateJob(ctx, s.job.ID, func(j *jobs.Job) error {
		if err := j.Stage.Release(s.token); err != nil {
			return err
		}
		if hopeless && j.State == s.job.State {
			return j.Fail(s.now(), fatal)
		}
		return nil
	})
	switch {
	case released != nil:
		return errors.Join(err, released)
	case hopeless:
		s.log.Error("the job has failed", "code", fatal.Code, "detail", fatal.Detail)
		return s.next(ctx, j)
	case moved:
		s.log.Info("the job has moved on", "state", j.State)
		return nil
	}
	return err
}
