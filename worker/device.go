package main

import (
	"context"
	"errors"
	"log/slog"

	"polyid-trainer/nn/cpu"
	"polyid-trainer/nn/cuda"
)

// gpuFolds is how many folds GPUs train at once unless told: those of a usual
// job, which one GPU holds easily.
const gpuFolds = 5

// devices opens what folds are trained on, and decides how many at once; 0 is as
// many as there are cores.
func (o *options) devices(log *slog.Logger) (set *cuda.Set, folds int, err error) {
	s, err := cuda.ParseSelection(o.Device)
	if err != nil {
		return nil, 0, err
	}
	folds = o.Concurrency
	if folds == 0 && s.GPU() {
		folds = gpuFolds
	}
	set, err = cuda.Choose(o.Device, cuda.Options{Folds: folds}, cpu.New, log)
	if err != nil {
		return nil, 0, err
	}
	if len(set.Report()) == 0 {
		folds = o.Concurrency
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
