package pipeline

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"polyid-trainer/jobs"
	"polyid-trainer/nn"
	"polyid-trainer/nn/checkpoint"
	"polyid-trainer/nn/train"
	"polyid-trainer/storage"
)

// What a claim on a fold reads and writes: each object first, then the record
// that names it.

// load reads the newest checkpoint; nil if there is none.
func (c *claim) load(ctx context.Context) (*train.Snapshot, error) {
	if c.kept == nil {
		return nil, nil
	}
	o, err := c.Bucket.Get(ctx, c.kept.Key)
	if err != nil {
		return nil, fmt.Errorf("loading the checkpoint: %w", err)
	}
	defer o.Close()
	m, err := checkpoint.Read(o)
	if err != nil {
		return nil, fmt.Errorf("loading the checkpoint %s: %w", c.kept.Key, err)
	}
	if m.Origin.DataHash != c.Model.Origin.DataHash || m.Origin.Fold != c.Fold {
		return nil, jobs.Permanent(fmt.Errorf("the checkpoint %s is of other data", c.kept.Key))
	}
	return m.Snapshot()
}

// keep saves a checkpoint in the course of training. If storage is away, the
// training goes on and the next one is tried.
func (c *claim) keep(ctx context.Context, s *train.Snapshot) error {
	err := c.save(ctx, s)
	var stop Stop
	if err == nil || isLost(err) || errors.As(err, &stop) || ctx.Err() != nil {
		return err
	}
	c.log.Warn("saving a checkpoint, training goes on", "error", err)
	return nil
}

// save writes a checkpoint, then names it in the record, then removes the one
// before it. A worker that slept through its lease asks first whether the fold
// is still its own.
func (c *claim) save(ctx context.Context, s *train.Snapshot) error {
	if c.until.passed(c.now()) {
		if err := unrenewed(c.renew(ctx)); err != nil {
			return fmt.Errorf("saving a checkpoint: %w", err)
		}
	}
	epoch, step := len(s.Progress.History), s.Progress.Step
	m := c.Model
	m.Keep(c.Config, s)
	point := &jobs.Checkpoint{Key: checkpointKey(c.Job, c.Fold, c.attempt, epoch, step), Time: c.now().UTC(), Epoch: epoch, Step: step}
	if epoch > 0 {
		point.Loss = float64(s.Progress.History[epoch-1].Loss)
		if last, ok := s.Progress.LastValidated(); ok {
			best, _ := s.Progress.Best()
			point.ValLoss, point.BestValLoss, point.BestEpoch = float64(last.ValLoss), float64(best.ValLoss), best.Epoch
		}
	}
	if err := c.put(ctx, point.Key, &m); err != nil {
		return fmt.Errorf("saving a checkpoint: %w", err)
	}
	f, err := c.update(ctx, func(f *jobs.Fold) error {
		f.Checkpoint = point
		return nil
	})
	if err != nil {
		if isLost(err) {
			err = errors.Join(err, c.Bucket.Delete(ctx, point.Key)) // nobody will name it
		}
		return fmt.Errorf("saving a checkpoint: %w", err)
	}
	if old := c.kept; old != nil && old.Key != point.Key {
		if err := c.Bucket.Delete(ctx, old.Key); err != nil {
			c.log.Warn("removing a checkpoint that was replaced", "key", old.Key, "error", err)
		}
	}
	c.kept = point
	return c.watch(ctx, Checkpointed, f)
}

// finish writes the best weights, and what they make of the rows they did not
// see, and ends the claim.
func (c *claim) finish(ctx context.Context, s *train.Snapshot) error {
	m := c.Model
	m.Keep(c.Config, s)
	best, err := m.Published()
	if err != nil {
		return fmt.Errorf("fold %d: %w", c.Fold, err)
	}
	key := modelKey(c.Job, c.Fold, c.attempt)
	if err := c.put(ctx, key, best); err != nil {
		return fmt.Errorf("saving the model: %w", err)
	}
	history, err := json.Marshal(s.Progress.History)
	if err != nil {
		return fmt.Errorf("fold %d: %w", c.Fold, err)
	}
	if err := putOnce(ctx, c.Bucket, HistoryKey(c.Job, c.Fold), history); err != nil {
		return fmt.Errorf("saving the history: %w", err)
	}
	if c.Score != nil {
		scored, err := c.Score(ctx, best)
		if err != nil {
			return fmt.Errorf("scoring fold %d: %w", c.Fold, err)
		}
		if err := putOnce(ctx, c.Bucket, ScoredKey(c.Job, c.Fold), scored); err != nil {
			return fmt.Errorf("saving the predictions: %w", err)
		}
	}
	epoch, _ := s.Progress.Best()
	_, err = c.update(ctx, func(f *jobs.Fold) error {
		f.Result = &jobs.FoldResult{
			Model: key, Epochs: len(s.Progress.History), BestEpoch: epoch.Epoch, BestValLoss: float64(epoch.ValLoss), KernelPaths: s.Progress.Paths,
		}
		return f.Release(c.token, jobs.FoldSucceeded)
	})
	if err != nil {
		return fmt.Errorf("ending fold %d: %w", c.Fold, err)
	}
	return nil
}

// handBack saves a fold whose training was told to stop.
func (c *claim) handBack(ctx context.Context, e nn.Engine, r *train.Result) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), handBack)
	defer cancel()
	snap, err := r.Snapshot(e)
	if err != nil {
		return err
	}
	var stop Stop
	if err := c.save(ctx, snap); err != nil && !errors.As(err, &stop) { // it is stopping already
		return err
	}
	return nil
}

// put writes a model under a key of its own.
func (c *claim) put(ctx context.Context, key string, m *checkpoint.Model) error {
	var b bytes.Buffer
	if err := checkpoint.Write(&b, m); err != nil {
		return err
	}
	return putOnce(ctx, c.Bucket, key, b.Bytes())
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
