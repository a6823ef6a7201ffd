package searches

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"polyid-trainer/jobs"
	"polyid-trainer/jobs/keys"
	"polyid-trainer/jobs/lease"
	"polyid-trainer/storage"
	"polyid-trainer/storage/record"
)

// Stepper moves searches on. Its fields are set before use and not changed; any
// number may run at once, in any number of processes.
type Stepper struct {
	Store  *Store
	Jobs   jobs.Store
	Queue  jobs.Queue
	Bucket storage.Bucket
	// Tell tells a job's running folds what to do; nil leaves them to their next
	// look at the record.
	Tell func(ctx context.Context, job string, c jobs.Control) error
	// Leases watches over the webhooks that are being delivered; nil delivers none.
	Leases *lease.Observer
	// Changed wakes up whoever watches a search; nil wakes nobody.
	Changed func(ctx context.Context, search string)
	Now     func() time.Time // nil is time.Now
	Log     *slog.Logger
}

// Every is how often Reconcile is to run. In between, the end of a trial calls for
// a step by a task of its own.
const Every = 10 * time.Second

// atOnce bounds the concurrent reads and writes of one step.
const atOnce = 8

func (st *Stepper) now() time.Time {
	if st.Now == nil {
		return time.Now()
	}
	return st.Now()
}

// Handle is Step for a task of kind jobs.StepSearch.
func (st *Stepper) Handle(ctx context.Context, t jobs.Task) error {
	err := st.Step(ctx, t.Job)
	if code := jobs.ErrorCode(err); code == jobs.NotFound || code == jobs.Damaged {
		return nil
	}
	return err
}

