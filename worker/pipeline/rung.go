package pipeline

import (
	"context"
	"errors"
	"math"

	"polyid-trainer/data"
	"polyid-trainer/jobs"
	"polyid-trainer/nn/revision"
)

// Rungs: where the trials of a search wait for each other.

// until is the epoch at which the folds of a job stop for now, 0 for the last.
func until(j *jobs.Job) int {
	if j.Trial == nil {
		return 0
	}
	return j.Trial.PauseAt
}

// waits reports whether a fold that has finished so many epochs waits at the rung
// rather than being done.
func (w *FoldWork) waits(epochs int) bool {
	return w.Until > 0 && epochs >= w.Until && w.Until < w.Config.Epochs
}

// foldScore is how far predictions were off, beside the median of the rows that
// the fold trained on.
func foldScore(t *data.Table, fold data.Fold, epoch int, s *Scored) *jobs.FoldScore {
	out := &jobs.FoldScore{Epoch: epoch}
	medians := revision.Baseline(t, fold.Train)
	for i, target := range s.Targets {
		sum := jobs.TargetScore{Target: target.Name}
		for _, row := range s.Data {
			y := float64(row.Measured[i])
			if math.IsNaN(y) {
				continue
			}
			d := float64(row.Predicted[i]) - y
			sum.Rows++
			sum.Absolute += math.Abs(d)
			sum.Squares += d * d
			if m := medians[i]; !math.IsNaN(m) {
				sum.Baseline += math.Abs(y - m)
			}
		}
		out.Targets = append(out.Targets, sum)
	}
	return out
}

// errAtRung ends the work of a fold that waits at its rung.
var errAtRung = Stop{jobs.FoldPaused}

// WaitAtRung records what the fold has scored and ends the claim: its last
// checkpoint is where it goes on.
func (a *Attempt) WaitAtRung(ctx context.Context, score *jobs.FoldScore) error {
	_, err := a.update(ctx, func(f *jobs.Fold) error {
		f.Score = score
		return nil
	})
	if err != nil {
		return err
	}
	return errAtRung
}

// reachRung pauses a trial whose last fold has stopped at its rung, and wakes its
// search up.
func (p *Pipeline) reachRung(ctx context.Context, id string) error {
	folds, err := p.Store.Folds(ctx, id)
	if err != nil {
		return err
	}
	j, err := p.Store.UpdateJob(ctx, id, func(j *jobs.Job) error { return j.ReachRung(p.now(), folds) })
	if jobs.ErrorCode(err) == jobs.NotFound {
		return nil
	}
	if err != nil {
		return errors.Join(errors.New("recording that a trial waits at its rung"), err)
	}
	return p.next(ctx, j)
}
