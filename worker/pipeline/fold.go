package pipeline

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"polyid-trainer/jobs"
	"polyid-trainer/jobs/lease"
	"polyid-trainer/nn"
	"polyid-trainer/nn/checkpoint"
	"polyid-trainer/nn/train"
	"polyid-trainer/storage"
)

// FoldStore is what training a fold needs of jobs.Store.
type FoldStore interface {
	UpdateFold(ctx context.Context, job string, index int, change func(*jobs.Fold) error) (*jobs.Fold, error)
}

// FoldTrainer trains folds under leases. Its fields are set before use and not
// changed; it may train several folds at once.
type FoldTrainer struct {
	Store       FoldStore
	Bucket      storage.Bucket
	NewEngine   nn.NewEngine
	Worker      string        // "host:pid", as records show it
	Every       time.Duration // the longest time between checkpoints
	Lease       lease.Terms
	CostPerHour float64 // USD of the process
	Share       *Share  // charged for the fold; nil charges nothing
	Recorder    train.Recorder
	Follower    Follower         // nil lets the fold go on
	Now         func() time.Time // nil is time.Now
	Log         *slog.Logger
}

// Follower says whether a fold is to go on. Its error ends the training: a Stop
// as it says, any other like a failure.
type Follower interface {
	// Renewed is called after each renewal of the lease.
	Renewed(ctx context.Context) error
	// Checkpointed is called after each checkpoint.
	Checkpointed(ctx context.Context) error
}

// FoldWork is what one fold is trained on.
type FoldWork struct {
	Config train.Config
	Data   train.Data
	// Model holds all of the fold's model but weights and training state.
	Model checkpoint.Model
	// Warm, if not nil, are the weights that a fresh training starts from.
	Warm *nn.Params
	// Until is the rung of a trial, in epochs; 0 trains to the end.
	Until int
}

// Attempt is one worker's claim on a fold.
type Attempt struct {
	*FoldTrainer
	Record *jobs.Fold // as it was claimed

	holder *lease.Holder
	newest *jobs.Checkpoint // in the record
	log    *slog.Logger
}

// Claim claims a fold of a job that was resumed so often. It returns a
// jobs.Conflict if the fold has ended, and a lease.HeldError if it is another's.
func (t *FoldTrainer) Claim(ctx context.Context, job string, fold, resumption int) (*Attempt, error) {
	a := &Attempt{FoldTrainer: t, holder: lease.NewHolder(t.Lease, t.Log)}
	f, err := t.Store.UpdateFold(ctx, job, fold, func(f *jobs.Fold) error {
		return f.Claim(a.now(), a.holder, t.Worker, resumption)
	})
	if err != nil {
		return nil, err
	}
	a.Record, a.newest = f, f.Checkpoint
	a.log = t.Log.With("job", f.Job, "fold", f.Index, "attempt", f.Attempt)
	return a, nil
}

// Run does the work of the claim, renewing it meanwhile, and records how it ended.
//
// It returns an error that wraps jobs.ErrLost if the fold is another's by now,
// and one that wraps a Stop or the cause of ctx's end if it was told to stop: then
// it has released the fold. Any other error is recorded as a failure; where no
// later attempt can do better, or there were as many as there may be, the fold has
// failed and the error is jobs.Permanent.
func (a *Attempt) Run(ctx context.Context, work func(context.Context) error) error {
	outcome, err := a.holder.Run(ctx, a.renew, work)
	return a.recordOutcome(ctx, outcome, err)
}

// Train goes on from the newest checkpoint to the end or to w.Until, and saves
// where it stands then.
func (a *Attempt) Train(ctx context.Context, w *FoldWork) (snap *train.Snapshot, err error) {
	err = aside(func() error {
		snap, err = a.fit(ctx, w)
		return err
	})
	return snap, err
}

