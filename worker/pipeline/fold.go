package pipeline

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
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
		last := s.Progress.History[epoch-1]
		best, _ := s.Progress.Best()
		point.Loss, point.ValLoss = float64(last.Loss), float64(last.ValLoss)
		point.BestValLoss, point.BestEpoch = float64(best.ValLoss), best.Epoch
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
	history, err := json.Marshal(s.Progress.History)
	if err != nil {
		return fmt.Errorf("fold %d: %w", c.Fold, err)
	}
	if err := putOnce(ctx, c.Bucket, HistoryKey(c.Job, c.Fold), history); err != nil {
		return fmt.Errorf("saving the history: %w", err)
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
