package pipeline

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"sync"
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
	Store       FoldStore
	Bucket      storage.Bucket
	NewEngine   nn.NewEngine
	Worker      string        // "host:pid", as records show it
	Every       time.Duration // the longest time between checkpoints
	Lease       Lease
	CostPerHour float64 // USD of the process
	Recorder    train.Recorder
	Log         *slog.Logger

	// Watch, if not nil, is told of the fold's record when it was claimed,
	// renewed and checkpointed. Its error ends the training: a Stop as it says,
	// any other like a failure.
	Watch func(ctx context.Context, e FoldEvent, f *jobs.Fold) error

	Now   func() time.Time                     // nil is time.Now
	After func(time.Duration) <-chan time.Time // nil is time.After
}

// FoldEvent is why FoldTrainer.Watch is called.
type FoldEvent int

// The events.
const (
	Claimed FoldEvent = iota
	Renewed
	Checkpointed
)

// Work is one fold to train.
type Work struct {
	Job   string
	Fold  int
	Share *Share // charged for it; nil charges nothing
	// Load, if not nil, sets the rest once the fold is claimed.
	Load func(context.Context, *Work) error

	Config train.Config
	Data   train.Data
	// Model holds all of the fold's model but weights and training state.
	Model checkpoint.Model
	// Score, if not nil, makes of the trained model what is kept beside it at
	// ScoredKey: what it predicts for the rows it did not see.
	Score func(context.Context, *checkpoint.Model) ([]byte, error)
	// Warm, if not nil, are the weights that a fresh training starts from.
	Warm *nn.Params
}

// Train claims a fold, goes on from its newest checkpoint, and trains it to its
// end: then the best weights are in object storage and the record says so.
//
// It returns a jobs.Conflict if the fold is another's or at an end, and an error
// that wraps jobs.ErrLost if it was another's in the meantime; neither is a
// failure of the fold. When ctx ends, the fold is saved and handed back, and the
// error wraps ctx's cause, a Stop for one. Any other error counts as a failure
// and leaves the claim to lapse, so that a later attempt goes on from the last
// checkpoint; where no later attempt can do better, the fold has failed and the
// error is jobs.Permanent.
func (t *FoldTrainer) Train(ctx context.Context, w Work) error {
	c := &claim{FoldTrainer: t, Work: w, token: rand.Text()}
	fold, err := t.Store.UpdateFold(ctx, w.Job, w.Fold, func(f *jobs.Fold) error {
		if err := f.Take(c.now(), t.Worker, c.token); err != nil {
			return err
		}
		t.Lease.extend(&f.Claim, c.now())
		return nil
	})
	if err != nil {
		return err
	}
	c.attempt, c.kept = fold.Attempt, fold.Checkpoint
	c.until.set(fold.Until)
	c.log = t.Log.With("job", w.Job, "fold", w.Fold, "attempt", fold.Attempt)

	held, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var renewing sync.WaitGroup
	renewing.Go(func() {
		k := keeper{lease: t.Lease, until: &c.until, renew: c.renew, now: c.now, after: c.after, log: c.log}
		k.keep(held, cancel)
	})
	err = c.watch(held, Claimed, fold)
	if err == nil && c.Load != nil {
		err = c.Load(held, &c.Work)
	}
	if err == nil {
		err = aside(func() error { return c.fit(held) })
	}
	cause := context.Cause(held)
	cancel(nil)
	renewing.Wait()
	return c.settle(ctx, cause, err)
}

