package pipeline

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"polyid-trainer/data"
	"polyid-trainer/jobs"
	"polyid-trainer/nn/checkpoint"
	"polyid-trainer/nn/train"
	"polyid-trainer/worker/memory"
)

// train trains one fold of a job and, if it was the last, enqueues what follows.
func (p *Pipeline) train(ctx context.Context, id string, fold int) error {
	j, err := p.Store.Job(ctx, id)
	if err != nil {
		return err
	}
	free, err := p.free(ctx, j, fold)
	if err != nil || !free {
		return err
	}
	release, ok := p.admit(j, fold)
	if !ok {
		return nil // the reconciler offers the fold again, to whoever has room
	}
	defer release()
	var c *corpus
	log, err := p.trainFold(ctx, j, fold, &c)
	var stop Stop
	switch {
	case err == nil:
		return p.folded(ctx, id, fold)
	case jobs.ErrorCode(err) == jobs.Conflict:
		return p.folded(ctx, id, fold)
	case isLost(err):
		log.Info("the fold is another worker's by now")
		return jobs.ErrLost
	case errors.As(err, &stop):
		log.Info("the fold has stopped", "status", stop.Status)
		return nil
	}
	if f, fatal := foldFailure(err, fold, c); fatal {
		return p.failJob(ctx, id, f)
	}
	return err
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

// free reports whether a fold is there to be claimed. What is not, and why, the
// reconciler knows; a fold that has ended may be the last, so what follows is
// enqueued.
func (p *Pipeline) free(ctx context.Context, j *jobs.Job, fold int) (bool, error) {
	if j.State != jobs.Training {
		return false, p.next(ctx, j)
	}
	folds, err := p.Store.Folds(ctx, j.ID)
	if err != nil {
		return false, err
	}
	if fold < 0 || fold >= len(folds) {
		return false, jobs.Permanent(fmt.Errorf("%s has no fold %d", j.ID, fold))
	}
	f := folds[fold]
	if f.Status.Ended() {
		return false, p.folded(ctx, j.ID, fold)
	}
	return !f.Held(p.now()), nil
}

// trainFold claims a fold and trains it on the job's corpus, which it sets,
// telling its progress. It returns a logger that tells the attempt.
func (p *Pipeline) trainFold(ctx context.Context, j *jobs.Job, fold int, c **corpus) (*slog.Logger, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	share := p.meter.Start()
	defer share.Stop()
	w := &watch{Pipeline: p, job: j, fold: fold, share: share, progress: newProgress(p.now, j.Spec.Epochs), log: p.Log.With("job", j.ID, "fold", fold)}
	t := &FoldTrainer{
		Store: p.Store, Bucket: p.Bucket, NewEngine: p.NewEngine, Worker: p.Worker, Every: orDefault(p.Every, defaultEvery),
		Lease: p.Lease, CostPerHour: p.CostPerHour, Recorder: w.progress, Watch: w.see, Log: p.Log, Now: p.Now,
	}
	var beating sync.WaitGroup
	defer beating.Wait()
	defer cancel(nil)
	w.begin = func() { beating.Go(func() { w.beat(ctx, cancel) }) }
	load := func(ctx context.Context, work *Work) error {
		item, err := p.corpora.acquire(ctx, j.ID, func() (*corpus, *Preparation, error) { return p.load(ctx, j) })
		if err != nil {
			return err
		}
		w.item, *c = item, item.corpus
		return p.bind(ctx, j, item, work)
	}
	defer func() {
		if w.item != nil {
			p.corpora.release(w.item)
		}
	}()
	began := p.now()
	if err := t.Train(ctx, Work{Job: j.ID, Fold: fold, Share: share, Load: load}); err != nil {
		return w.log, err
	}
	w.log.Info("the fold is trained", "seconds", p.now().Sub(began).Seconds())
	return w.log, nil
}

// bind sets a fold's work: its rows bound to their own vocabulary and scaler.
func (p *Pipeline) bind(ctx context.Context, j *jobs.Job, item *cached, w *Work) error {
	c, prep, spec := item.corpus, item.prep, &j.Spec
	if w.Fold >= len(prep.Folds) {
		return failure("no_such_fold", "there are %d folds, %d is none of them", len(prep.Folds), w.Fold)
	}
	rows := prep.Folds[w.Fold]
	fold, err := c.set.FoldOf(c.table, c.row, data.Fold{Train: c.chainsOf(rows.Train), Validate: c.chainsOf(rows.Validate)})
	if err != nil {
		return failure("invalid_fold", "fold %d: %v", w.Fold, err)
	}
	w.Config = spec.Config
	w.Data = train.Data{Train: fold.Train, Validate: fold.Validate, Scale: fold.Scaler.Scale, Fold: w.Fold}
	w.Model = checkpoint.Model{
		Config: spec.Model, Features: spec.Features, Vocab: fold.Vocab, Scaler: fold.Scaler, Targets: targets(c.table),
		Origin: checkpoint.Origin{Fold: w.Fold, Seed: spec.Seed, DataHash: prep.Learned, CodeVersion: p.Code},
	}
	w.Score = func(ctx context.Context, m *checkpoint.Model) ([]byte, error) {
		return p.score(ctx, c, m, rows.Validate)
	}
	if spec.InitFrom != nil {
		w.Warm, err = p.warm(ctx, j.ID, *spec.InitFrom, &w.Model)
	}
	return err
}

func targets(t *data.Table) []checkpoint.Target {
	out := make([]checkpoint.Target, len(t.Targets))
	for i, target := range t.Targets {
		out[i] = checkpoint.Target{Name: target.Name, Units: target.Units}
	}
	return out
}

// folded records a fold's end and enqueues what the job needs now.
func (p *Pipeline) folded(ctx context.Context, id string, fold int) error {
	folds, err := p.Store.Folds(ctx, id)
	if err != nil {
		return err
	}
	if fold >= len(folds) || folds[fold].Result == nil {
		return nil // another worker has it
	}
	j, err := p.Store.UpdateJob(ctx, id, func(j *jobs.Job) error { return j.FoldFinished(p.now(), folds[fold]) })
	if err != nil {
		return err
	}
	return p.next(ctx, j)
}

// foldFailure finds the failure in a fold's error that no retry can mend, and
// names fold, epoch and row of the job's table.
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
	f, fatal := asFailure(err)
	if fatal && f.Code == "permanent" {
		f.Code = "fold_failed"
	}
	f.Fold = &fold
	return f, fatal
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

func orDefault(d, otherwise time.Duration) time.Duration {
	if d == 0 {
		return otherwise
	}
	return d
}
