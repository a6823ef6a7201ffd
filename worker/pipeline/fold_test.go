package pipeline_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"polyid-trainer/data"
	"polyid-trainer/featurize"
	"polyid-trainer/jobs"
	"polyid-trainer/jobs/lease"
	"polyid-trainer/jobs/records"
	"polyid-trainer/nn"
	"polyid-trainer/nn/checkpoint"
	"polyid-trainer/nn/cpu"
	"polyid-trainer/nn/dataset"
	"polyid-trainer/nn/train"
	"polyid-trainer/storage"
	"polyid-trainer/storage/file"
	"polyid-trainer/storage/storagetest"
	"polyid-trainer/worker/pipeline"
)

const epochs = 3

var small = nn.Config{Name: "global100", AtomFeatures: 16, BondFeatures: 16, MolFeatures: 4, NumMessages: 2, Dropout: 0.05}

// work is fold 0 of five of PolyID's table, on a small network.
var work = sync.OnceValues(func() (*pipeline.FoldWork, error) {
	f, err := featurize.New(featurize.Config{})
	if err != nil {
		return nil, err
	}
	table, set, err := dataset.PolyID(context.Background(), f, small.NumMessages)
	if err != nil {
		return nil, err
	}
	var split data.Fold
	for i := range 40 {
		if i%5 == 0 {
			split.Validate = append(split.Validate, i)
		} else {
			split.Train = append(split.Train, i)
		}
	}
	fold, err := set.Fold(table, split)
	if err != nil {
		return nil, err
	}
	m := checkpoint.Model{
		Config: small, Features: featurize.Config{}.WithDefaults(), Vocab: fold.Vocab, Scaler: fold.Scaler,
		Origin: checkpoint.Origin{DataHash: "test"},
	}
	for _, t := range table.Targets {
		m.Targets = append(m.Targets, checkpoint.Target{Name: t.Name, Units: t.Units})
	}
	c := train.DefaultConfig()
	c.Epochs, c.LearningRate = epochs, 1e-3
	return &pipeline.FoldWork{
		Config: c,
		Data:   train.Data{Train: fold.Train, Validate: fold.Validate, Scale: fold.Scaler.Scale},
		Model:  m,
	}, nil
})

// clock is moved by hand; what waits on it goes on when it is.
type clock struct {
	mu      sync.Mutex
	now     time.Time
	waiting []waiter
	asked   chan struct{} // one value for every wait that began
}

type waiter struct {
	at time.Time
	c  chan time.Time
}

func newClock() *clock {
	return &clock{now: time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC), asked: make(chan struct{}, 1000)}
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) After(d time.Duration) <-chan time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	w := waiter{c.now.Add(d), make(chan time.Time, 1)}
	c.waiting = append(c.waiting, w)
	c.asked <- struct{}{}
	return w.c
}

func (c *clock) Add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	var left []waiter
	for _, w := range c.waiting {
		if w.at.After(c.now) {
			left = append(left, w)
		} else {
			w.c <- c.now
		}
	}
	c.waiting = left
}

// steps calls at once the training has taken that many steps.
type steps struct {
	left int
	then func()
}

func (s *steps) Start(train.Start) {}
func (s *steps) Epoch(train.Epoch) {}
func (s *steps) Step(train.Step) {
	if s.left--; s.left == 0 {
		s.then()
	}
}

// bench is one storage with the records of one fold on it.
type bench struct {
	*testing.T
	bucket storage.Bucket
	store  *records.Store
	job    string
	work   pipeline.FoldWork
	clock  *clock
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b, err := file.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	w, err := work()
	if err != nil {
		t.Fatal(err)
	}
	s, job := records.New(b), jobs.NewID(jobs.TrainingJobPrefix)
	if err := s.CreateFolds(t.Context(), job, 1); err != nil {
		t.Fatal(err)
	}
	return &bench{t, b, s, job, *w, newClock()}
}

// trainer is a worker on the bench that checkpoints after every step.
func (b *bench) trainer(name string, r train.Recorder) *pipeline.FoldTrainer {
	return &pipeline.FoldTrainer{
		Store: b.store, Bucket: b.bucket, NewEngine: cpu.New, Worker: name, Every: time.Nanosecond, Recorder: r,
		CostPerHour: 3.6, Log: slog.New(slog.DiscardHandler), Now: b.clock.Now, Lease: lease.Terms{Now: b.clock.Now, After: b.clock.After},
	}
}

// train claims the fold and trains it to its end, as a pipeline does.
func (b *bench) train(ctx context.Context, tr *pipeline.FoldTrainer) error {
	a, err := tr.Claim(ctx, b.job, 0, 0)
	if err != nil {
		return err
	}
	return a.Run(ctx, func(ctx context.Context) error {
		snap, err := a.Train(ctx, &b.work)
		if err != nil {
			return err
		}
		best, err := a.Best(&b.work, snap)
		if err != nil {
			return err
		}
		_, err = a.Finish(ctx, snap, best, nil, nil)
		return err
	})
}

