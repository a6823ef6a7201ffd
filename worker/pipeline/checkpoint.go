package pipeline

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"polyid-trainer/jobs"
	"polyid-trainer/jobs/keys"
	"polyid-trainer/jobs/lease"
	"polyid-trainer/nn"
	"polyid-trainer/nn/checkpoint"
	"polyid-trainer/nn/train"
	"polyid-trainer/storage"
)

// What an attempt at a fold reads and writes: each object first, then the record
// that names it.

// load reads the newest checkpoint; nil if there is none.
func (a *Attempt) load(ctx context.Context, w *FoldWork) (*train.Snapshot, error) {
	if a.newest == nil {
		return nil, nil
	}
	o, err := a.Bucket.Get(ctx, a.newest.Key)
	if err != nil {
		return nil, fmt.Errorf("loading the checkpoint: %w", err)
	}
	defer o.Close()
	m, err := checkpoint.Read(o)
	if err != nil {
		return nil, fmt.Errorf("loading the checkpoint %s: %w", a.newest.Key, err)
	}
	if m.Origin.DataHash != w.Model.Origin.DataHash || m.Origin.Fold != a.Record.Index {
		return nil, jobs.Permanent(fmt.Errorf("the checkpoint %s is of other data", a.newest.Key))
	}
	return m.Snapshot()
}

// tryCheckpoint saves a checkpoint in the course of training. If storage is away,
// the training goes on and the next one is tried.
func (a *Attempt) tryCheckpoint(ctx context.Context, w *FoldWork, s *train.Snapshot) error {
	err := a.checkpoint(ctx, w, s)
	if err == nil || errors.Is(err, jobs.ErrLost) || errors.Is(err, lease.ErrStop) || ctx.Err() != nil {
		return err
	}
	a.log.Warn("a checkpoint was not saved, training goes on", "error", err)
	return nil
}

// checkpoint writes a checkpoint, then names it in the record, then removes the
// one before it. A worker that slept for longer than its lease asks first whether
// the fold is still its own.
func (a *Attempt) checkpoint(ctx context.Context, w *FoldWork, s *train.Snapshot) error {
	if err := a.holder.Fresh(ctx, a.renew); err != nil {
		return fmt.Errorf("saving a checkpoint: %w", err)
	}
	epoch, step := len(s.Progress.History), s.Progress.Step
	m := w.Model
	m.Keep(w.Config, s)
	point := &jobs.Checkpoint{Key: keys.Checkpoint(a.Record.Job, a.Record.Index, a.Record.Attempt, epoch, step), Time: a.now().UTC(), Epoch: epoch, Step: step}
	if epoch > 0 {
		point.Loss = float64(s.Progress.History[epoch-1].Loss)
		if last, ok := s.Progress.LastValidated(); ok {
			best, _ := s.Progress.Best()
			point.ValLoss, point.BestValLoss, point.BestEpoch = float64(last.ValLoss), float64(best.ValLoss), best.Epoch
		}
	}
	if err := a.put(ctx, point.Key, &m); err != nil {
		return fmt.Errorf("saving a checkpoint: %w", err)
	}
	_, err := a.update(ctx, func(f *jobs.Fold) error {
		f.Checkpointed(point)
		return nil
	})
	if err != nil {
		if errors.Is(err, jobs.ErrLost) {
			err = errors.Join(err, a.Bucket.Delete(ctx, point.Key)) // no record will name it
		}
		return fmt.Errorf("saving a checkpoint: %w", err)
	}
	if old := a.newest; old != nil && old.Key != point.Key {
		if err := a.Bucket.Delete(ctx, old.Key); err != nil {
			a.log.Warn("a checkpoint that was replaced is still there", "key", old.Key, "error", err)
		}
	}
	a.newest = point
	if a.Follower == nil {
		return nil
	}
	return a.Follower.Checkpointed(ctx)
}

// Best is the model with the best weights of a training, as it is published.
func (a *Attempt) Best(w *FoldWork, s *train.Snapshot) (*checkpoint.Model, error) {
	m := w.Model
	m.Keep(w.Config, s)
	return m.Published()
}

// Finish writes the best weights, the history and what the model makes of the rows
// it did not see (scored and, for a search, score; nil for none), and ends the
// claim.
func (a *Attempt) Finish(ctx context.Context, s *train.Snapshot, best *checkpoint.Model, scored *Scored, score *jobs.FoldScore) (*jobs.Fold, error) {
	job, fold := a.Record.Job, a.Record.Index
	key := keys.FoldModel(job, fold, a.Record.Attempt)
	if err := a.put(ctx, key, best); err != nil {
		return nil, fmt.Errorf("saving the model: %w", err)
	}
	history, err := json.Marshal(s.Progress.History)
	if err != nil {
		return nil, err
	}
	if err := putOnce(ctx, a.Bucket, keys.History(job, fold), history); err != nil {
		return nil, fmt.Errorf("saving the history: %w", err)
	}
	if scored != nil {
		body, err := json.Marshal(scored)
		if err != nil {
			return nil, err
		}
		if err := putOnce(ctx, a.Bucket, keys.Scored(job, fold), body); err != nil {
			return nil, fmt.Errorf("saving the predictions: %w", err)
		}
	}
	epoch, _ := s.Progress.Best()
	f, err := a.update(ctx, func(f *jobs.Fold) error {
		f.Score = score
		return f.Finish(a.holder.Token, &jobs.FoldResult{
			Model: key, Epochs: len(s.Progress.History), BestEpoch: epoch.Epoch, BestValLoss: float64(epoch.ValLoss), KernelPaths: s.Progress.Paths,
		})
	})
	if err != nil {
		return nil, fmt.Errorf("recording the result: %w", err)
	}
	return f, nil
}

// saveStopped saves a fold whose training was told to stop.
func (a *Attempt) saveStopped(ctx context.Context, w *FoldWork, e nn.Engine, r *train.Result) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopping)
	defer cancel()
	snap, err := r.Snapshot(e)
	if err != nil {
		return err
	}
	if err := a.checkpoint(ctx, w, snap); err != nil && !errors.Is(err, lease.ErrStop) { // it is stopping already
		return err
	}
	return nil
}

// put writes a model under a key of its own.
func (a *Attempt) put(ctx context.Context, key string, m *checkpoint.Model) error {
	var b bytes.Buffer
	if err := checkpoint.Write(&b, m); err != nil {
		return err
	}
	return putOnce(ctx, a.Bucket, key, b.Bytes())
}

// putOnce writes what has a key of its own. What is there already is the same,
// from a try whose answer was lost or a worker that came this far.
func putOnce(ctx context.Context, b storage.Bucket, key string, body []byte) error {
	_, err := b.Put(ctx, key, bytes.NewReader(body), int64(len(body)), storage.IfAbsent())
	if errors.Is(err, storage.ErrConflict) {
		return nil
	}
	return err
}