func (a *Attempt) fit(ctx context.Context, w *FoldWork) (*train.Snapshot, error) {
	resume, err := a.load(ctx, w)
	if err != nil {
		return nil, err
	}
	engine, err := a.NewEngine(w.Model.Config, w.Model.Sizes(), train.FoldSeed(w.Config.Seed, a.Record.Index))
	if err != nil {
		return nil, err
	}
	defer engine.Close()
	if w.Warm != nil && resume == nil {
		if err := train.WarmStart(engine, w.Warm); err != nil {
			return nil, jobs.Permanent(err)
		}
	}
	result, err := train.Fit(ctx, engine, w.Data, w.Config, train.Options{
		Recorder: a.Recorder,
		Checkpointer: &train.Timed{Every: a.checkpointEvery(), Now: a.Now, Write: func(ctx context.Context, s *train.Snapshot) error {
			return a.tryCheckpoint(ctx, w, s)
		}},
		Resume: resume,
		Until:  w.Until,
		Now:    a.Now,
	})
	if err != nil {
		if result != nil && worthSaving(context.Cause(ctx), err) {
			err = errors.Join(err, a.saveStopped(ctx, w, engine, result))
		}
		return nil, err
	}
	snap, err := result.Snapshot(engine)
	if err != nil {
		return nil, err
	}
	return snap, a.checkpoint(ctx, w, snap)
}

// checkpointEvery is the time between checkpoints: less after workers have died
// over the fold, so that one that is trained beside another which kills its
// workers comes further each time.
func (a *Attempt) checkpointEvery() time.Duration {
	if a.Record.Losses > 0 {
		return a.Every / 10
	}
	return a.Every
}

func (a *Attempt) now() time.Time {
	if a.Now == nil {
		return time.Now()
	}
	return a.Now()
}

// update changes the record under the lease, and charges the time worked since
// it was last written.
func (a *Attempt) update(ctx context.Context, change func(*jobs.Fold) error) (*jobs.Fold, error) {
	var worked time.Duration
	if a.Share != nil {
		worked = a.Share.collect()
	}
	f, err := a.Store.UpdateFold(ctx, a.Record.Job, a.Record.Index, func(f *jobs.Fold) error {
		if err := f.Check(a.holder.Token); err != nil {
			return err
		}
		f.Charge(a.now(), worked, a.CostPerHour)
		return change(f)
	})
	if err != nil && a.Share != nil {
		a.Share.restore(worked)
	}
	return f, lostIfGone(err)
}

// renew renews the lease.
func (a *Attempt) renew(ctx context.Context) error {
	_, err := a.update(ctx, func(f *jobs.Fold) error { return a.holder.Renew(&f.Lease, a.now()) })
	if err != nil || a.Follower == nil {
		return err
	}
	return a.Follower.Renewed(ctx)
}

// Stop ends work from outside. A fold's checkpoint is saved unless it is
// cancelled, and its record left with the status.
type Stop struct{ Status jobs.FoldStatus }

func (s Stop) Error() string { return "the job does not go on: the fold is " + string(s.Status) }

// Is makes every Stop a lease.ErrStop.
func (Stop) Is(target error) bool { return target == lease.ErrStop }

// worthSaving reports whether a training that ended with err was stopped, and
// may write what it has.
func worthSaving(cause, err error) bool {
	var stop Stop
	switch {
	case cause == nil, errors.Is(cause, jobs.ErrLost), errors.Is(err, jobs.ErrLost):
		return false
	case errors.As(cause, &stop):
		return stop.Status != jobs.FoldCancelled
	}
	return true
}

// recordOutcome leaves the record as an attempt that ended so calls for.
func (a *Attempt) recordOutcome(ctx context.Context, outcome lease.Outcome, err error) error {
	if outcome == lease.Done {
		return nil
	}
	err = fmt.Errorf("fold %d: %w", a.Record.Index, err)
	if outcome == lease.Lost {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopping)
	defer cancel()
	if outcome == lease.Failed {
		return a.recordFailure(ctx, err)
	}
	status := jobs.FoldQueued
	var stop Stop
	if errors.As(err, &stop) {
		status = stop.Status
	}
	_, released := a.update(ctx, func(f *jobs.Fold) error { return f.Leave(a.holder.Token, status) })
	return errors.Join(err, released)
}

// recordFailure counts a failure.
func (a *Attempt) recordFailure(ctx context.Context, err error) error {
	var diverged *train.DivergedError
	_, hopeless := asFailure(err)
	hopeless = hopeless || errors.As(err, &diverged)
	f, recorded := a.update(ctx, func(f *jobs.Fold) error { return f.FailAttempt(a.holder.Token, err, hopeless) })
	switch {
	case recorded != nil:
		return errors.Join(err, recorded)
	case f.Status == jobs.FoldFailed && !hopeless:
		return &failed{jobs.GaveUp(jobs.TrainFold, &f.Lease, &f.Index)}
	}
	return err
}
