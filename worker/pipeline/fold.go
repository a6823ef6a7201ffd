package pipeline

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"polyid-trainer/jobs"
	"polyid-trainer/nn"
	"polyid-trainer/nn/checkpoint"
	"polyid-trainer/nn/train"
	"polyid-trainer/storage"
)

// handBack is how long a worker that is told to stop may take to save its fold
// and release it.
const handBack = 15 * time.Second

// FoldStore is what training a fold needs of jobs.Store.
type FoldStore interface {
	UpdateFold(ctx context.Context, job string, index int, change func(*jobs.Fold) error) (*jobs.Fold, error)
}

// FoldTrainer trains folds under claims. Its fields are set before use and not
// changed; it may train several folds at once.
type FoldTrainer struct {
	Store     FoldStore
	Bucket    storage.Bucket
	NewEngine nn.NewEngine
	Worker    string        // "host:pid", as records show it
	Every     time.Duration // the longest time between checkpoints
	Recorder  train.Recorder
	Log       *slog.Logger

	Now   func() time.Time                     // nil is time.Now
	After func(time.Duration) <-chan time.Time // nil is time.After
}

// Work is one fold to train.
type Work struct {
	Job    string
	Fold   int
	Config train.Config
	Data   train.Data
	// Model holds all of the fold's model but weights and training state.
	Model checkpoint.Model
}

// Train claims a fold, goes on from its newest checkpoint, and trains it to its
// end: then the best weights are in object storage and the record says so.
//
// It returns a jobs.Conflict if the fold is another's or at an end, and an error
// that wraps jobs.ErrLost if it was another's in the meantime; neither is a
// failure of the fold. When ctx ends, the fold is saved and handed back, and the
// error wraps ctx's cause. Any other error leaves the claim to lapse, so that a
// later attempt goes on from the last checkpoint.
func (t *FoldTrainer) Train(ctx context.Context, w Work) error {
	c := &claim{FoldTrainer: t, Work: w, token: rand.Text()}
	fold, err := c.update(ctx, func(f *jobs.Fold) error { return f.Take(c.now(), t.Worker, c.token) })
	if err != nil {
		return err
	}
	c.attempt, c.until, c.kept = fold.Attempt, fold.Until, fold.Checkpoint
	c.log = t.Log.With("job", w.Job, "fold", w.Fold, "attempt", fold.Attempt)

	held, cancel := context.WithCancelCause(ctx)
	renewed := make(chan struct{})
	go func() {
		defer close(renewed)
		c.renew(held, cancel)
	}()
	err = c.fit(held)
	cancel(nil)
	<-renewed
	return err
}

// claim is one attempt at a fold.
type claim struct {
	*FoldTrainer
	Work
	token   string
	attempt int
	until   time.Time        // when the claim lapses, as last heard
	kept    *jobs.Checkpoint // the newest in the record
	log     *slog.Logger
}

func (c *claim) now() time.Time {
	if c.Now == nil {
		return time.Now()
	}
	return c.Now()
}

func (c *claim) after(d time.Duration) <-chan time.Time {
	if c.After == nil {
		return time.After(d)
	}
	return c.After(d)
}

func (c *claim) update(ctx context.Context, change func(*jobs.Fold) error) (*jobs.Fold, error) {
	return c.Store.UpdateFold(ctx, c.Job, c.Fold, change)
}

// renew keeps the claim until ctx ends. It ends ctx with jobs.ErrLost when the
// claim is another's, or may be because it has lapsed unrenewed.
func (c *claim) renew(ctx context.Context, lost context.CancelCauseFunc) {
	last := c.now()
	for until := c.until; ; {
		select {
		case <-ctx.Done():
			return
		case <-c.after(jobs.RenewEvery):
		}
		now := c.now()
		f, err := c.update(ctx, func(f *jobs.Fold) error { return f.Renew(now, c.token, now.Sub(last)) })
		switch {
		case err == nil:
			last, until = now, f.Until
		case errors.Is(err, jobs.ErrLost):
			lost(fmt.Errorf("fold %d: %w", c.Fold, jobs.ErrLost))
			return
		case !c.now().Before(until):
			lost(fmt.Errorf("fold %d: %w: the claim could not be renewed (%w)", c.Fold, jobs.ErrLost, err))
			return
		case ctx.Err() == nil:
			c.log.Warn("renewing the claim, will try again", "error", err)
		}
	}
}

