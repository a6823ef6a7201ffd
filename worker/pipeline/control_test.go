package pipeline_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"polyid-trainer/jobs"
	"polyid-trainer/jobs/keys"
	"polyid-trainer/jobs/records"
	"polyid-trainer/nn"
	"polyid-trainer/nn/cpu"
	"polyid-trainer/nn/revision"
	"polyid-trainer/storage"
	"polyid-trainer/storage/storagetest"
	"polyid-trainer/worker/pipeline"
)

// live is a pipeline.Live that remembers and does what it is told.
type live struct {
	mu          sync.Mutex
	control     jobs.Control
	err         error
	heartbeats  []jobs.Heartbeat
	onHeartbeat func(jobs.Heartbeat) // outside the lock
}

func (l *live) Heartbeat(_ context.Context, _ string, _ int, progress json.RawMessage) (jobs.Control, error) {
	var b jobs.Heartbeat
	if err := json.Unmarshal(progress, &b); err != nil {
		return "", err
	}
	if l.onHeartbeat != nil {
		l.onHeartbeat(b)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.heartbeats = append(l.heartbeats, b)
	return l.control, l.err
}

func (l *live) Tell(_ context.Context, _ string, c jobs.Control) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.control = c
	return l.err
}

func (l *live) Changed(context.Context, string) error { return l.err }

var _ pipeline.Live = (*live)(nil)

// endless is a job that nobody has the patience to see the end of.
func endless() jobs.Spec {
	s := spec()
	s.Epochs = 1_000_000
	return s
}

// prepared is a job whose folds are to be trained.
func (p *plant) prepared(s jobs.Spec) *jobs.Job {
	p.Helper()
	j := p.ask(s, keys.Dataset, table(p.T, 40))
	if err := p.Handle(p.Context(), jobs.Task{Kind: jobs.Prepare, Job: j.ID}); err != nil {
		p.Fatal(err)
	}
	if j = p.job(j.ID); j.State != jobs.Training {
		p.Fatalf("the job is %s: %+v", j.State, j.Failure)
	}
	return j
}

func (p *plant) fold(id string, i int) *jobs.Fold {
	p.Helper()
	folds, err := p.Store.Folds(p.Context(), id)
	if err != nil || i >= len(folds) {
		p.Fatalf("%d folds, %v", len(folds), err)
	}
	return folds[i]
}

func (p *plant) change(id string, change func(*jobs.Job) error) {
	p.Helper()
	if _, err := p.Store.UpdateJob(p.Context(), id, change); err != nil {
		p.Fatal(err)
	}
}

// A running fold stops when its job does, however it comes to know: told by
// Redis, by its own look at the record while Redis is away, or at a checkpoint.
func TestStops(t *testing.T) {
	t.Parallel()
	pause := func(j *jobs.Job) error { return j.Pause(time.Now(), "requested") }
	for name, c := range map[string]struct {
		move   func(*jobs.Job) error
		told   jobs.Control
		err    error
		every  time.Duration // between checkpoints
		status jobs.FoldStatus
		saved  bool
	}{
		"paused":                {pause, jobs.Pause, nil, time.Hour, jobs.FoldPaused, true},
		"paused without Redis":  {pause, "", errors.New("Redis is away"), time.Hour, jobs.FoldPaused, true},
		"paused and never told": {pause, "", nil, time.Millisecond, jobs.FoldPaused, true},
		"cancelled":             {func(j *jobs.Job) error { return j.Cancel(time.Now()) }, jobs.Cancel, nil, time.Hour, jobs.FoldCancelled, false},
		"failed by another": {func(j *jobs.Job) error { return j.Fail(time.Now(), jobs.Failure{Code: "diverged"}) },
			jobs.Pause, nil, time.Hour, jobs.FoldPaused, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlant(t)
			l := &live{err: c.err}
			var once sync.Once
			var id string
			l.onHeartbeat = func(b jobs.Heartbeat) {
				if b.Epoch > 0 {
					once.Do(func() {
						p.change(id, c.move)
						l.mu.Lock()
						l.control = c.told
						l.mu.Unlock()
					})
				}
			}
			p.Live, p.Every = l, c.every
			j := p.prepared(endless())
			id = j.ID
			if err := p.Handle(t.Context(), jobs.Task{Kind: jobs.TrainFold, Job: id, Fold: 1}); err != nil {
				t.Fatal(err)
			}
			f := p.fold(id, 1)
			if f.Status != c.status || f.Token != "" || f.Failures != 0 || (f.Checkpoint != nil) != c.saved {
				t.Errorf("the fold is %s, %+v", f.Status, f)
			}
			if seconds, usd := f.Spent(); seconds <= 0 || usd <= 0 {
				t.Errorf("it took %v s and %v USD", seconds, usd)
			}
			// Delivered again, and of a job that does not train, it changes nothing.
			if err := p.Handle(t.Context(), jobs.Task{Kind: jobs.TrainFold, Job: id, Fold: 1}); err != nil || p.fold(id, 1).Attempt != 1 {
				t.Errorf("delivered again: %v, attempt %d", err, p.fold(id, 1).Attempt)
			}
		})
	}
}

