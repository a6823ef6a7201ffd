package runner

import (
	"context"
	"runtime"
	"time"

	"polyid-trainer/jobs"
	"polyid-trainer/jobs/lease"
	"polyid-trainer/jobs/redisjobs"
	"polyid-trainer/jobs/screenings"
	"polyid-trainer/storage"
	"polyid-trainer/worker/screen"
)

// screening is a worker's part in screenings.
type screening struct {
	service *screen.Service
	leases  *lease.Observer
}

// newScreening makes it; nil where the worker takes no part.
func (r *Runner) newScreening(bucket storage.Bucket, queue jobs.Queue) (*screening, error) {
	kernel, err := screen.KernelOf(r.NewEngine)
	if err != nil {
		return nil, err
	}
	cores := r.ScreenCores
	if cores == 0 {
		cores = runtime.NumCPU()
	}
	return &screening{leases: &lease.Observer{Length: r.Lease.Length}, service: &screen.Service{
		Store: screenings.NewStore(bucket, time.Now), Queue: queue, Bucket: bucket, Kernel: kernel, Worker: name(), Cores: cores,
		Models:      &screen.Models{Bucket: bucket, Open: screen.Revision(r.NewEngine, r.MaxHeavyAtoms)},
		CostPerHour: r.CostPerHour, Lease: r.Lease, Log: r.Log,
	}}, nil
}

// pools are its queues. One block at a time takes all the cores that it may; the
// operating system shares them with the folds that train.
func (s *screening) pools() []redisjobs.Pool {
	return []redisjobs.Pool{
		{Kinds: []jobs.Kind{jobs.Screen}, Concurrency: 1},
		{Kinds: []jobs.Kind{jobs.Assemble}, Concurrency: 1},
	}
}

// handle works on a task of its kinds, and leaves others to next.
func (s *screening) handle(next func(context.Context, jobs.Task) error) func(context.Context, jobs.Task) error {
	return func(ctx context.Context, t jobs.Task) error {
		if t.Kind == jobs.Screen || t.Kind == jobs.Assemble {
			return s.service.Handle(ctx, t)
		}
		return next(ctx, t)
	}
}

// reconcile does what screenings need.
func (s *screening) reconcile(ctx context.Context) error {
	return s.service.Store.Reconcile(ctx, s.service.Queue, s.leases)
}
