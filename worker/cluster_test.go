//go:build unix

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"polyid-trainer/data"
	"polyid-trainer/jobs"
	"polyid-trainer/jobs/keys"
	"polyid-trainer/jobs/records"
	"polyid-trainer/jobs/redisjobs"
	"polyid-trainer/nn"
	"polyid-trainer/nn/cuda"
	"polyid-trainer/nn/revision"
	"polyid-trainer/storage"
	"polyid-trainer/storage/file"
)

// patience bounds every wait for what must happen; nothing waits so long unless
// it fails. It ends before go test's own patience does, which tells no logs.
const patience = 4 * time.Minute

// short is the length of leases, so that these tests see them lost. A worker that
// the machine holds up for longer has lost its fold, which is no error.
const short = 4 * time.Second

// program builds the worker once for all tests.
var program = sync.OnceValues(func() (string, error) {
	path := filepath.Join(scratch, "worker")
	args := []string{"build", "-o", path}
	if cuda.Built {
		args = append(args, "-tags=gpu")
	}
	if out, err := exec.Command("go", append(args, ".")...).CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return path, nil
})

// scratch is a directory for as long as the tests run.
var scratch string

func TestMain(m *testing.M) {
	var err error
	if scratch, err = os.MkdirTemp("", "worker"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	status := m.Run()
	os.RemoveAll(scratch)
	os.Exit(status)
}

// cluster is a Redis and a storage, and what workers are started on them.
type cluster struct {
	*testing.T
	url, dir string
	redis    redis.UniversalClient
	bucket   storage.Bucket
	store    *records.Store
	queue    *redisjobs.Queue
	live     redisjobs.Live
}

func newCluster(t *testing.T) *cluster {
	t.Helper()
	return onRedis(t, startRedis(t))
}

// onRedis is a cluster on a Redis that is there.
func onRedis(t *testing.T, url string) *cluster {
	t.Helper()
	dir := t.TempDir()
	r, err := redisjobs.Connect(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	b, err := file.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return &cluster{t, url, dir, r, b, records.New(b), redisjobs.NewQueue(r), redisjobs.Live{Redis: r}}
}

// startRedis starts a redis-server if there is one, and miniredis otherwise.
func startRedis(t *testing.T) (url string) {
	t.Helper()
	if path := redisPath(); path != "" {
		return startServer(t, path).url
	}
	m := miniredis.RunT(t)
	m.ClockTTL(true)
	return "redis://" + m.Addr()
}

// redisPath is a Redis server's program; "" if there is none.
func redisPath() string {
	for _, name := range []string{"valkey-server", "redis-server"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return ""
}

// redisServer is a real Redis, that keeps nothing when it ends.
type redisServer struct {
	*testing.T
	url    string
	socket string
	args   []string
	cmd    *exec.Cmd
}

func startServer(t *testing.T, path string) *redisServer {
	t.Helper()
	dir, err := os.MkdirTemp("", "redis") // t.TempDir may be too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(dir, "s")
	r := &redisServer{T: t, url: "unix://" + socket, socket: socket, args: []string{path, "--port", "0", "--unixsocket", socket, "--save", "", "--dir", dir}}
	r.start()
	t.Cleanup(func() {
		r.kill()
		os.RemoveAll(dir)
	})
	return r
}

func (r *redisServer) start() {
	r.Helper()
	r.cmd = exec.Command(r.args[0], r.args[1:]...)
	if err := r.cmd.Start(); err != nil {
		r.Fatal(err)
	}
	until(r.T, "redis-server to come up", func() bool {
		c, err := net.Dial("unix", r.socket)
		if err != nil {
			return false
		}
		return c.Close() == nil
	})
}

func (r *redisServer) kill() {
	r.cmd.Process.Kill()
	r.cmd.Wait()
}

// until waits for a condition, with patience.
func until(t *testing.T, what string, met func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	for !met() {
		select {
		case <-ctx.Done():
			t.Fatalf("waited %s in vain for %s", patience, what)
		case <-look.C:
		}
	}
}

// worker is a process.
type worker struct {
	*testing.T
	cmd    *exec.Cmd
	name   string // as records show it
	exited chan struct{}

	mu  sync.Mutex
	log bytes.Buffer
}

// Write collects what the process logs.
func (w *worker) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.log.Write(p)
}

func (w *worker) logged() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.log.String()
}

// worker starts a process, which is killed at the end of the test.
func (c *cluster) worker(args ...string) *worker {
	c.Helper()
	path, err := program()
	if err != nil {
		c.Fatal(err)
	}
	w := &worker{T: c.T, exited: make(chan struct{})}
	w.cmd = exec.Command(path, append([]string{"--concurrency=1", "--checkpoint-seconds=0.2"}, args...)...)
	w.cmd.Env = append(os.Environ(), "REDIS_URL="+c.url, "STORAGE_URL=file://"+c.dir)
	w.cmd.Stderr = w
	if err := w.cmd.Start(); err != nil {
		c.Fatal(err)
	}
	go func() { defer close(w.exited); w.cmd.Wait() }()
	c.Cleanup(func() {
		w.signal(syscall.SIGKILL)
		<-w.exited
		if c.Failed() {
			c.Logf("worker %d logged:\n%s", w.cmd.Process.Pid, w.logged())
		}
	})
	host, err := os.Hostname()
	if err != nil {
		c.Fatal(err)
	}
	w.name = fmt.Sprintf("%s:%d", host, w.cmd.Process.Pid)
	return w
}

// quick are the flags of a worker whose leases are soon lost.
func quick() []string { return []string{"--lease=" + short.String(), "--reconcile=500ms"} }

func (w *worker) signal(s os.Signal) { _ = w.cmd.Process.Signal(s) } // it may have exited

// exit waits for the process to end by itself and returns its status.
func (w *worker) exit() int {
	w.Helper()
	select {
	case <-w.exited:
	case <-time.After(patience):
		w.Fatalf("waited %s in vain for a worker to exit", patience)
	}
	return w.cmd.ProcessState.ExitCode()
}

// small is a job of two folds that take some seconds each.
func small() jobs.Spec {
	s := jobs.DefaultSpec()
	s.Dataset = data.Names{"stereopolymer_input_nopush"}
	s.KFolds, s.Epochs, s.LearningRate, s.Publish = 2, 250, 1e-3, nil
	s.Model = nn.Config{Name: "global100", AtomFeatures: 16, BondFeatures: 16, MolFeatures: 4, NumMessages: 2, Dropout: 0.05}
	return s.WithDefaults()
}

// ask makes a job on 60 rows of PolyID's table, as api does, and enqueues it.
func (c *cluster) ask(s jobs.Spec) *jobs.Job { c.Helper(); return c.askAs("tester", s) }

// askAs asks under a token.
func (c *cluster) askAs(token string, s jobs.Spec) *jobs.Job {
	c.Helper()
	d, _ := data.Shipped("stereopolymer_input_nopush")
	sheet := *d.Sheet()
	sheet.Rows = sheet.Rows[:60]
	table, _, err := data.Parse(c.Context(), []*data.Sheet{&sheet}, data.Columns{Targets: []string{"Tg", "Tm"}}, data.Options{})
	if err != nil {
		c.Fatal(err)
	}
	j, err := jobs.New(time.Now(), token, s)
	if err != nil {
		c.Fatal(err)
	}
	var b bytes.Buffer
	if err := table.WriteCSV(&b); err != nil {
		c.Fatal(err)
	}
	if _, err := c.bucket.Put(c.Context(), keys.Dataset(j.ID), &b, int64(b.Len()), storage.IfAbsent()); err != nil {
		c.Fatal(err)
	}
	if err := c.store.Create(c.Context(), j); err != nil {
		c.Fatal(err)
	}
	c.enqueue(jobs.Task{Kind: jobs.Prepare, Job: j.ID})
	return j
}

func (c *cluster) enqueue(t jobs.Task) {
	c.Helper()
	if err := c.queue.Enqueue(c.Context(), t); err != nil {
		c.Fatal(err)
	}
}

func (c *cluster) job(id string) *jobs.Job {
	c.Helper()
	j, err := c.store.Job(c.Context(), id)
	if err != nil {
		c.Fatal(err)
	}
	return j
}

func (c *cluster) folds(id string) []*jobs.Fold {
	c.Helper()
	folds, err := c.store.Folds(c.Context(), id)
	if err != nil {
		c.Fatal(err)
	}
	return folds
}

// training waits until a fold has been checkpointed under a claim of the worker,
// which is not nearly done with it, and returns its index.
func (c *cluster) training(id string, w *worker) (fold int) {
	c.Helper()
	until(c.T, "a fold to train", func() bool {
		for _, f := range c.folds(id) {
			if p := f.Checkpoint; f.Status == jobs.FoldRunning && f.Worker == w.name && p != nil && p.Time.After(f.Since) {
				fold = f.Index
				return true
			}
		}
		if j := c.job(id); j.State.Ended() {
			c.Fatalf("the job is %s before it could be disturbed: %+v", j.State, j.Failure)
		}
		return false
	})
	return fold
}

// succeeded waits for the job and returns its models.
func (c *cluster) succeeded(id string) [][]byte {
	c.Helper()
	until(c.T, "the job to succeed", func() bool {
		j := c.job(id)
		if j.State == jobs.Failed {
			c.Fatalf("the job has failed: %+v", j.Failure)
		}
		return j.State == jobs.Succeeded
	})
	var models [][]byte
	for _, f := range c.folds(id) {
		if f.Status != jobs.FoldSucceeded || f.Token != "" || f.Failures != 0 {
			c.Errorf("fold %d is %s after %d failures (%s)", f.Index, f.Status, f.Failures, f.LastError)
		}
		models = append(models, c.read(keys.ModelPrefix(id)+revision.ModelPath(f.Index)))
	}
	if _, err := revision.Open(os.DirFS(filepath.Join(c.dir, filepath.FromSlash(keys.ModelPrefix(id))))); err != nil {
		c.Error(err)
	}
	return models
}

func (c *cluster) read(key string) []byte {
	c.Helper()
	o, err := c.bucket.Get(c.Context(), key)
	if err != nil {
		c.Fatal(err)
	}
	defer o.Close()
	body, err := io.ReadAll(o)
	if err != nil {
		c.Fatal(err)
	}
	return body
}

// undisturbed holds, by epochs, what a job of small leaves that nothing happens
// to: each trained once for all tests.
var undisturbed = map[int][][]byte{}

// same fails the test unless the models of a job of small have the bits of an
// undisturbed training.
func (c *cluster) same(s jobs.Spec, models [][]byte) {
	c.Helper()
	if undisturbed[s.Epochs] == nil {
		calm := newCluster(c.T)
		j := calm.ask(s)
		calm.worker("--concurrency=2")
		undisturbed[s.Epochs] = calm.succeeded(j.ID)
	}
	for i, m := range models {
		if !bytes.Equal(m, undisturbed[s.Epochs][i]) {
			c.Errorf("fold %d: not the bits of an undisturbed training", i)
		}
	}
}

// resumptions are the epochs that a fold's later attempts began with.
func (c *cluster) resumptions(id string, fold int) (epochs []int) {
	c.Helper()
	for _, e := range c.job(id).Events {
		var d struct{ Fold, Epoch int }
		if e.Type != jobs.EventFoldResumed {
			continue
		}
		if err := json.Unmarshal(e.Data, &d); err != nil {
			c.Fatal(err)
		}
		if d.Fold == fold {
			epochs = append(epochs, d.Epoch)
		}
	}
	return epochs
}

func events(j *jobs.Job) string {
	var all []string
	for _, e := range j.Events {
		all = append(all, strings.TrimPrefix(string(e.Type), "training_job."))
	}
	return strings.Join(all, " ")
}