// What a fold tells of itself.
func TestHeartbeats(t *testing.T) {
	t.Parallel()
	p := newPlant(t)
	l := &live{}
	var id string
	l.onHeartbeat = func(b jobs.Heartbeat) {
		if b.Epoch >= 3 {
			l.mu.Lock()
			defer l.mu.Unlock()
			if l.control == "" {
				p.change(id, func(j *jobs.Job) error { return j.Pause(time.Now(), "requested") })
				l.control = jobs.Pause
			}
		}
	}
	p.Live = l
	j := p.prepared(endless())
	id = j.ID
	if err := p.Handle(t.Context(), jobs.Task{Kind: jobs.TrainFold, Job: id}); err != nil {
		t.Fatal(err)
	}
	last := l.heartbeats[len(l.heartbeats)-1]
	if last.Worker != "a:1" || last.Attempt != 1 || last.Epochs != 1_000_000 || last.Steps != j.Data.Folds[0].Train ||
		last.BestEpoch == 0 || !(last.BestValLoss > 0) || !(last.Loss > 0) || !(last.MSPerStep > 0) || !(last.ETASeconds > 1) || last.Time.IsZero() {
		t.Errorf("the last heartbeat: %+v", last)
	}
	if v := jobs.NewView(time.Now(), p.job(id), []*jobs.Fold{p.fold(id, 0)}, nil, 0); v.Folds[0].Epoch < 3 {
		t.Errorf("seen as %+v", v.Folds[0])
	}
}

// A job that has cost what it may is saved and paused; resumed with more, it
// goes on.
func TestBudget(t *testing.T) {
	t.Parallel()
	p := newPlant(t)
	p.CostPerHour, p.Lease.Every = 3600, time.Millisecond
	s := endless()
	s.MaxUSD = 0.05
	j := p.prepared(s)
	if err := p.Handle(t.Context(), jobs.Task{Kind: jobs.TrainFold, Job: j.ID}); err != nil {
		t.Fatal(err)
	}
	j = p.job(j.ID)
	f := p.fold(j.ID, 0)
	if _, usd := f.Spent(); j.State != jobs.Paused || j.Reason != "budget" || f.Status != jobs.FoldPaused || f.Checkpoint == nil || usd < s.MaxUSD {
		t.Errorf("the job is %s (%s), the fold %s after %v USD", j.State, j.Reason, f.Status, usd)
	}
}

// broken is an engine whose steps end as after says.
type broken struct {
	nn.Engine
	left  *int
	after func() (float64, error)
}

func (b *broken) Step(batch *nn.Batch, o nn.Adam) (float64, error) {
	loss, err := b.Engine.Step(batch, o)
	if *b.left--; *b.left < 0 {
		return b.after()
	}
	return loss, err
}

// breaking makes engines that break after so many steps of all.
func breaking(steps int, after func() (float64, error)) nn.NewEngine {
	return func(c nn.Config, s nn.Sizes, seed uint64) (nn.Engine, error) {
		e, err := cpu.New(c, s, seed)
		return &broken{e, &steps, after}, err
	}
}

// A loss that is no number fails the job, saying where, and Resume can try again.
func TestDiverged(t *testing.T) {
	t.Parallel()
	p := newPlant(t)
	j := p.prepared(spec())
	steps := j.Data.Folds[1].Train + 3
	p.NewEngine = breaking(steps, func() (float64, error) { return math.NaN(), nil })
	if err := p.Handle(t.Context(), jobs.Task{Kind: jobs.TrainFold, Job: j.ID, Fold: 1}); err != nil {
		t.Fatal(err)
	}
	j = p.job(j.ID)
	if f := j.Failure; j.State != jobs.Failed || f.Code != "diverged" || *f.Fold != 1 || *f.Epoch != 2 || f.Row == nil || !strings.Contains(f.Detail, "learning rate") {
		t.Fatalf("the job is %s: %+v", j.State, f)
	}
	if f := p.fold(j.ID, 1); f.Status != jobs.FoldFailed || f.Token != "" || !strings.Contains(f.LastError, "NaN") {
		t.Errorf("the fold: %+v", f)
	}
	p.NewEngine = cpu.New
	p.change(j.ID, func(j *jobs.Job) error { return j.Resume() })
	p.run(j.ID, 1)
	if j = p.job(j.ID); j.State != jobs.Publishing {
		t.Errorf("resumed, the job is %s: %+v", j.State, j.Failure)
	}
}

