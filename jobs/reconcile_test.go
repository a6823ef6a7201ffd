package jobs_test

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"polyid-trainer/data"
	"polyid-trainer/jobs"
	"polyid-trainer/jobs/lease"
	"polyid-trainer/jobs/records"
	"polyid-trainer/storage/file"
)

// fleet is a store of jobs, a reconciler, and workers that do as a test says.
type fleet struct {
	*testing.T
	store      *records.Store
	reconciler *jobs.Reconciler
	tasks      []jobs.Task
	clock      time.Time     // the time that passes, for everybody
	skew       time.Duration // by which the reconciler's clock on the wall is ahead
}

func newFleet(t *testing.T) *fleet {
	t.Helper()
	b, err := file.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	f := &fleet{T: t, store: records.New(b), clock: noon}
	f.reconciler = &jobs.Reconciler{
		Store: f.store, Queue: f, Leases: &lease.Observer{Now: func() time.Time { return f.clock }},
		Now: func() time.Time { return f.clock.Add(f.skew) }, Log: slog.New(slog.DiscardHandler),
	}
	return f
}

// Enqueue implements jobs.Queue.
func (f *fleet) Enqueue(_ context.Context, t jobs.Task) error {
	f.tasks = append(f.tasks, t)
	return nil
}

// job is a job that trains so many folds; none is one that is queued.
func (f *fleet) job(folds int) *jobs.Job {
	f.Helper()
	spec := jobs.DefaultSpec()
	spec.Dataset, spec.Publish = data.Names{"x"}, nil
	j, err := jobs.New(noon, "tester", spec)
	if err != nil {
		f.Fatal(err)
	}
	if err := f.store.Create(f.Context(), j); err != nil {
		f.Fatal(err)
	}
	if folds == 0 {
		return j
	}
	if err := f.store.CreateFolds(f.Context(), j.ID, folds); err != nil {
		f.Fatal(err)
	}
	return f.change(j.ID, func(j *jobs.Job) error {
		if err := j.Start(noon); err != nil {
			return err
		}
		return j.Train(jobs.Prepared{Folds: make([]jobs.Size, folds)}, nil)
	})
}

func (f *fleet) change(id string, change func(*jobs.Job) error) *jobs.Job {
	f.Helper()
	j, err := f.store.UpdateJob(f.Context(), id, change)
	if err != nil {
		f.Fatal(err)
	}
	return j
}

func (f *fleet) read(id string) *jobs.Job {
	f.Helper()
	j, err := f.store.Job(f.Context(), id)
	if err != nil {
		f.Fatal(err)
	}
	return j
}

func (f *fleet) folds(id string) []*jobs.Fold {
	f.Helper()
	folds, err := f.store.Folds(f.Context(), id)
	if err != nil {
		f.Fatal(err)
	}
	return folds
}

// round lets the reconciler run, hands what it enqueued to work, and lets its
// period pass.
func (f *fleet) round(work func(jobs.Task)) {
	f.Helper()
	f.tasks = nil
	if err := f.reconciler.Reconcile(f.Context()); err != nil {
		f.Fatal(err)
	}
	for _, t := range f.tasks {
		work(t)
	}
	f.clock = f.clock.Add(jobs.Every)
}

// claim claims what a task names, for a worker whose clock on the wall is ahead by
// skew.
func (f *fleet) claim(t jobs.Task, skew time.Duration) *lease.Holder {
	f.Helper()
	h := lease.NewHolder(lease.Terms{Now: func() time.Time { return f.clock }}, slog.New(slog.DiscardHandler))
	now := f.clock.Add(skew)
	var err error
	if t.Kind == jobs.TrainFold {
		_, err = f.store.UpdateFold(f.Context(), t.Job, t.Fold, func(r *jobs.Fold) error { return r.Claim(now, h, "a:1", f.read(t.Job).Resumptions) })
	} else {
		_, err = f.store.UpdateJob(f.Context(), t.Job, func(j *jobs.Job) error { return h.Claim(&j.Stage, now, "a:1") })
	}
	if err != nil {
		f.Fatal(err)
	}
	return h
}

