package runner_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"iter"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"polyid-trainer/data"
	"polyid-trainer/jobs"
	"polyid-trainer/jobs/keys"
	"polyid-trainer/jobs/lease"
	"polyid-trainer/jobs/records"
	"polyid-trainer/jobs/redisjobs"
	"polyid-trainer/nn"
	"polyid-trainer/storage"
	"polyid-trainer/storage/file"
	"polyid-trainer/worker/runner"
)

// patience bounds every wait for what must happen.
const patience = 10 * time.Minute

// A fleet of workers with a trainer that costs nothing shows that orchestration
// is exact however many workers die: every fold ends once, every job succeeds.
func TestFleet(t *testing.T) { fleet(t, 6, 6, 3, 6) }

// TestLongFleet is TestFleet with hundreds of workers and a thousand folds.
func TestLongFleet(t *testing.T) {
	if os.Getenv("LONG") != "1" {
		t.Skip("takes minutes: set LONG=1")
	}
	fleet(t, 200, 200, 5, 150)
}

func fleet(t *testing.T, workers, jobCount, folds, deaths int) {
	url := startRedis(t)
	bucket, err := file.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	counted := &counting{Bucket: bucket}
	client := connect(t, url)
	store, queue := records.New(bucket), redisjobs.NewQueue(client)
	var ids []string
	for range jobCount {
		ids = append(ids, ask(t, bucket, store, queue, folds))
	}
	began := time.Now()

	var running sync.WaitGroup
	defer running.Wait()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var fleet []*member
	hire := func() *member {
		m := newMember(t, ctx, url, counted)
		running.Go(m.run)
		return m
	}
	for range workers {
		fleet = append(fleet, hire())
	}
	for range deaths { // each once something has happened
		before := counted.puts.Load()
		until(t, "the fleet to work", func() bool { return counted.puts.Load() > before || done(t, store, ids) == jobCount })
		i := rand.IntN(len(fleet))
		fleet[i].die()
		fleet[i] = hire()
	}
	until(t, "all jobs to succeed", func() bool { return done(t, store, ids) == jobCount })
	took := time.Since(began)

	for _, id := range ids {
		exact(t, store, id, folds)
	}
	commands := "?"
	if info, err := client.Info(t.Context(), "stats").Result(); err == nil {
		for line := range strings.Lines(info) {
			if n, ok := strings.CutPrefix(line, "total_commands_processed:"); ok {
				commands = strings.TrimSpace(n)
			}
		}
	}
	t.Logf("%d workers, %d deaths, %d jobs of %d folds in %s: %d puts, %d gets, %d lists of storage, %s commands of Redis",
		workers, deaths, jobCount, folds, took.Round(time.Second), counted.puts.Load(), counted.gets.Load(), counted.lists.Load(), commands)
}

// exact fails the test unless every fold of a job ended once, and the job.
func exact(t *testing.T, store *records.Store, id string, folds int) {
	t.Helper()
	j, err := store.Job(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	count := map[jobs.EventType]int{}
	for _, e := range j.Events {
		count[e.Type]++
	}
	if count[jobs.EventFoldFinished] != folds || count[jobs.EventFinalizing] != 1 || count[jobs.EventSucceeded] != 1 {
		t.Errorf("%s: events %v", id, count)
	}
	all, err := store.Folds(t.Context(), id)
	if err != nil || len(all) != folds {
		t.Fatalf("%d folds, %v", len(all), err)
	}
	for _, f := range all {
		if f.Status != jobs.FoldSucceeded || f.Result == nil || f.Result.Epochs != 2 || f.Token != "" {
			t.Errorf("%s: %+v", id, f)
		}
	}
}

// done counts the jobs that have succeeded. One that failed fails the test.
func done(t *testing.T, store *records.Store, ids []string) (n int) {
	t.Helper()
	for _, id := range ids {
		j, err := store.Job(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		switch j.State {
		case jobs.Succeeded:
			n++
		case jobs.Failed:
			t.Fatalf("%s has failed: %+v", id, j.Failure)
		}
	}
	return n
}

// member is a worker that can die: then nothing it tries succeeds any more.
type member struct {
	ctx    context.Context
	cancel context.CancelFunc
	runner *runner.Runner
	dead   *death
}

func newMember(t *testing.T, ctx context.Context, url string, b storage.Bucket) *member {
	t.Helper()
	m := &member{dead: &death{}}
	client := connect(t, url)
	client.AddHook(m.dead)
	m.ctx, m.cancel = context.WithCancel(ctx)
	m.runner = &runner.Runner{
		Redis: client, Bucket: &mortal{b, m.dead}, NewEngine: newIdler, Log: slog.New(slog.DiscardHandler), Concurrency: 1, Every: time.Hour,
		Lease: lease.Terms{Length: 10 * time.Second, Every: 2 * time.Second}, Reconcile: time.Second, Grace: time.Second,
	}
	return m
}

func (m *member) run() { _ = m.runner.Run(m.ctx) } // the dead report all sorts of errors

func (m *member) die() {
	m.dead.Store(true)
	m.cancel()
}

// death cuts a worker off from Redis and storage.
type death struct{ atomic.Bool }

var errDead = errors.New("the worker is dead")

func (d *death) err() error {
	if d.Load() {
		return errDead
	}
	return nil
}

// DialHook implements redis.Hook.
func (d *death) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		if err := d.err(); err != nil {
			return nil, err
		}
		return next(ctx, network, addr)
	}
}

