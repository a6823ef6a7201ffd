package pipeline

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"time"

	"polyid-trainer/jobs"
)

// watch follows one fold's training: it tells its progress and stops it when the
// job's record says so.
type watch struct {
	*Pipeline
	job      *jobs.Job
	fold     int
	progress *progress
	share    *Share
	item     *cached // once loaded
	begin    func()  // the beats
	log      *slog.Logger
}

// see is FoldTrainer.Watch.
func (w *watch) see(ctx context.Context, e FoldEvent, f *jobs.Fold) error {
	switch e {
	case Claimed:
		return w.claimed(ctx, f)
	case Renewed:
		if w.job.Spec.MaxUSD <= 0 {
			return nil
		}
		return w.budget(ctx)
	}
	return w.record(ctx)
}

// claimed records that the fold begins or goes on.
func (w *watch) claimed(ctx context.Context, f *jobs.Fold) error {
	_, err := w.Store.UpdateJob(ctx, w.job.ID, func(j *jobs.Job) error {
		if err := goesOn(j); err != nil {
			return err
		}
		return j.FoldClaimed(w.now(), f)
	})
	if err != nil {
		return gone(err)
	}
	w.log = w.log.With("attempt", f.Attempt)
	w.log.Info("the fold is claimed", "worker", f.Worker, "epoch", f.ResumedFrom)
	w.changed(ctx, w.job.ID)
	w.progress.claimed(f)
	w.begin()
	return nil
}

// record looks whether the job goes on. Storage that is away stops nothing.
func (w *watch) record(ctx context.Context) error {
	j, err := w.Store.Job(ctx, w.job.ID)
	if err == nil {
		return goesOn(j)
	}
	if err = gone(err); isStop(err) {
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

// gone makes a Stop of an error that says that the job was deleted.
func gone(err error) error {
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
		return gone(err)
	}
	w.log.Info("the job has spent what it may", "usd", spent, "max_cost_usd", w.job.Spec.MaxUSD)
	w.tell(ctx, w.job.ID, jobs.Pause)
	return goesOn(j)
}

// beat tells the fold's progress until ctx ends, and ends it when the job does
// not go on. What it is told is only a call to look at the record, and so is
// having nobody to ask.
func (w *watch) beat(ctx context.Context, stop context.CancelCauseFunc) {
	tick := time.NewTicker(orDefault(w.BeatEvery, defaultBeatEvery))
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
	return w.Live.Beat(ctx, w.job.ID, w.fold, body)
}