// takeOver is what an observer does when a worker has died.
func (b *bench) takeOver() {
	b.Helper()
	if _, err := b.store.UpdateFold(b.Context(), b.job, 0, func(f *jobs.Fold) error {
		seen := f.Lease
		return f.LoseWorker(&seen)
	}); err != nil {
		b.Fatal(err)
	}
}

func (b *bench) fold() *jobs.Fold {
	b.Helper()
	folds, err := b.store.Folds(b.Context(), b.job)
	if err != nil || len(folds) != 1 {
		b.Fatalf("%d folds, %v", len(folds), err)
	}
	return folds[0]
}

func (b *bench) read(key string) []byte {
	b.Helper()
	o, err := b.bucket.Get(b.Context(), key)
	if err != nil {
		b.Fatal(err)
	}
	defer o.Close()
	body, err := io.ReadAll(o)
	if err != nil {
		b.Fatal(err)
	}
	return body
}

// model is what the finished fold left, and fails the test if it is not finished.
func (b *bench) model() []byte {
	b.Helper()
	f := b.fold()
	if f.Status != jobs.FoldSucceeded || f.Result == nil || f.Result.Epochs != epochs || f.Token != "" {
		b.Fatalf("the fold is %s with result %+v", f.Status, f.Result)
	}
	return b.read(f.Result.Model)
}

// undisturbed is the model of a training that nothing happened to.
func undisturbed(t *testing.T) []byte {
	t.Helper()
	b := newBench(t)
	if err := b.train(t.Context(), b.trainer("a:1", nil)); err != nil {
		t.Fatal(err)
	}
	return b.model()
}

func TestTrain(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	tr := b.trainer("a:1", nil)
	if err := b.train(t.Context(), tr); err != nil {
		t.Fatal(err)
	}
	m, err := checkpoint.Read(bytes.NewReader(b.model()))
	if err != nil || m.Training != nil || m.Origin.BestEpoch != b.fold().Result.BestEpoch {
		t.Errorf("the model: %v", err)
	}
	var kept []string
	for e, err := range b.bucket.List(t.Context(), "jobs/"+b.job+"/folds/0/checkpoints/") {
		if err != nil {
			t.Fatal(err)
		}
		kept = append(kept, e.Key)
	}
	if len(kept) != 1 || kept[0] != b.fold().Checkpoint.Key {
		t.Errorf("checkpoints %v, want the last one alone", kept)
	}
	// Delivered again, it changes nothing.
	if err := b.train(t.Context(), tr); jobs.ErrorCode(err) != jobs.Conflict {
		t.Errorf("training a finished fold: %v, want a conflict", err)
	}
}

// A worker told to stop releases its fold at once, and whoever takes it next
// ends with the same bits.
func TestStopReleases(t *testing.T) {
	t.Parallel()
	want := undisturbed(t)
	for _, after := range []int{1, 20, 45, 80} {
		b := newBench(t)
		ctx, stop := context.WithCancelCause(t.Context())
		shutdown := errors.New("told to stop")
		if err := b.train(ctx, b.trainer("a:1", &steps{after, func() { stop(shutdown) }})); !errors.Is(err, shutdown) {
			t.Fatalf("stopped after %d steps: %v", after, err)
		}
		if f := b.fold(); f.Status != jobs.FoldQueued || f.Token != "" || f.Failures != 0 || f.Checkpoint == nil {
			t.Fatalf("left as %+v", f)
		}
		if err := b.train(t.Context(), b.trainer("b:1", nil)); err != nil {
			t.Fatal(err)
		}
		if f := b.fold(); f.Attempt != 2 || f.Worker != "b:1" {
			t.Errorf("attempt %d by %s", f.Attempt, f.Worker)
		}
		if !bytes.Equal(b.model(), want) {
			t.Errorf("stopped after %d steps and resumed: not the bits of a training that was never stopped", after)
		}
	}
}

// dead fails every call once it is set: what a killed process does to storage.
type dead struct {
	mu sync.Mutex
	is bool
}

func (d *dead) kill() { d.mu.Lock(); d.is = true; d.mu.Unlock() }

func (d *dead) fault(int, string, string) storagetest.Fault {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.is {
		return storagetest.Refused
	}
	return storagetest.None
}

