package redisjobs

import (
	"context"
	"errors"
	"fmt"
	"time"

	"polyid-trainer/jobs"
)

// endWithin bounds telling the dealer that a run has ended.
const endWithin = 5 * time.Second

// serveNext works on the task of a kind that is next, if any may run, and returns the
// outcome of the task at whose call it was taken.
func (s *Server) serveNext(ctx context.Context, k jobs.Kind) error {
	d := dealerOf(s.Redis, k, s.Worker)
	r, err := d.take(ctx)
	if err != nil {
		return s.outcome(ctx, jobs.Task{Kind: k}, fmt.Errorf("ask which task is next: %w", err))
	}
	if r == nil {
		return nil
	}
	var served stopwatch
	served.start()
	stop := s.keepHeard(ctx, d, r, &served)
	t := r.task()
	err = s.outcome(ctx, t, s.Handler(ctx, t))
	stop()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), endWithin)
	defer cancel()
	// One that failed without its record saying so waits for the reconciler: at
	// once it would only fail again, ahead of all others.
	wake, ended := d.end(ctx, r, served.lap(), errors.Is(err, errReleased))
	if ended == nil && wake != nil {
		ended = NewQueue(s.Redis).push(ctx, *wake)
	}
	if ended != nil {
		// What still waits the reconciler knows, and what does not run is silent.
		s.Log.Warn("telling that a task has ended", "task", t.ID(), "error", ended)
	}
	return err
}

// keepHeard tells the dealer of a run until stop is called.
func (s *Server) keepHeard(ctx context.Context, d *dealer, r *run, served *stopwatch) (stop func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(heardEvery)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			if err := d.heard(ctx, r, served.lap()); err != nil && ctx.Err() == nil {
				s.Log.Debug("telling that a task goes on", "task", r.task().ID(), "error", err)
			}
		}
	}()
	return func() { cancel(); <-done }
}

// stopwatch measures laps.
type stopwatch struct{ last time.Time }

func (w *stopwatch) start() { w.last = time.Now() }

// lap is the time since the last lap.
func (w *stopwatch) lap() time.Duration {
	now := time.Now()
	d := now.Sub(w.last)
	w.last = now
	return d
}