// claim is one attempt at a fold.
type claim struct {
	*FoldTrainer
	Work
	token   string
	attempt int
	until   deadline
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

func (c *claim) watch(ctx context.Context, e FoldEvent, f *jobs.Fold) error {
	if c.Watch == nil {
		return nil
	}
	return c.Watch(ctx, e, f)
}

// update changes the record under the claim, and charges the time worked since
// it was last written.
func (c *claim) update(ctx context.Context, change func(*jobs.Fold) error) (*jobs.Fold, error) {
	var worked time.Duration
	if c.Share != nil {
		worked = c.Share.take()
	}
	f, err := c.Store.UpdateFold(ctx, c.Job, c.Fold, func(f *jobs.Fold) error {
		if err := f.Check(c.token); err != nil {
			return err
		}
		f.Charge(c.now(), worked, c.CostPerHour)
		return change(f)
	})
	if err != nil && c.Share != nil {
		c.Share.giveBack(worked)
	}
	return f, err
}

// renew extends the claim.
func (c *claim) renew(ctx context.Context) error {
	f, err := c.update(ctx, func(f *jobs.Fold) error {
		c.Lease.extend(&f.Claim, c.now())
		return nil
	})
	if err != nil {
		return err
	}
	c.until.set(f.Until)
	return c.watch(ctx, Renewed, f)
}

// fit trains from the newest checkpoint to the end and leaves the result.
func (c *claim) fit(ctx context.Context) error {
	resume, err := c.load(ctx)
	if err != nil {
		return err
	}
	engine, err := c.NewEngine(c.Model.Config, c.Model.Sizes(), train.FoldSeed(c.Config.Seed, c.Fold))
	if err != nil {
		return err
	}
	defer engine.Close()
	if c.Warm != nil && resume == nil {
		if err := train.WarmStart(engine, c.Warm); err != nil {
			return jobs.Permanent(err)
		}
	}
	result, err := train.Fit(ctx, engine, c.Data, c.Config, train.Options{
		Recorder:     c.Recorder,
		Checkpointer: &train.Timed{Every: c.Every, Now: c.Now, Write: c.keep},
		Resume:       resume,
		Now:          c.Now,
	})
	if err != nil {
		if result != nil && worthSaving(context.Cause(ctx), err) {
			err = errors.Join(err, c.handBack(ctx, engine, result))
		}
		return err
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

// worthSaving reports whether a training that ended with err was stopped, and
// may write what it has.
func worthSaving(cause, err error) bool {
	var stop Stop
	switch {
	case cause == nil, isLost(cause), isLost(err):
		return false
	case errors.As(cause, &stop):
		return stop.Status != jobs.FoldCancelled
	}
	return true
}

// settle leaves the record as an attempt that ended with err calls for. cause
// is why it was told to stop, if it was.
func (c *claim) settle(ctx context.Context, cause, err error) error {
	var stop Stop
	status := jobs.FoldQueued
	switch {
	case err == nil:
		return nil
	case isLost(cause):
		return fmt.Errorf("fold %d: %w", c.Fold, cause)
	case isLost(err):
		return fmt.Errorf("fold %d: %w", c.Fold, jobs.ErrLost)
	case errors.As(cause, &stop) || errors.As(err, &stop):
		status, err = stop.Status, errors.Join(err, stop)
	case cause == nil:
		return c.fail(ctx, err)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), handBack)
	defer cancel()
	_, released := c.update(ctx, func(f *jobs.Fold) error { return f.Release(c.token, status) })
	return errors.Join(fmt.Errorf("fold %d: %w", c.Fold, err), released)
}

// fail counts a failure.
func (c *claim) fail(ctx context.Context, err error) error {
	err = fmt.Errorf("fold %d: %w", c.Fold, err)
	var diverged *train.DivergedError
	_, hopeless := asFailure(err)
	hopeless = hopeless || errors.As(err, &diverged)
	f, recorded := c.update(ctx, func(f *jobs.Fold) error {
		f.Failures++
		f.LastError = err.Error()
		if hopeless || f.Failures >= jobs.MaxFoldFailures {
			return f.Release(c.token, jobs.FoldFailed)
		}
		c.Lease.extend(&f.Claim, c.now())
		return nil
	})
	switch {
	case recorded != nil:
		return errors.Join(err, recorded)
	case hopeless:
		return err
	case f.Status == jobs.FoldFailed:
		return jobs.Permanent(fmt.Errorf("failed %d times, the last time: %w", f.Failures, err))
	}
	return err
}
