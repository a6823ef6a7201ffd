//go:build linux

package httpapi

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"polyid-trainer/api/datasets"
	"polyid-trainer/api/training"
	"polyid-trainer/data"
	"polyid-trainer/featurize"
	"polyid-trainer/jobs"
	"polyid-trainer/jobs/idempotency"
	"polyid-trainer/jobs/lease"
	"polyid-trainer/jobs/predictions"
	"polyid-trainer/jobs/records"
	"polyid-trainer/jobs/redisjobs"
	"polyid-trainer/nn"
	"polyid-trainer/nn/cpu"
	"polyid-trainer/nn/dataset"
	"polyid-trainer/nn/train"
	"polyid-trainer/storage/file"
	"polyid-trainer/worker/predict"
)

// loaded is Serving with nothing to load.
type loaded struct{}

func (loaded) Ready() error { return nil }
func (loaded) Use(context.Context, jobs.Revision) (*predict.Model, func(), error) {
	return nil, func() {}, nil
}
func (loaded) Status() []predict.Status { return nil }
func (loaded) Moved()                   {}

// plant is a server on a Redis and file storage of its own.
type plant struct {
	url     string
	live    redisjobs.Live
	queue   *redisjobs.Queue
	records *records.Store
	results *predictions.Store
}

func newPlant(t testing.TB) *plant {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	dir, err := os.MkdirTemp("", "load") // t.TempDir may be too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	embedded, err := redisjobs.StartEmbedded(t.Context(), dir+"/redis", log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { embedded.Close() })
	client, err := redisjobs.Connect(embedded.URL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	bucket, err := file.Open(dir + "/objects")
	if err != nil {
		t.Fatal(err)
	}
	p := &plant{live: redisjobs.Live{Redis: client}, queue: redisjobs.NewQueue(client), records: records.New(bucket), results: predictions.NewStore(bucket)}
	standard := jobs.Revision{Repo: testRepo, Revision: "main"}
	server := New(Config{Limits: Limits{Rate: 1e6, Burst: 1e6}},
		&Predictions{Models: loaded{}, Default: standard, Store: p.results, Queue: p.queue, TempDir: dir},
		&TrainingJobs{Service: &training.Service{Store: p.records, Queue: p.queue, Live: p.live, Bucket: bucket, HubRepo: testRepo,
			Library: datasets.New(bucket, datasets.Limits{}, nil), Keys: idempotency.New(bucket, nil)}},
	)
	listener := httptest.NewServer(server)
	t.Cleanup(listener.Close)
	p.url = listener.URL
	return p
}

var loadBodies = map[string]string{
	"/v1/predictions":   `{"inputs": [{"smiles_polymer": "` + chain + `"}]}`,
	"/v1/training-jobs": `{"dataset": "stereopolymer_input_nopush"}`,
}

// send posts to a route and returns how long the answer took, and the id.
func (p *plant) send(client *http.Client, route string) (time.Duration, string, error) {
	began := time.Now()
	resp, err := client.Post(p.url+route, "application/json", strings.NewReader(loadBodies[route]))
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	took := time.Since(began)
	if err != nil || resp.StatusCode != http.StatusAccepted {
		return 0, "", fmt.Errorf("%s: %d %s, %v", route, resp.StatusCode, body, err)
	}
	return took, resp.Header.Get("Location")[len(route)+1:], nil
}

// busy trains the full-size network in so many goroutines, as a worker in this
// process does: on threads of their own, stepped back, with GOMAXPROCS above
// their number. It counts steps until the test ends.
func busy(t testing.TB, folds int) (steps *atomic.Int64) {
	t.Helper()
	config := nn.Config{Name: nn.Global100, AtomFeatures: 128, BondFeatures: 128, MolFeatures: 8, NumMessages: 12}
	f, err := featurize.New(featurize.Config{})
	if err != nil {
		t.Fatal(err)
	}
	table, set, err := dataset.PolyID(t.Context(), f, config.NumMessages)
	if err != nil {
		t.Fatal(err)
	}
	part, err := table.Partition(data.PartitionRequest{Folds: 5})
	if err != nil {
		t.Fatal(err)
	}
	before := runtime.GOMAXPROCS(runtime.NumCPU() + folds)
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	t.Cleanup(func() { stop(); running.Wait(); runtime.GOMAXPROCS(before) })
	steps = &atomic.Int64{}
	for i := range folds {
		fold, err := set.Fold(table, part.Folds[i])
		if err != nil {
			t.Fatal(err)
		}
		engine, err := cpu.New(config, fold.Sizes(), uint64(i))
		if err != nil {
			t.Fatal(err)
		}
		running.Go(func() {
			runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
			_ = unix.Setpriority(unix.PRIO_PROCESS, unix.Gettid(), 10)
			defer engine.Close()
			c := train.DefaultConfig()
			c.Epochs = 1_000_000
			_, err := train.Fit(ctx, counting{engine, steps}, train.Data{Train: fold.Train, Validate: fold.Validate, Scale: fold.Scaler.Scale, Fold: i}, c, train.Options{})
			if ctx.Err() == nil {
				t.Errorf("training ended: %v", err)
			}
		})
	}
	return steps
}

// counting counts the steps of an engine.
type counting struct {
	nn.Engine
	steps *atomic.Int64
}

func (c counting) Step(b *nn.Batch, o nn.Adam) (float64, error) {
	c.steps.Add(1)
	return c.Engine.Step(b, o)
}

// Ten thousand predictions and two hundred trainings are asked for while two
// folds train: none is lost and none is there twice. How long the answers take
// is told, not judged, for it is the disk's business: each waits for some five
// fsyncs, one after the other.
func TestLongLoad(t *testing.T) {
	if os.Getenv("LONG") != "1" {
		t.Skip("set LONG=1: it takes minutes")
	}
	const (
		asked   = 10_000
		trained = 200
		clients = 2
	)
	p := newPlant(t)
	// Datasets are described once, when the server is new.
	if _, _, err := p.send(http.DefaultClient, "/v1/training-jobs"); err != nil {
		t.Fatal(err)
	}
	steps := busy(t, 2)
	orders := make(chan string, asked+trained)
	for i := range asked {
		orders <- "/v1/predictions"
		if i%(asked/trained) == 0 {
			orders <- "/v1/training-jobs"
		}
	}
	close(orders)
	var mu sync.Mutex
	times, ids := map[string][]time.Duration{}, map[string]int{}
	synced, woken := probe(t, syncer(t)), probe(t, func() time.Duration {
		const nap = time.Millisecond
		began := time.Now()
		time.Sleep(nap)
		return time.Since(began) - nap
	})
	began := time.Now()
	var wg sync.WaitGroup
	for range clients {
		wg.Go(func() {
			client := &http.Client{Transport: &http.Transport{}}
			for route := range orders {
				took, id, err := p.send(client, route)
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				times[route] = append(times[route], took)
				ids[id]++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	took := time.Since(began)
	var memory runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&memory)
	t.Logf("%d requests by %d clients in %s (%.0f/s) beside %.1f training steps/s; heap %d MB",
		len(ids), clients, took.Round(time.Second), float64(len(ids))/took.Seconds(), float64(steps.Load())/took.Seconds(), memory.HeapAlloc>>20)
	times["fsync of a small file"], times["waking from a nap, late"] = synced(), woken()
	for what, ts := range times { // routes are POSTed to
		slices.Sort(ts)
		at := func(share float64) time.Duration {
			return ts[int(share*float64(len(ts)-1))].Round(10 * time.Microsecond)
		}
		t.Logf("%s: %d times, p50 %s, p90 %s, p99 %s, longest %s", what, len(ts), at(.5), at(.9), at(.99), at(1))
	}
	if len(ids) != asked+trained {
		t.Errorf("%d different ids for %d requests", len(ids), asked+trained)
	}
	depth, err := p.queue.Depth()
	if err != nil || depth[jobs.Predict] != asked || depth[jobs.Prepare] != trained+1 {
		t.Errorf("the queue holds %v, %v", depth, err)
	}
	p.drain(t, ids)
}

// probe measures again and again how long something takes, until asked.
func probe(t *testing.T, measure func() time.Duration) (times func() []time.Duration) {
	t.Helper()
	stop, done := make(chan struct{}), make(chan []time.Duration)
	go func() {
		var all []time.Duration
		for {
			select {
			case <-stop:
				done <- all
				return
			case <-time.After(10 * time.Millisecond):
				all = append(all, measure())
			}
		}
	}()
	return func() []time.Duration { close(stop); return <-done }
}

// syncer writes a file to the disk under the tests' directories.
func syncer(t *testing.T) func() time.Duration {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "probe"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return func() time.Duration {
		began := time.Now()
		if _, err := f.WriteAt([]byte(began.String()), 0); err != nil {
			t.Error(err)
		}
		if err := f.Sync(); err != nil {
			t.Error(err)
		}
		return time.Since(began)
	}
}

// drain works the queue off, everything delivered twice where the reconcilers
// get in between, and checks that each job was worked on once.
func (p *plant) drain(t *testing.T, ids map[string]int) {
	ctx, stop := context.WithTimeout(t.Context(), 5*time.Minute)
	defer stop()
	var mu sync.Mutex
	worked := map[string]int{}
	left := len(ids) + 1
	server := &redisjobs.Server{
		Redis: p.live.Redis, Log: slog.New(slog.DiscardHandler),
		Pools: []redisjobs.Pool{{Kinds: []jobs.Kind{jobs.Predict}, Concurrency: 8}, {Kinds: []jobs.Kind{jobs.Prepare}, Concurrency: 2}},
		Handler: func(ctx context.Context, task jobs.Task) error {
			if task.Kind == jobs.Prepare {
				_, err := p.records.UpdateJob(ctx, task.Job, func(j *jobs.Job) error { return j.Start(time.Now()) })
				if err != nil {
					return err
				}
			} else {
				_, err := p.results.Update(ctx, task.Job, func(r *predictions.Prediction) error {
					h := lease.NewHolder(lease.Terms{}, slog.New(slog.DiscardHandler))
					if err := r.Begin(time.Now(), h, "w"); err != nil {
						return err
					}
					return r.Succeed(time.Now(), h.Token, r.Model, r.Counts)
				})
				if jobs.ErrorCode(err) == jobs.Conflict {
					return nil // delivered again
				}
				if err != nil {
					return err
				}
			}
			mu.Lock()
			defer mu.Unlock()
			worked[task.Job]++
			if left--; left == 0 {
				stop()
			}
			return nil
		},
	}
	if err := p.results.Reconcile(ctx, p.queue, &lease.Observer{}, time.Now()); err != nil {
		t.Error(err)
	}
	if err := server.Serve(ctx); err != nil {
		t.Error(err)
	}
	if left != 0 {
		t.Errorf("%d jobs were not worked on", left)
	}
	for id, n := range worked {
		if n != 1 {
			t.Errorf("%s was worked on %d times", id, n)
		}
	}
	for id := range ids {
		if worked[id] != 1 {
			t.Errorf("%s was lost", id)
		}
	}
}

// BenchmarkPost is what a POST costs, with a real Redis and file storage, alone
// and beside two folds that train.
func BenchmarkPost(b *testing.B) {
	for _, folds := range []int{0, 2} {
		for route := range loadBodies {
			b.Run(fmt.Sprintf("route=%s/folds=%d", strings.ReplaceAll(route[1:], "/", "."), folds), func(b *testing.B) {
				p := newPlant(b)
				if _, _, err := p.send(http.DefaultClient, route); err != nil {
					b.Fatal(err)
				}
				if folds > 0 {
					busy(b, folds)
				}
				var times []time.Duration
				for b.Loop() {
					took, _, err := p.send(http.DefaultClient, route)
					if err != nil {
						b.Fatal(err)
					}
					times = append(times, took)
				}
				slices.Sort(times)
				b.ReportMetric(float64(times[len(times)*99/100].Microseconds())/1000, "ms-p99")
			})
		}
	}
}