// What another try may mend is tried, so often.
func TestFailures(t *testing.T) {
	t.Parallel()
	p := newPlant(t)
	j := p.prepared(spec())
	most := jobs.PolicyOf(jobs.TrainFold).Failures
	for n := 1; n <= most; n++ {
		p.NewEngine = breaking(4, func() (float64, error) {
			if n == 2 {
				panic("a bug")
			}
			return 0, errors.New("a cosmic ray")
		})
		if err := p.Handle(t.Context(), jobs.Task{Kind: jobs.TrainFold, Job: j.ID}); err != nil {
			t.Fatal(err)
		}
		f := p.fold(j.ID, 0)
		if f.Failures != n || f.LastError == "" || f.Held() || (n < most) != (f.Status == jobs.FoldQueued) {
			t.Fatalf("failure %d: %+v", n, f)
		}
		if n == 2 && !strings.Contains(f.LastError, "a bug") {
			t.Errorf("the panic: %s", f.LastError)
		}
		for _, task := range jobs.Needed(time.Now(), p.job(j.ID), []*jobs.Fold{f}) {
			t.Errorf("after failure %d, at once: %+v", n, task)
		}
	}
	if j = p.job(j.ID); j.State != jobs.Failed || j.Failure.Code != "fold_failed" || *j.Failure.Fold != 0 ||
		!strings.Contains(j.Failure.Detail, fmt.Sprintf("training fold 0 failed %d times", most)) || !strings.Contains(j.Failure.Detail, "a cosmic ray") {
		t.Errorf("the job is %s: %+v", j.State, j.Failure)
	}
	// Resumed, it is counted anew.
	p.NewEngine = breaking(4, func() (float64, error) { return 0, errors.New("a cosmic ray") })
	p.change(j.ID, func(j *jobs.Job) error { return j.Resume() })
	if err := p.Handle(t.Context(), jobs.Task{Kind: jobs.TrainFold, Job: j.ID}); err != nil || p.fold(j.ID, 0).Failures != 1 || p.job(j.ID).State != jobs.Training {
		t.Errorf("resumed: %v, %+v", err, p.fold(j.ID, 0))
	}
}

// With one storage call in three failing a job ends as on sound storage.
func TestPipelineOnFaultyStorage(t *testing.T) {
	t.Parallel()
	p := newPlant(t)
	faulty := &storagetest.Faulty{Bucket: p.Bucket, Fail: func(call int, op, _ string) storagetest.Fault {
		switch {
		case call%6 == 2 && op == "put":
			return storagetest.LostAnswer
		case call%3 == 2:
			return storagetest.Refused
		}
		return storagetest.None
	}}
	j := p.ask(spec(), keys.Dataset, table(t, 40))
	p.Bucket = &storage.Retry{Bucket: faulty, First: time.Nanosecond}
	p.Store = records.New(p.Bucket)
	p.run(j.ID, 2)
	if j = p.job(j.ID); j.State != jobs.Publishing || p.fold(j.ID, 0).Attempt != 1 {
		t.Errorf("the job is %s (%+v)", j.State, j.Failure)
	}
	p.revision(j.ID)
}

// With storage full for anything but records the job fails in the end, saying
// so; when there is room again, resuming it ends well.
func TestFullStorage(t *testing.T) {
	t.Parallel()
	p := newPlant(t)
	var full atomic.Bool
	full.Store(true)
	sound := p.Bucket
	p.Bucket = &storage.Retry{First: time.Nanosecond, Bucket: &storagetest.Faulty{Bucket: sound, Fail: func(_ int, op, key string) storagetest.Fault {
		if op == "put" && full.Load() && strings.HasSuffix(key, ".safetensors") {
			return storagetest.Refused
		}
		return storagetest.None
	}}}
	p.Every = time.Nanosecond
	j := p.prepared(spec())
	for range jobs.PolicyOf(jobs.TrainFold).Failures {
		if f := p.fold(j.ID, 0); f.Checkpoint != nil || f.Result != nil {
			t.Fatalf("the fold names what is not there: %+v", f)
		}
		if err := p.Handle(t.Context(), jobs.Task{Kind: jobs.TrainFold, Job: j.ID}); err != nil {
			t.Fatal(err)
		}
	}
	if j = p.job(j.ID); j.State != jobs.Failed || !strings.Contains(j.Failure.Detail, storagetest.ErrFault.Error()) {
		t.Fatalf("the job is %s: %+v", j.State, j.Failure)
	}
	full.Store(false)
	p.change(j.ID, func(j *jobs.Job) error { return j.Resume() })
	p.run(j.ID, 1)
	if j = p.job(j.ID); j.State != jobs.Publishing {
		t.Errorf("resumed, the job is %s: %+v", j.State, j.Failure)
	}
}

