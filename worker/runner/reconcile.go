package runner

import (
	"context"
	"errors"
	"time"

	"polyid-trainer/jobs"
	"polyid-trainer/jobs/redisjobs"
)

// reconciling runs the reconciler in this process while that leads the others.
type reconciling struct {
	*Runner
	reconciler *jobs.Reconciler
	screenings func(context.Context) error
	who        string        // among those that may lead
	every      time.Duration // 0 is jobs.Every
}

// run reconciles until ctx ends. It asks four times in each period whether it
// leads, so that another process soon follows a leader that has died.
func (r *reconciling) run(ctx context.Context) {
	every := r.every
	if every <= 0 {
		every = jobs.Every
	}
	tick := time.NewTicker(every / 4)
	defer tick.Stop()
	for last := time.Now().Add(-every); ; {
		if now := time.Now(); r.leads(ctx, every) && now.Sub(last) >= every {
			last = now
			if err := errors.Join(r.reconciler.Reconcile(ctx), r.screenings(ctx)); err != nil && ctx.Err() == nil {
				r.Log.Error("reconciling failed, to be tried again", "error", err)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (r *reconciling) leads(ctx context.Context, term time.Duration) bool {
	if r.Alone {
		return true
	}
	leads, err := redisjobs.Lead(ctx, r.Redis, "reconcile", r.who, term)
	if err != nil && ctx.Err() == nil {
		r.Log.Warn("the queue is away", "error", err)
	}
	return leads
}