// A fold that kills its worker each time fails its job in the end, saying so; its
// sister is trained meanwhile, and another job is not touched. Resumed, it is
// counted anew.
func TestPoisonFold(t *testing.T) {
	f := newFleet(t)
	poison, other := f.job(2), f.job(1)
	deaths := 0
	work := func(task jobs.Task) {
		if task.Kind == jobs.Finalize {
			return
		}
		h := f.claim(task, 0)
		if task.Job == poison.ID && task.Fold == 0 {
			deaths++ // nobody hears of the worker again
			return
		}
		r, err := f.store.UpdateFold(t.Context(), task.Job, task.Fold, func(r *jobs.Fold) error { return r.Finish(h.Token, &jobs.FoldResult{Epochs: 1}) })
		if err != nil {
			t.Fatal(err)
		}
		f.change(task.Job, func(j *jobs.Job) error { return j.FoldFinished(f.clock, r) })
	}
	most := jobs.PolicyOf(jobs.TrainFold).Losses
	var told []string
	f.reconciler.Failed = func(_ context.Context, job string) { told = append(told, job) }
	for f.read(poison.ID).State == jobs.Training && f.clock.Before(noon.Add(time.Hour)) {
		f.round(work)
	}
	j := f.read(poison.ID)
	if j.State != jobs.Failed || j.Failure.Code != "worker_lost" || *j.Failure.Fold != 0 || deaths != most || !strings.Contains(j.Failure.Detail, "10 workers in a row") || !strings.Contains(j.Failure.Detail, "resume") {
		t.Fatalf("after %d deaths in %s the job is %s: %+v", deaths, f.clock.Sub(noon), j.State, j.Failure)
	}
	if !slices.Equal(told, []string{poison.ID}) {
		t.Errorf("told of failed jobs: %v", told)
	}
	if folds := f.folds(poison.ID); folds[0].Status != jobs.FoldFailed || folds[0].Held() || folds[1].Status != jobs.FoldSucceeded {
		t.Errorf("the folds are %s and %s", folds[0].Status, folds[1].Status)
	}
	if o := f.read(other.ID); o.State != jobs.Training || !o.Trained() {
		t.Errorf("the other job is %s: %+v", o.State, o.Failure)
	}
	f.change(poison.ID, (*jobs.Job).Resume)
	f.round(work)
	if r := f.folds(poison.ID)[0]; r.Losses != 0 || r.Status != jobs.FoldRunning || deaths != most+1 {
		t.Errorf("resumed: %+v", r)
	}
}

// So does a stage; a fold that comes further each time does not, however many
// workers die.
func TestPoisonStage(t *testing.T) {
	f := newFleet(t)
	poison, slow := f.job(0), f.job(1)
	deaths, checkpoints := 0, 0
	for range 300 {
		f.round(func(task jobs.Task) {
			h := f.claim(task, 0)
			if task.Job == poison.ID {
				deaths++
				return
			}
			checkpoints++
			_, err := f.store.UpdateFold(t.Context(), task.Job, task.Fold, func(r *jobs.Fold) error {
				r.Checkpointed(&jobs.Checkpoint{Epoch: checkpoints})
				return r.Check(h.Token)
			})
			if err != nil {
				t.Fatal(err)
			}
		})
	}
	j := f.read(poison.ID)
	if j.State != jobs.Failed || j.Failure.Code != "worker_lost" || !strings.Contains(j.Failure.Detail, "preparing the data") || deaths != jobs.PolicyOf(jobs.Prepare).Losses {
		t.Errorf("after %d deaths the job is %s: %+v", deaths, j.State, j.Failure)
	}
	if s := f.read(slow.ID); s.State != jobs.Training || checkpoints < 50 || f.folds(slow.ID)[0].ResumedFrom == 0 {
		t.Errorf("after %d deaths with progress the job is %s: %+v", checkpoints, s.State, s.Failure)
	}
}