// ProcessHook implements redis.Hook.
func (d *death) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if err := d.err(); err != nil {
			return err
		}
		return next(ctx, cmd)
	}
}

// ProcessPipelineHook implements redis.Hook.
func (d *death) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		if err := d.err(); err != nil {
			return err
		}
		return next(ctx, cmds)
	}
}

// mortal is a bucket that fails once its worker is dead.
type mortal struct {
	storage.Bucket
	dead *death
}

func (b *mortal) Put(ctx context.Context, key string, body io.Reader, size int64, c storage.Condition) (storage.Version, error) {
	if err := b.dead.err(); err != nil {
		return "", err
	}
	return b.Bucket.Put(ctx, key, body, size, c)
}

func (b *mortal) Get(ctx context.Context, key string) (*storage.Object, error) {
	if err := b.dead.err(); err != nil {
		return nil, err
	}
	return b.Bucket.Get(ctx, key)
}

func (b *mortal) Delete(ctx context.Context, key string) error {
	if err := b.dead.err(); err != nil {
		return err
	}
	return b.Bucket.Delete(ctx, key)
}

// counting counts what a bucket is asked.
type counting struct {
	storage.Bucket
	puts, gets, lists atomic.Int64
}

func (b *counting) Put(ctx context.Context, key string, body io.Reader, size int64, c storage.Condition) (storage.Version, error) {
	b.puts.Add(1)
	return b.Bucket.Put(ctx, key, body, size, c)
}

func (b *counting) Get(ctx context.Context, key string) (*storage.Object, error) {
	b.gets.Add(1)
	return b.Bucket.Get(ctx, key)
}

func (b *counting) List(ctx context.Context, prefix string) iter.Seq2[storage.Entry, error] {
	b.lists.Add(1)
	return b.Bucket.List(ctx, prefix)
}

// idler is an engine that learns nothing, quickly.
type idler struct {
	step    int64
	weights *nn.Params
	targets int
}

func newIdler(c nn.Config, s nn.Sizes, _ uint64) (nn.Engine, error) {
	return &idler{weights: nn.NewParams(c, s), targets: s.Targets}, nil
}

func (e *idler) Step(*nn.Batch, nn.Adam) (float64, error) {
	e.step++
	return 1 / float64(e.step), nil
}

func (e *idler) Predict(_ *nn.Batch, dst []float32) error { clear(dst); return nil }

func (e *idler) State(dst *nn.State) error {
	*dst = nn.State{Step: e.step, Weights: e.weights.Clone(), M: e.weights.Clone(), V: e.weights.Clone()}
	return nil
}

func (e *idler) SetState(src *nn.State) error { e.step = src.Step; return nil }
func (e *idler) Path() string                 { return "none" }
func (e *idler) Close() error                 { return nil }

// ask makes a small job of folds folds.
func ask(t *testing.T, b storage.Bucket, store *records.Store, queue *redisjobs.Queue, folds int) string {
	t.Helper()
	csv := "smiles_polymer,Tg\n"
	for i := range 2 * folds {
		csv += strings.Repeat("C", i+2) + "," + string(rune('0'+i%10)) + "\n"
	}
	s := jobs.DefaultSpec()
	s.Dataset, s.KFolds, s.Epochs, s.Publish = data.Names{"alkanes"}, folds, 2, nil
	s.Model = nn.Config{Name: "global100", AtomFeatures: 2, BondFeatures: 2, MolFeatures: 2, NumMessages: 1}
	j, err := jobs.New(time.Now(), "tester", s.WithDefaults())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Put(t.Context(), keys.Dataset(j.ID), bytes.NewReader([]byte(csv)), int64(len(csv)), storage.IfAbsent()); err != nil {
		t.Fatal(err)
	}
	if err := store.Create(t.Context(), j); err != nil {
		t.Fatal(err)
	}
	if err := queue.Enqueue(t.Context(), jobs.Task{Kind: jobs.Prepare, Job: j.ID}); err != nil {
		t.Fatal(err)
	}
	return j.ID
}

func connect(t *testing.T, url string) redis.UniversalClient {
	t.Helper()
	r, err := redisjobs.Connect(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

// startRedis starts a redis-server if there is one, and miniredis otherwise.
func startRedis(t *testing.T) (url string) {
	t.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		m := miniredis.RunT(t)
		m.ClockTTL(true)
		return "redis://" + m.Addr()
	}
	dir, err := os.MkdirTemp("", "redis") // t.TempDir may be too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(dir, "s")
	cmd := exec.Command(path, "--port", "0", "--unixsocket", socket, "--save", "", "--dir", dir)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		os.RemoveAll(dir)
	})
	until(t, "redis-server to come up", func() bool {
		c, err := net.Dial("unix", socket)
		return err == nil && c.Close() == nil
	})
	return "unix://" + socket
}

// until waits for a condition, with patience.
func until(t *testing.T, what string, met func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for !met() {
		select {
		case <-ctx.Done():
			t.Fatalf("waited %s in vain for %s", patience, what)
		case <-look.C:
		}
	}
}
