package pipeline

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"sync"
	"time"

	"polyid-trainer/jobs"
	"polyid-trainer/jobs/lease"
)

// watch follows one fold's training: it tells its progress and stops it when the
// job's record says so.
type watch struct {
	*Pipeline
	job      *jobs.Job
	fold     int
	progress *progress
	share    *Share
	log      *slog.Logger
}

var _ Follower = (*watch)(nil)

// began records that the fold begins or goes on.
func (w *watch) began(ctx context.Context, f *jobs.Fold) error {
	_, err := w.Store.UpdateJob(ctx, w.job.ID, func(j *jobs.Job) error {
		if err := goesOn(j); err != nil {
			return err
		}
		return j.FoldClaimed(w.now(), f)
	})
	if err != nil {
		return stopIfGone(err)
	}
	w.log.Info("the fold is claimed", "worker", f.Worker, "epoch", f.ResumedFrom)
	w.changed(ctx, w.job.ID)
	w.progress.claimed(f)
	return nil
}

// Checkpointed implements Follower: it looks whether the job goes on.
func (w *watch) Checkpointed(ctx context.Context) error { return w.record(ctx) }

// Renewed implements Follower: it looks whether the job may cost more.
func (w *watch) Renewed(ctx context.Context) error {
	if w.job.Spec.MaxUSD <= 0 {
		return nil
	}
	return w.budget(ctx)
}

// record looks whether the job goes on. Storage that is away stops nothing.
func (w *watch) record(ctx context.Context) error {
	j, err := w.Store.Job(ctx, w.job.ID)
	if err == nil {
		return goesOn(j)
	}
	if err = stopIfGone(err); errors.Is(err, lease.ErrStop) {
		return err
	}
	if ctx.Err() == nil {
		w.log.Warn("looking whether the job goes on", "error", err)
	}
	return nil
}

// goesOn is nil while a job trains, and otherwise the Stop it means for a fold.
func goesOn(j *jobs.Job) error {
	switch j.State {
	case jobs.Training:
		return nil
	case jobs.Cancelled:
		return Stop{jobs.FoldCancelled}
	}
	return Stop{jobs.FoldPaused}
}

// stopIfGone makes a Stop of an error that says that the job was deleted.
func stopIfGone(err error) error {
	if jobs.ErrorCode(err) == jobs.NotFound {
		return Stop{jobs.FoldCancelled}
	}
	return err
}

// budget pauses the job once its folds have cost as much as they may.
func (w *watch) budget(ctx context.Context) error {
	folds, err := w.Store.Folds(ctx, w.job.ID)
	if err != nil {
		w.log.Warn("adding up what the job has cost", "error", err)
		return nil
	}
	spent := 0.0
	for _, f := range folds {
		_, usd := f.Spent()
		spent += usd
	}
	if spent < w.job.Spec.MaxUSD {
		return nil
	}
	j, err := w.Store.UpdateJob(ctx, w.job.ID, func(j *jobs.Job) error {
		if j.State != jobs.Training {
			return nil
		}
		return j.Pause(w.now(), "budget")
	})
	if err != nil {
		return stopIfGone(err)
	}
	w.log.Info("the job has spent what it may", "usd", spent, "max_cost_usd", w.job.Spec.MaxUSD)
	w.tell(ctx, w.job.ID, jobs.Pause)
	return goesOn(j)
}

// withHeartbeat does work and tells the fold's progress meanwhile. The work's
// context ends when the job does not go on.
func (w *watch) withHeartbeat(ctx context.Context, work func(context.Context) error) error {
	ctx, stop := context.WithCancelCause(ctx)
	var telling sync.WaitGroup
	telling.Go(func() { w.heartbeat(ctx, stop) })
	err := work(ctx)
	cause := context.Cause(ctx)
	stop(nil)
	telling.Wait()
	if err != nil && errors.Is(cause, lease.ErrStop) {
		return errors.Join(err, cause)
	}
	return err
}

// heartbeat tells the fold's progress until ctx ends, and ends it when the job
// does not go on. What it is told is only a call to look at the record, and so is
// having nobody to ask.
func (w *watch) heartbeat(ctx context.Context, stop context.CancelCauseFunc) {
	tick := time.NewTicker(orDefault(w.HeartbeatEvery, defaultHeartbeat))
	defer tick.Stop()
	for {
		if told, err := w.tellProgress(ctx); err != nil || told != jobs.Continue {
			if err := w.record(ctx); err != nil {
				stop(err)
				return
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// errAlone means that there is nobody to tell.
var errAlone = errors.New("no live progress")

func (w *watch) tellProgress(ctx context.Context) (jobs.Control, error) {
	if w.Live == nil {
		return jobs.Continue, errAlone
	}
	body, err := json.Marshal(w.progress.tell(w.share.Owed()))
	if err != nil {
		return jobs.Continue, err
	}
	return w.Live.Heartbeat(ctx, w.job.ID, w.fold, body)
}