// fit trains from the newest checkpoint to the end and leaves the result.
func (c *claim) fit(ctx context.Context) error {
	resume, err := c.load(ctx)
	if err != nil {
		return err
	}
	engine, err := c.NewEngine(c.Model.Config, c.Model.Sizes(), train.FoldSeed(c.Config.Seed, c.Fold))
	if err != nil {
		return fmt.Errorf("fold %d: %w", c.Fold, err)
	}
	defer engine.Close()

	result, err := train.Fit(ctx, engine, c.Data, c.Config, train.Options{
		Recorder:     c.Recorder,
		Checkpointer: &train.Timed{Every: c.Every, Now: c.Now, Write: c.keep},
		Resume:       resume,
		Now:          c.Now,
	})
	switch {
	case err != nil && errors.Is(context.Cause(ctx), jobs.ErrLost): // whatever was interrupted by it
		return context.Cause(ctx)
	case errors.Is(err, jobs.ErrLost): // nothing may be written any more
		return err
	case err != nil && ctx.Err() != nil && result != nil:
		return errors.Join(err, c.handBack(ctx, engine, result))
	case err != nil:
		return fmt.Errorf("fold %d: %w", c.Fold, err)
	}
	snap, err := result.Snapshot(engine)
	if err != nil {
		return err
	}
	if err := c.save(ctx, snap); err != nil {
		return err
	}
	return c.finish(ctx, snap)
}

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
	if err == nil || errors.Is(err, jobs.ErrLost) || ctx.Err() != nil {
		return err
	}
	c.log.Warn("saving a checkpoint, training goes on", "error", err)
	return nil
}

// save writes a checkpoint, then names it in the record, then removes the one
// before it.
func (c *claim) save(ctx context.Context, s *train.Snapshot) error {
	epoch, step := len(s.Progress.History), s.Progress.Step
	m := c.Model
	m.Keep(c.Config, s)
	point := &jobs.Checkpoint{Key: checkpointKey(c.Job, c.Fold, c.attempt, epoch, step), Time: c.now().UTC(), Epoch: epoch, Step: step}
	if epoch > 0 {
		last := s.Progress.History[epoch-1]
		best, _ := s.Progress.Best()
		point.Loss, point.ValLoss = float64(last.Loss), float64(last.ValLoss)
		point.BestValLoss, point.BestEpoch = float64(best.ValLoss), best.Epoch
	}
	if err := c.put(ctx, point.Key, &m); err != nil {
		return fmt.Errorf("saving a checkpoint: %w", err)
	}
	_, err := c.update(ctx, func(f *jobs.Fold) error {
		if err := f.Check(c.token); err != nil {
			return err
		}
		f.Checkpoint = point
		return nil
	})
	if err != nil {
		return fmt.Errorf("saving a checkpoint: %w", err)
	}
	if old := c.kept; old != nil && old.Key != point.Key {
		if err := c.Bucket.Delete(ctx, old.Key); err != nil {
			c.log.Warn("removing a checkpoint that was replaced", "key", old.Key, "error", err)
		}
	}
	c.kept = point
	return nil
}

// finish writes the best weights and ends the claim.
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

// handBack saves a fold whose training was told to stop and gives it free.
func (c *claim) handBack(ctx context.Context, e nn.Engine, r *train.Result) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), handBack)
	defer cancel()
	snap, err := r.Snapshot(e)
	if err != nil {
		return err
	}
	if err := c.save(ctx, snap); err != nil {
		return err
	}
	_, err = c.update(ctx, func(f *jobs.Fold) error { return f.Release(c.token, jobs.FoldQueued) })
	return err
}

// put writes a model under a key of its own. One that is there already is this
// attempt's, from a try whose answer was lost.
func (c *claim) put(ctx context.Context, key string, m *checkpoint.Model) error {
	var b bytes.Buffer
	if err := checkpoint.Write(&b, m); err != nil {
		return err
	}
	_, err := c.Bucket.Put(ctx, key, bytes.NewReader(b.Bytes()), int64(b.Len()), storage.IfAbsent())
	if errors.Is(err, storage.ErrConflict) {
		return nil
	}
	return err
}
