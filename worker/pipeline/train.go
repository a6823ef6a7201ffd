package pipeline

import (
	"context"
	"errors"
	"fmt"

	"polyid-trainer/data"
	"polyid-trainer/jobs"
	"polyid-trainer/jobs/lease"
	"polyid-trainer/nn/checkpoint"
	"polyid-trainer/nn/train"
	"polyid-trainer/storage"
	"polyid-trainer/worker/memory"
)

// train trains one fold of a job and, if it was the last, enqueues what follows.
func (p *Pipeline) train(ctx context.Context, id string, fold int) error {
	j, err := p.Store.Job(ctx, id)
	if err != nil {
		return err
	}
	if j.State != jobs.Training {
		return p.next(ctx, j)
	}
	release, ok := p.admit(j, fold)
	if !ok {
		return nil // the reconciler offers the fold again, to whoever has room
	}
	defer release()
	share := p.meter.Start()
	defer share.Stop()
	w := &watch{Pipeline: p, job: j, fold: fold, share: share, progress: newProgress(p.now, j.Spec.Epochs), log: p.Log.With("job", id, "fold", fold)}
	a, err := p.trainer(share, w).Claim(ctx, id, fold, j.Resumptions)
	switch {
	case lease.IsHeld(err):
		return nil // the reconciler looks after it
	case jobs.ErrorCode(err) == jobs.Conflict:
		return p.ended(ctx, j, fold)
	case errors.Is(err, storage.ErrNotExist):
		return jobs.Permanent(fmt.Errorf("%s has no fold %d", id, fold))
	case err != nil:
		return err
	}
	w.log = w.log.With("attempt", a.Record.Attempt)
	var c *corpus
	var done *jobs.Fold
	err = a.Run(ctx, func(ctx context.Context) error {
		if err := w.began(ctx, a.Record); err != nil {
			return err
		}
		return w.withHeartbeat(ctx, func(ctx context.Context) (err error) {
			done, c, err = p.trainFold(ctx, j, a)
			return err
		})
	})
	if err != nil {
		return p.afterFailure(ctx, j, fold, c, err)
	}
	return p.afterFold(ctx, id, done)
}

// admit takes the memory of a fold, if that is free beside the folds that train
// here already.
func (p *Pipeline) admit(j *jobs.Job, fold int) (release func(), ok bool) {
	if p.Memory == nil {
		return func() {}, true
	}
	release, ok = p.Memory.TryAcquire(j.Memory)
	if !ok {
		p.Log.Info("the fold needs more memory than this worker has free", "job", j.ID, "fold", fold,
			"needs", memory.Format(j.Memory), "memory_limit", memory.Format(p.Memory.Limit()))
	}
	return release, ok
}

// trainer is what trains a fold of a job.
func (p *Pipeline) trainer(share *Share, w *watch) *FoldTrainer {
	return &FoldTrainer{
		Store: p.Store, Bucket: p.Bucket, NewEngine: p.NewEngine, Worker: p.Worker, Every: orDefault(p.Every, defaultEvery),
		Lease: p.Lease, CostPerHour: p.CostPerHour, Share: share, Recorder: w.progress, Follower: w, Log: p.Log, Now: p.Now,
	}
}

// trainFold is the work of a fold that was claimed: it fetches the job's corpus,
// divides it, trains, and leaves the result. It returns the fold's record and the
// corpus, to which errors refer, also with an error.
func (p *Pipeline) trainFold(ctx context.Context, j *jobs.Job, a *Attempt) (done *jobs.Fold, c *corpus, err error) {
	began := p.now()
	item, err := p.corpora.acquire(ctx, j.ID, func() (*corpus, *Preparation, error) { return p.load(ctx, j) })
	if err != nil {
		return nil, nil, err
	}
	defer p.corpora.release(item)
	var prep *Preparation
	c, prep = item.corpus, item.prep
	work, err := p.foldWork(ctx, j, c, prep, a.Record.Index)
	if err != nil {
		return nil, c, err
	}
	snap, err := a.Train(ctx, work)
	if err != nil {
		return nil, c, err
	}
	best, err := a.Best(work, snap)
	if err != nil {
		return nil, c, err
	}
	fold := prep.Folds[a.Record.Index]
	scored, err := p.score(ctx, c, best, fold.Validate)
	if err != nil {
		return nil, c, fmt.Errorf("scoring: %w", err)
	}
	var score *jobs.FoldScore
	if j.Trial != nil {
		score = foldScore(c.table, fold, len(snap.Progress.History), scored)
	}
	if work.waits(len(snap.Progress.History)) {
		return nil, c, a.WaitAtRung(ctx, score)
	}
	if done, err = a.Finish(ctx, snap, best, scored, score); err != nil {
		return nil, c, err
	}
	a.log.Info("the fold is trained", "seconds", p.now().Sub(began).Seconds())
	return done, c, nil
}

