// Package runner is what a worker process runs, as a worker of its own or inside
// api: the servers of the queues for prepare, fold and finalize, the pipeline
// behind them, and the reconciler.
package runner

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"polyid-trainer/jobs"
	"polyid-trainer/jobs/lease"
	"polyid-trainer/jobs/records"
	"polyid-trainer/jobs/redisjobs"
	"polyid-trainer/nn"
	"polyid-trainer/storage"
	"polyid-trainer/storage/record"
	"polyid-trainer/worker/memory"
	"polyid-trainer/worker/pipeline"
)

// Runner is a worker. Its fields are set before Run.
type Runner struct {
	Redis     redis.UniversalClient
	Bucket    storage.Bucket // calls that fail for no reason of their own are repeated
	NewEngine nn.NewEngine
	GPUs      string // that NewEngine's engines run on, for jobs and model cards; "" is none
	Log       *slog.Logger

	Concurrency int           // folds at once; 0 is as many as cores
	Every       time.Duration // the longest time between checkpoints; 0 is a minute
	CostPerHour float64       // USD of this process
	MemoryLimit int64         // bytes for the folds that train at once; 0 is no limit

	ScreenCores   int // that a block of a screening is computed on; 0 is all
	MaxHeavyAtoms int // of a polymer that is screened; 0 is the default of predictions

	ExitWhenIdle time.Duration // Run returns after so long without a task; 0 is never
	Grace        time.Duration // to save and release, once told to stop; 0 is 30 s

	// For tests, which have no patience. Zero is as the packages say.
	Lease          lease.Terms
	Reconcile      time.Duration
	HeartbeatEvery time.Duration

	Alone bool // no other process works on these records
}

// errIdle ends a Run that has had nothing to do.
var errIdle = errors.New("idle")

// Run works until ctx ends: then folds are saved and released, for which it
// waits. It returns nil then, and after ExitWhenIdle.
func (r *Runner) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	bucket, ok := r.Bucket.(*record.Register) // of a process that this worker is a part of
	if !ok {
		bucket = &record.Register{Bucket: &storage.Retry{Bucket: r.Bucket}, Log: r.Log}
	}
	store, queue := records.New(bucket), redisjobs.NewQueue(r.Redis)
	work := &pipeline.Pipeline{
		Store: store, Queue: queue, Bucket: bucket, NewEngine: r.NewEngine, Live: redisjobs.Live{Redis: r.Redis},
		Worker: name(), Hardware: hardware(r.GPUs), Code: code(), Every: r.Every, HeartbeatEvery: r.HeartbeatEvery, Lease: r.Lease,
		CostPerHour: r.CostPerHour, Memory: memory.NewBudget(r.MemoryLimit), Log: r.Log,
	}
	idle := newIdle(time.Now())
	folds := r.Concurrency
	if folds == 0 {
		folds = runtime.NumCPU()
	}
	screening, err := r.newScreening(bucket, queue)
	if err != nil {
		return err
	}
	server := &redisjobs.Server{Redis: r.Redis, Handler: idle.count(screening.handle(work.Handle)), Grace: r.Grace, Worker: work.Worker, Log: r.Log, Pools: append([]redisjobs.Pool{
		{Kinds: []jobs.Kind{jobs.TrainFold}, Concurrency: folds},
		{Kinds: []jobs.Kind{jobs.Prepare}, Concurrency: 1},
		{Kinds: []jobs.Kind{jobs.Finalize}, Concurrency: 1},
	}, screening.pools()...)}
	var beside sync.WaitGroup
	defer beside.Wait()
	defer cancel(nil)
	observer := &reconciling{Runner: r, who: name() + ":" + rand.Text(), every: r.Reconcile, screenings: screening.reconcile, reconciler: &jobs.Reconciler{
		Store: store, Queue: queue, Leases: &lease.Observer{Length: r.Lease.Length}, Now: time.Now, Log: r.Log,
		Failed: func(ctx context.Context, job string) { _ = work.Live.Tell(ctx, job, jobs.Pause) }, // or at their next checkpoint
	}}
	beside.Go(func() { observer.run(ctx) })
	beside.Go(func() { r.telling(work, folds).run(ctx) })
	if r.ExitWhenIdle > 0 {
		beside.Go(func() { idle.watch(ctx, r.ExitWhenIdle, func() { cancel(errIdle) }) })
	}
	r.Log.Info("worker began", "worker", work.Worker, "folds", folds, "hardware", work.Hardware, "code", work.Code)
	if err := server.Serve(ctx); err != nil {
		return err
	}
	r.Log.Info("worker ended", "worker", work.Worker, "idle", errors.Is(context.Cause(ctx), errIdle))
	return nil
}

// name is how records show this process.
func name() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return fmt.Sprintf("%s:%d", host, os.Getpid())
}