// A stage that is told to stop releases its lease, and one whose job is paused
// lets go of it.
func TestStageLetsGo(t *testing.T) {
	t.Parallel()
	p := newPlant(t)
	j := p.ask(spec(), keys.Dataset, table(t, 40))
	ctx, stop := context.WithCancelCause(t.Context())
	told := errors.New("told to stop")
	stop(told)
	// Its first look at storage is not spared: the claim may or may not be taken.
	if err := p.Handle(ctx, jobs.Task{Kind: jobs.Prepare, Job: j.ID}); err == nil {
		t.Error("a stage that was told to stop succeeded")
	}
	if j = p.job(j.ID); j.Stage.Token != "" || j.State.Ended() {
		t.Errorf("the job is %s, its claim %+v", j.State, j.Stage)
	}

	p.run(j.ID, 1)
	p.change(j.ID, func(j *jobs.Job) error { return j.Pause(time.Now(), "requested") })
	if err := p.Handle(t.Context(), jobs.Task{Kind: jobs.Finalize, Job: j.ID}); err != nil || p.job(j.ID).State != jobs.Paused {
		t.Errorf("finalizing a paused job: %v", err)
	}
}

// A job that was deleted is nobody's work.
func TestDeleted(t *testing.T) {
	t.Parallel()
	p := newPlant(t)
	for _, kind := range []jobs.Kind{jobs.Prepare, jobs.TrainFold, jobs.Finalize} {
		if err := p.Handle(t.Context(), jobs.Task{Kind: kind, Job: jobs.NewID(jobs.TrainingJobPrefix)}); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
	}
	if err := p.Handle(t.Context(), jobs.Task{Kind: jobs.Publish, Job: jobs.NewID(jobs.TrainingJobPrefix)}); !jobs.IsPermanent(err) {
		t.Errorf("publishing: %v", err)
	}
}

// A job that starts from another revision's weights begins with them.
func TestWarmStart(t *testing.T) {
	t.Parallel()
	p := newPlant(t)
	first := p.ask(spec(), keys.Dataset, table(t, 40))
	p.run(first.ID, 1)
	r, dir := p.revision(first.ID)
	give := func(id string) {
		for i := range r.Models {
			body, err := fs.ReadFile(dir, revision.ModelPath(i))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := p.Bucket.Put(t.Context(), keys.InitPrefix(id)+revision.ModelPath(i), bytes.NewReader(body), int64(len(body)), storage.IfAbsent()); err != nil {
				t.Fatal(err)
			}
		}
	}
	s := spec()
	s.InitFrom = &jobs.Revision{Repo: "polyid/polyid-models", Revision: "v1.0.0"}
	s.LearningRate, s.Decay, s.Model.Dropout = 1e-12, 0, 0 // so that it stays where it begins
	second := p.ask(s, keys.Dataset, table(t, 60))         // which has more words
	give(second.ID)
	p.run(second.ID, 1)
	warm, _ := p.revision(second.ID)
	for name, w := range warm.Models[1].Weights.Tensors() {
		old, _ := r.Models[1].Weights.Tensor(name)
		if strings.HasSuffix(name, "embedding") {
			continue // by word
		}
		for i, x := range w.Data {
			if d := math.Abs(float64(x - old.Data[i])); d > 1e-6 {
				t.Fatalf("%s[%d] is %v, began as %v", name, i, x, old.Data[i])
			}
		}
	}
	for _, c := range []struct {
		blocks int
		give   bool
	}{{2, false}, {3, true}} {
		s.Model.NumMessages = c.blocks
		other := p.ask(s, keys.Dataset, table(t, 40))
		if c.give {
			give(other.ID)
		}
		p.run(other.ID, 1)
		if j := p.job(other.ID); j.State != jobs.Failed || j.Failure.Code != "init_from" {
			t.Errorf("%d blocks, models given %v: the job is %s: %+v", c.blocks, c.give, j.State, j.Failure)
		}
	}
}
