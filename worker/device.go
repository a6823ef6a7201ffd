package main

import (
	"context"
	"errors"
	"log/slog"

	"polyid-trainer/nn/cpu"
	"polyid-trainer/nn/cuda"
)

// devices opens what folds are trained on, and decides how many at once: unless
// told, one on each GPU; 0 is as many as there are cores.
func (o *options) devices(log *slog.Logger) (set *cuda.Set, folds int, err error) {
	set, err = cuda.Choose(o.Device, cuda.Options{Folds: o.Concurrency}, cpu.New, log)
	if err != nil {
		return nil, 0, err
	}
	folds = o.Concurrency
	if folds == 0 {
		folds = len(set.Report())
	}
	for _, r := range set.Report() {
		log.Info("training on", "device", r.Name, "model", r.Model, "multiprocessors", r.Multiprocessors,
			"memory_mb", r.Memory>>20, "arena_mb", r.Arena>>20, "cuda", r.Driver)
	}
	return set, folds, nil
}

// losable is devices, as a cuda.Set has them.
type losable interface {
	Done() <-chan struct{} // closed when all are lost
	Err() error            // nil until then
}

var _ losable = (*cuda.Set)(nil)

// runOn runs a worker until it ends, or until its devices are lost: then every
// fold it took would fail, and a new process has to see what is left of them.
func runOn(ctx context.Context, set losable, run func(context.Context) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-set.Done():
			cancel()
		case <-ctx.Done():
		}
	}()
	return errors.Join(run(ctx), set.Err())
}