// foldWork is what a fold is trained on: its rows, bound to a vocabulary and a
// scaler of their own.
func (p *Pipeline) foldWork(ctx context.Context, j *jobs.Job, c *corpus, prep *Preparation, index int) (*FoldWork, error) {
	if index >= len(prep.Folds) {
		return nil, failure("no_such_fold", "the job has %d folds, so there is no fold %d", len(prep.Folds), index)
	}
	spec, rows := &j.Spec, prep.Folds[index]
	fold, err := c.set.FoldOf(c.table, c.row, data.Fold{Train: c.chainsOf(rows.Train), Validate: c.chainsOf(rows.Validate)})
	if err != nil {
		return nil, failure("invalid_fold", "fold %d: %v", index, err)
	}
	w := &FoldWork{
		Config: spec.Config, Until: until(j),
		Data: train.Data{Train: fold.Train, Validate: fold.Validate, Scale: fold.Scaler.Scale, Fold: index},
		Model: checkpoint.Model{
			Config: spec.Model, Features: spec.Features, Vocab: fold.Vocab, Scaler: fold.Scaler, Targets: targets(c.table),
			Origin: checkpoint.Origin{Fold: index, Seed: spec.Seed, DataHash: prep.Learned, CodeVersion: p.Code},
		},
	}
	if spec.InitFrom != nil {
		w.Warm, err = p.warm(ctx, j.ID, *spec.InitFrom, &w.Model)
	}
	return w, err
}

func targets(t *data.Table) []checkpoint.Target {
	out := make([]checkpoint.Target, len(t.Targets))
	for i, target := range t.Targets {
		out[i] = checkpoint.Target{Name: target.Name, Units: target.Units}
	}
	return out
}

// afterFailure moves the job as a fold that was not finished calls for. A failure
// that is recorded is no error: the record says when to try again.
func (p *Pipeline) afterFailure(ctx context.Context, j *jobs.Job, fold int, c *corpus, err error) error {
	log := p.Log.With("job", j.ID, "fold", fold)
	var stop Stop
	switch {
	case errors.Is(err, jobs.ErrLost):
		log.Info("the fold is another worker's by now")
		return err
	case errors.As(err, &stop):
		log.Info("the fold has stopped", "status", stop.Status)
		if stop == errAtRung && until(j) > 0 {
			return p.reachRung(ctx, j.ID)
		}
		return nil
	}
	if f, hopeless := foldFailure(err, fold, c); hopeless {
		return p.failJob(ctx, j.ID, f)
	}
	if ctx.Err() != nil {
		return err
	}
	log.Warn("the fold failed, to be tried again", "error", err)
	return nil
}

// afterFold records a fold's end and enqueues what the job needs now: nothing,
// unless it was the last.
func (p *Pipeline) afterFold(ctx context.Context, id string, done *jobs.Fold) error {
	j, err := p.Store.UpdateJob(ctx, id, func(j *jobs.Job) error { return j.FoldFinished(p.now(), done) })
	if err != nil {
		return err
	}
	p.changed(ctx, id)
	return p.enqueue(ctx, j, nil)
}

// ended is afterFold for a fold that had ended before its task was delivered,
// unless its end is recorded.
func (p *Pipeline) ended(ctx context.Context, j *jobs.Job, fold int) error {
	folds, err := p.Store.Folds(ctx, j.ID)
	if err != nil {
		return err
	}
	if fold >= len(folds) || folds[fold].Result == nil {
		return nil // cancelled
	}
	return p.afterFold(ctx, j.ID, folds[fold])
}

// foldFailure finds the failure in a fold's error that no other attempt can
// mend, and names fold, epoch and row of the job's table.
func foldFailure(err error, fold int, c *corpus) (jobs.Failure, bool) {
	var diverged *train.DivergedError
	if errors.As(err, &diverged) {
		f := jobs.Failure{Code: "diverged", Detail: fmt.Sprintf("fold %d, %v", fold, diverged), Fold: &fold, Epoch: &diverged.Epoch}
		if len(diverged.Rows) > 0 && c != nil {
			row := int(c.row[diverged.Rows[0]])
			f.Row = &row
		}
		return f, true
	}
	f, hopeless := asFailure(err)
	if hopeless && f.Code == "permanent" {
		f.Code = "fold_failed"
	}
	f.Fold = &fold
	return f, hopeless
}

// failJob ends a job, and with it its other folds.
func (p *Pipeline) failJob(ctx context.Context, id string, f jobs.Failure) error {
	j, err := p.Store.UpdateJob(ctx, id, func(j *jobs.Job) error {
		if j.State != jobs.Training {
			return nil // paused or cancelled meanwhile
		}
		return j.Fail(p.now(), f)
	})
	if err != nil {
		return err
	}
	p.Log.Error("the job has failed", "job", id, "code", f.Code, "detail", f.Detail)
	p.tell(ctx, id, jobs.Pause)
	return p.next(ctx, j)
}

// tell tells a job's folds to look at the record; if it does not reach them,
// their next checkpoint does.
func (p *Pipeline) tell(ctx context.Context, id string, c jobs.Control) {
	if p.Live == nil {
		return
	}
	if err := p.Live.Tell(ctx, id, c); err != nil {
		p.Log.Warn("telling the job's folds", "job", id, "error", err)
	}
}