// Reconcile steps every search that may have something to do. One search's error
// does not keep the others from moving on.
func (st *Stepper) Reconcile(ctx context.Context) error {
	ids, err := st.Store.Active(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, id := range ids {
		if err := st.Handle(ctx, jobs.Task{Job: id}); err != nil {
			errs = append(errs, err)
		}
	}
	if st.Leases != nil {
		st.Leases.EndRound()
	}
	return errors.Join(errs...)
}

// Step looks at a search's jobs, decides what follows, and does it. Cost: a read of
// the record of each job that has not ended and, of those that have just stopped,
// of their folds.
func (st *Stepper) Step(ctx context.Context, id string) error {
	s, err := st.Store.load(ctx, id)
	if err != nil {
		return err
	}
	if !s.DeletedAt.IsZero() {
		return st.finishDeletion(ctx, s)
	}
	found, err := st.look(ctx, s)
	if err != nil {
		return fmt.Errorf("search %s: %w", id, err)
	}
	var final *jobs.Job
	if s.Final != "" && !s.FinalClosed {
		if final, err = st.job(ctx, s.Final); err != nil {
			return fmt.Errorf("search %s: %w", id, err)
		}
	}
	moved := false
	s, err = st.Store.Update(ctx, id, func(s *Search) error {
		before, err := fingerprint(s)
		if err != nil {
			return err
		}
		if err := s.decide(st.now(), found, final); err != nil {
			return err
		}
		after, err := fingerprint(s)
		if moved = before != after; err == nil && !moved {
			return record.ErrSame
		}
		return err
	})
	if err != nil {
		return err
	}
	if moved {
		st.Log.Info("the search has moved on", "search", id, "state", s.State, "trials", len(s.Trials), "rung", s.Rung)
		if st.Changed != nil {
			st.Changed(ctx, id)
		}
	}
	if err := st.align(ctx, s, found, final); err != nil {
		return fmt.Errorf("search %s: %w", id, err)
	}
	if err := st.notify(ctx, s); err != nil {
		return fmt.Errorf("search %s: %w", id, err)
	}
	if s.inLine() {
		return st.Store.rest(ctx, id)
	}
	return nil
}

// look looks at the jobs of the trials that have not ended, and of the best one
// where its metrics are not known.
func (st *Stepper) look(ctx context.Context, s *Search) (map[int]seen, error) {
	var open []*Trial
	for _, t := range s.own() {
		if !t.Closed || s.Best != nil && s.Best.Trial == t.Index && s.Best.OutOfFold == nil {
			open = append(open, t)
		}
	}
	found := make([]seen, len(open))
	g, each := errgroup.WithContext(ctx)
	g.SetLimit(atOnce)
	for i, t := range open {
		g.Go(func() (err error) {
			found[i], err = st.lookAt(each, s, t)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	out := map[int]seen{}
	for i, t := range open {
		out[t.Index] = found[i]
	}
	return out, nil
}

func (st *Stepper) lookAt(ctx context.Context, s *Search, t *Trial) (f seen, err error) {
	f.score = math.NaN()
	if f.job, err = st.job(ctx, t.Job); err != nil || f.job == nil {
		return f, err
	}
	j := f.job
	if !j.State.Ended() && !(j.State == jobs.Paused && s.scores(t, j)) && s.Spec.MaxUSD == nil {
		return f, nil
	}
	folds, err := st.Jobs.Folds(ctx, j.ID)
	if err != nil {
		return f, err
	}
	f.looked, f.held = true, j.Stage.Held()
	for i, fold := range folds {
		epochs := 0
		if fold.Score != nil {
			epochs = fold.Score.Epoch
		} else if fold.Checkpoint != nil {
			epochs = fold.Checkpoint.Epoch
		}
		if i == 0 || epochs < f.epochs {
			f.epochs = epochs
		}
		seconds, usd := fold.Spent()
		f.seconds, f.usd, f.held = f.seconds+seconds, f.usd+usd, f.held || fold.Held()
	}
	switch {
	case j.State == jobs.Succeeded:
		m, err := readMetrics(j.Metrics)
		if err != nil {
			return f, err
		}
		f.score, err = s.Spec.Objective.ofMetrics(m.OutOfFold)
		return f, err
	case j.State == jobs.Paused && len(folds) > 0:
		f.score = s.Spec.Objective.ofFolds(folds)
	}
	return f, nil
}

// job is a job's record, nil if there is none.
func (st *Stepper) job(ctx context.Context, id string) (*jobs.Job, error) {
	j, err := st.Jobs.Job(ctx, id)
	if jobs.ErrorCode(err) == jobs.NotFound {
		return nil, nil
	}
	return j, err
}

// align brings the jobs in line with the search.
func (st *Stepper) align(ctx context.Context, s *Search, found map[int]seen, final *jobs.Job) error {
	g, each := errgroup.WithContext(ctx)
	g.SetLimit(atOnce)
	for _, t := range s.own() {
		if t.Closed {
			continue
		}
		g.Go(func() error { return st.alignTrial(each, s, t, found[t.Index].job) })
	}
	if s.Final != "" && !s.FinalClosed {
		g.Go(func() error { return st.alignFinal(each, s, final) })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	return st.sweep(ctx, s)
}

// alignTrial makes, promotes, pauses, resumes or cancels a trial's job.
func (st *Stepper) alignTrial(ctx context.Context, s *Search, t *Trial, j *jobs.Job) (err error) {
	if j == nil {
		if j, err = st.make(ctx, s, t); err != nil || j == nil {
			return err
		}
	}
	wanted := s.pauseAt(t)
	switch {
	case j.State.Ended():
		return nil
	case s.State == jobs.Cancelled:
		return st.move(ctx, j.ID, jobs.Cancel, func(j *jobs.Job) error { return j.CancelAs(st.now(), jobs.ReasonSearch) })
	case t.Status.Ended():
		return st.move(ctx, j.ID, jobs.Cancel, func(j *jobs.Job) error { return j.CancelAs(st.now(), jobs.ReasonNotPromoted) })
	case s.State == jobs.Paused && j.State.Active():
		return st.move(ctx, j.ID, jobs.Pause, func(j *jobs.Job) error { return j.Pause(st.now(), jobs.ReasonSearch) })
	case s.State == jobs.Training && j.State == jobs.Paused && j.Reason == jobs.ReasonSearch:
		return st.move(ctx, j.ID, jobs.Continue, (*jobs.Job).Resume)
	case s.State == jobs.Training && j.State == jobs.Paused && j.Reason == jobs.ReasonRung && j.Trial != nil && (wanted == 0 || wanted > j.Trial.PauseAt):
		return st.move(ctx, j.ID, jobs.Continue, func(j *jobs.Job) error { return j.Promote(wanted) })
	}
	return nil
}

// pauseAt is the epoch at which a trial waits, 0 if it trains to the end.
func (s *Search) pauseAt(t *Trial) int {
	if t.Rung >= len(s.Rungs)-1 {
		return 0
	}
	return s.Rungs[t.Rung]
}

// alignFinal makes, pauses, resumes or cancels the job that trains the best
// settings.
func (st *Stepper) alignFinal(ctx context.Context, s *Search, j *jobs.Job) (err error) {
	if j == nil {
		if j, err = st.makeFinal(ctx, s); err != nil || j == nil {
			return err
		}
	}
	switch {
	case j.State.Ended():
		return nil
	case s.State == jobs.Cancelled:
		return st.move(ctx, j.ID, jobs.Cancel, func(j *jobs.Job) error { return j.CancelAs(st.now(), jobs.ReasonSearch) })
	case s.State == jobs.Paused && j.State.Active():
		return st.move(ctx, j.ID, jobs.Pause, func(j *jobs.Job) error { return j.Pause(st.now(), jobs.ReasonSearch) })
	case s.State == jobs.Finalizing && j.State == jobs.Paused && j.Reason == jobs.ReasonSearch:
		return st.move(ctx, j.ID, jobs.Continue, (*jobs.Job).Resume)
	}
	return nil
}

// move changes a job's record, tells its folds, and enqueues what it needs. What
// fails after the record is written is repaired by the jobs' own reconciler. A move
// that the job no longer allows is left to the next step.
func (st *Stepper) move(ctx context.Context, id string, c jobs.Control, change func(*jobs.Job) error) error {
	j, err := st.Jobs.UpdateJob(ctx, id, change)
	if code := jobs.ErrorCode(err); code == jobs.Conflict || code == jobs.NotFound {
		return nil
	}
	if err != nil {
		return err
	}
	if st.Tell != nil {
		if err := st.Tell(ctx, id, c); err != nil {
			st.Log.Warn("the folds of a trial could not be told; they read the record at their next checkpoint", "job", id, "error", err)
		}
	}
	return st.enqueue(ctx, j)
}

// enqueue enqueues what a job needs.
func (st *Stepper) enqueue(ctx context.Context, j *jobs.Job) (err error) {
	var folds []*jobs.Fold
	if j.State == jobs.Training {
		if folds, err = st.Jobs.Folds(ctx, j.ID); err != nil {
			return err
		}
	}
	for _, t := range jobs.Needed(st.now(), j, folds) {
		if err := st.Queue.Enqueue(ctx, t); err != nil {
			st.Log.Warn("a task could not be enqueued; the reconciler will enqueue it", "task", t.ID(), "error", err)
			return nil
		}
	}
	return nil
}

// make makes the job of a trial. One that has ended before it was made gets a job
// all the same, which is cancelled next: another step may be making it just now.
func (st *Stepper) make(ctx context.Context, s *Search, t *Trial) (*jobs.Job, error) {
	spec, err := s.Spec.trialSpec(&s.Base, t.Values)
	if err != nil {
		return nil, err
	}
	return st.create(ctx, s, t.Job, spec, &jobs.Trial{Search: s.ID, Index: t.Index, PauseAt: s.pauseAt(t)})
}

// makeFinal makes the job that trains the best settings in full and publishes them.
// What is left of the search's budget is the job's.
func (st *Stepper) makeFinal(ctx context.Context, s *Search) (*jobs.Job, error) {
	spec, err := s.Spec.bestSpec(&s.Base, s.Trials[s.Best.Trial].Values)
	if err != nil {
		return nil, err
	}
	if s.Spec.MaxUSD != nil {
		const least = 1e-6 // 0 would be no limit
		_, usd := s.Spent()
		spec.MaxUSD = max(*s.Spec.MaxUSD-usd, least)
	}
	if spec.Name == "" {
		spec.Name = "the best of " + s.ID
	}
	return st.create(ctx, s, s.Final, spec, nil)
}

// create stores a job with its copies of the search's objects, and enqueues its
// first task. What is there already is from an earlier try, or another step.
func (st *Stepper) create(ctx context.Context, s *Search, id string, spec jobs.Spec, trial *jobs.Trial) (*jobs.Job, error) {
	j, err := jobs.New(st.now(), s.Owner, spec)
	if err != nil {
		return nil, err
	}
	j.ID, j.Trial, j.Memory = id, trial, s.Memory
	if trial != nil {
		j.Name = fmt.Sprintf("trial %d of %s", trial.Index, s.ID)
	}
	err = st.Jobs.Create(ctx, j, func(ctx context.Context) error { return st.copyObjects(ctx, s.ID, id) })
	if errors.Is(err, storage.ErrConflict) {
		return st.job(ctx, id)
	}
	if err != nil {
		return nil, err
	}
	return j, st.enqueue(ctx, j)
}

// copyObjects copies what each trial starts from.
func (st *Stepper) copyObjects(ctx context.Context, search, job string) error {
	prefix := keys.SearchJobPrefix(search)
	for e, err := range st.Bucket.List(ctx, prefix) {
		if err == nil {
			err = st.copyObject(ctx, e, keys.JobPrefix(job)+strings.TrimPrefix(e.Key, prefix))
		}
		if err != nil {
			return fmt.Errorf("copy the objects of a search: %w", err)
		}
	}
	return nil
}

func (st *Stepper) copyObject(ctx context.Context, e storage.Entry, to string) error {
	o, err := st.Bucket.Get(ctx, e.Key)
	if err != nil {
		return err
	}
	defer o.Close()
	_, err = st.Bucket.Put(ctx, to, o, e.Size, storage.Condition{})
	return err
}

// sweep removes the checkpoints of ended trials but the best.
func (st *Stepper) sweep(ctx context.Context, s *Search) error {
	var swept []int
	for _, t := range s.sweepable() {
		if !t.Closed { // a worker may still be writing one
			continue
		}
		for e, err := range st.Bucket.List(ctx, keys.FoldsPrefix(t.Job)) {
			if err == nil && strings.Contains(e.Key, "/checkpoints/") {
				err = st.Bucket.Delete(ctx, e.Key)
			}
			if err != nil {
				return fmt.Errorf("remove the checkpoints of trial %d: %w", t.Index, err)
			}
		}
		swept = append(swept, t.Index)
	}
	if swept == nil {
		return nil
	}
	changed, err := st.Store.Update(ctx, s.ID, func(s *Search) error {
		for _, i := range swept {
			s.Trials[i].Swept = true
		}
		return nil
	})
	if err == nil {
		*s = *changed
	}
	return err
}