// A worker that dies in the middle holds the fold until that is taken away; then
// another goes on from the last checkpoint, to the same bits.
func TestDeadWorker(t *testing.T) {
	t.Parallel()
	want := undisturbed(t)
	for _, after := range []int{1, 33, 70} {
		b := newBench(t)
		var d dead
		broken := &storagetest.Faulty{Bucket: b.bucket, Fail: d.fault}
		ctx, stop := context.WithCancel(t.Context())
		tr := b.trainer("a:1", &steps{after, func() { d.kill(); stop() }})
		tr.Bucket, tr.Store = broken, records.New(broken)
		if err := b.train(ctx, tr); err == nil {
			t.Fatal("a dead worker succeeded")
		}
		next := b.trainer("b:1", nil)
		if err := b.train(t.Context(), next); !lease.IsHeld(err) {
			t.Fatalf("claiming what is held: %v, want a HeldError", err)
		}
		b.takeOver()
		if err := b.train(t.Context(), next); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(b.model(), want) {
			t.Errorf("dead after %d steps: not the bits of an undisturbed training", after)
		}
	}
}

// A worker that sleeps through its lease wakes up as a zombie: it notices,
// changes nothing, and stops.
func TestZombie(t *testing.T) {
	t.Parallel()
	want := undisturbed(t)
	b := newBench(t)
	overtake := func() { // in the middle of the zombie's training
		b.clock.Add(lease.Length)
		b.takeOver()
		if err := b.train(t.Context(), b.trainer("b:1", nil)); err != nil {
			t.Error(err)
		}
	}
	zombie := b.trainer("a:1", &steps{10, overtake})
	zombie.Lease.After = func(time.Duration) <-chan time.Time { return nil } // it does not even renew
	if err := b.train(t.Context(), zombie); !errors.Is(err, jobs.ErrLost) {
		t.Errorf("the zombie's training: %v, want ErrLost", err)
	}
	if f := b.fold(); f.Worker != "b:1" || f.Attempt != 2 {
		t.Errorf("the fold is %s's, attempt %d", f.Worker, f.Attempt)
	}
	if !bytes.Equal(b.model(), want) {
		t.Error("the zombie changed the result")
	}
}

// The claim is renewed as time goes by, and a worker that cannot renew it stops
// before another may take it.
func TestRenewal(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	var d dead
	broken := &storagetest.Faulty{Bucket: b.bucket, Fail: d.fault}
	pass := func() {
		before := b.fold().Until
		for range 3 { // more than a lease in all
			<-b.clock.asked
			b.clock.Add(lease.Every)
		}
		<-b.clock.asked
		f := b.fold()
		if seconds, usd := f.Spent(); !f.Until.After(before) || seconds < 2*lease.Every.Seconds() || usd != seconds/1000 {
			t.Errorf("after 15 s the claim lapses at %v, was %v, with %v s worked for %v USD", f.Until, before, seconds, usd)
		}
		d.kill()
		for range 5 {
			b.clock.Add(lease.Every)
			if b.clock.Now().Before(b.fold().Until) {
				<-b.clock.asked
			}
		}
	}
	tr := b.trainer("a:1", &steps{5, pass})
	tr.Share = pipeline.NewMeter(b.clock.Now).Start()
	tr.Bucket, tr.Store = broken, records.New(broken)
	if err := b.train(t.Context(), tr); !errors.Is(err, jobs.ErrLost) {
		t.Errorf("training without renewal: %v, want ErrLost", err)
	}
}

// With one storage call in three failing, some of them after having done what
// was asked, a fold ends with the same bits, and at the first attempt.
func TestStorageFaults(t *testing.T) {
	t.Parallel()
	want := undisturbed(t)
	b := newBench(t)
	faulty := &storagetest.Faulty{Bucket: b.bucket, Fail: func(call int, op, _ string) storagetest.Fault {
		switch {
		case call%6 == 2 && op == "put":
			return storagetest.LostAnswer
		case call%3 == 2:
			return storagetest.Refused
		}
		return storagetest.None
	}}
	tr := b.trainer("a:1", nil)
	tr.Bucket = &storage.Retry{Bucket: faulty, First: time.Nanosecond}
	tr.Store = records.New(tr.Bucket)
	if err := b.train(t.Context(), tr); err != nil {
		t.Fatal(err)
	}
	if f := b.fold(); f.Attempt != 1 {
		t.Errorf("it took %d attempts", f.Attempt)
	}
	if !bytes.Equal(b.model(), want) {
		t.Error("not the bits of a training on sound storage")
	}
}

// A checkpoint of other data is refused for good.
func TestForeignCheckpoint(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	ctx, stop := context.WithCancel(t.Context())
	if err := b.train(ctx, b.trainer("a:1", &steps{5, stop})); err == nil {
		t.Fatal("a stopped training succeeded")
	}
	b.work.Model.Origin.DataHash = "other"
	err := b.train(t.Context(), b.trainer("b:1", nil))
	if !jobs.IsPermanent(err) || !strings.Contains(err.Error(), "other data") {
		t.Errorf("resuming on other data: %v", err)
	}
}