// Two machines whose clocks are five minutes apart, either way: the reconciler of
// one takes nothing from a live worker of the other, and takes the work of a dead
// one within half a minute.
func TestSkewedClocks(t *testing.T) {
	for _, skew := range []time.Duration{-5 * time.Minute, 5 * time.Minute} {
		f := newFleet(t)
		f.skew = skew
		training, queued := f.job(1), f.job(0)
		holders := map[string]*lease.Holder{}
		claim := func(task jobs.Task) { holders[task.Job] = f.claim(task, -skew) }
		renew := func() {
			now := f.clock.Add(-skew)
			if _, err := f.store.UpdateFold(t.Context(), training.ID, 0, func(r *jobs.Fold) error { return holders[training.ID].Renew(&r.Lease, now) }); err != nil {
				t.Fatalf("skew %s: a live worker lost its fold: %v", skew, err)
			}
			if _, err := f.store.UpdateJob(t.Context(), queued.ID, func(j *jobs.Job) error { return holders[queued.ID].Renew(&j.Stage, now) }); err != nil {
				t.Fatalf("skew %s: a live worker lost its stage: %v", skew, err)
			}
		}
		f.round(claim)
		if len(holders) != 2 {
			t.Fatalf("enqueued %v", f.tasks)
		}
		for range 60 {
			renew()
			f.round(func(task jobs.Task) { t.Errorf("skew %s: %s is enqueued beside a live worker", skew, task.ID()) })
		}
		died := f.clock
		for len(holders) > 0 && f.clock.Sub(died) < time.Hour {
			f.round(func(task jobs.Task) { delete(holders, task.Job) })
		}
		if took := f.clock.Sub(died) - jobs.Every; took > lease.Length+jobs.Every {
			t.Errorf("skew %s: the work of a dead worker went on after %s", skew, took)
		}
	}
}

// A webhook that kills the process that delivers it is given up.
func TestPoisonDelivery(t *testing.T) {
	f := newFleet(t)
	j := f.job(0)
	f.change(j.ID, func(j *jobs.Job) error {
		j.Spec.Webhook = &jobs.Webhook{URL: "https://example.org", Events: []jobs.EventType{jobs.EventCancelled}}
		return j.Cancel(noon)
	})
	deaths := 0
	for f.read(j.ID).Owes() && f.clock.Before(noon.Add(time.Hour)) {
		f.round(func(task jobs.Task) {
			deaths++
			f.change(j.ID, func(j *jobs.Job) error { return j.Deliveries[0].Lease.Claim(f.clock, "a:1", "t", lease.Length) })
		})
	}
	d := f.read(j.ID).Deliveries[0]
	if d.NextAttemptAt != nil || d.Delivered || deaths != jobs.PolicyOf(jobs.Notify).Losses || !strings.Contains(d.Attempts[0].Error, "given up") {
		t.Errorf("after %d deaths: %+v", deaths, d)
	}
}

// A trial whose folds all wait at its rung is paused, whoever died before saying
// so, and its folds are offered to nobody until it is promoted.
func TestReconcileRung(t *testing.T) {
	f := newFleet(t)
	j := f.job(2)
	f.change(j.ID, func(j *jobs.Job) error {
		j.Trial = &jobs.Trial{Search: "se_1", PauseAt: 3}
		return nil
	})
	reach := func(fold, epoch int) {
		t.Helper()
		_, err := f.store.UpdateFold(t.Context(), j.ID, fold, func(f *jobs.Fold) error {
			f.Status, f.Score = jobs.FoldPaused, &jobs.FoldScore{Epoch: epoch}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	round := func() []jobs.Task {
		t.Helper()
		f.tasks = nil
		if err := f.reconciler.Reconcile(t.Context()); err != nil {
			t.Fatal(err)
		}
		return f.tasks
	}
	reach(0, 3)
	if tasks := round(); len(tasks) != 1 || tasks[0].Fold != 1 {
		t.Errorf("while fold 1 trains: %v", tasks)
	}
	reach(1, 3)
	if tasks := round(); len(tasks) > 0 {
		t.Errorf("at the rung: %v", tasks)
	}
	if j, err := f.store.Job(t.Context(), j.ID); err != nil || j.State != jobs.Paused || j.Reason != jobs.ReasonRung {
		t.Fatalf("the job is %s (%s), %v", j.State, j.Reason, err)
	}
	f.change(j.ID, func(j *jobs.Job) error { return j.Promote(9) })
	if tasks := round(); len(tasks) != 2 {
		t.Errorf("promoted: %v", tasks)
	}
}
