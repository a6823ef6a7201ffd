package app

import (
	"context"
	"time"

	"polyid-trainer/api/httpapi"
	"polyid-trainer/jobs"
	"polyid-trainer/jobs/idempotency"
	"polyid-trainer/jobs/redisjobs"
	"polyid-trainer/jobs/retention"
)

// housekeeping is what is done every so often, by one process of all.
func (a *App) housekeeping(p *parts) {
	if !a.config.embeddedRedis() { // the worker in this process does that; one elsewhere may not be there yet
		reconciler := &jobs.Reconciler{Store: p.store, Queue: p.queue, Now: time.Now, Log: a.log}
		a.serve("reconcile", a.every(jobs.Every, "reconcile", a.inTurn, reconciler.Reconcile))
	}
	a.serve("predictions", a.every(jobs.Every, "predictions", a.inTurn, func(ctx context.Context) error {
		return p.results.Reconcile(ctx, p.queue, time.Now())
	}))
	sweeper := &retention.Service{
		Policy: a.config.Limits.policy(), Jobs: p.store, Bucket: a.patient, Predictions: p.results, Now: time.Now, Log: a.log,
		Others: []retention.Kept{{Name: "idempotency records", For: idempotency.Lifetime, Store: p.keys}, {Name: "sessions", For: httpapi.SessionLasts, Store: a.sessions}},
	}
	a.serve("retention", a.every(retention.Every, "retention", a.inTurn, sweeper.Sweep))
}

// every does something at once and then every so often until ctx ends, whenever
// it is this process' turn. What fails is logged, and tried again the next time.
func (a *App) every(often time.Duration, what string, turn func(context.Context, string, time.Duration) (bool, error), do func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		tick := time.NewTicker(often)
		defer tick.Stop()
		for {
			mine, err := turn(ctx, what, often)
			if err == nil && mine {
				err = do(ctx)
			}
			if err != nil && ctx.Err() == nil {
				a.log.Error("housekeeping failed, to be tried again", "what", what, "error", err)
			}
			select {
			case <-ctx.Done():
				return nil
			case <-tick.C:
			}
		}
	}
}

// alone is the turn of a process that shares nothing.
func (*App) alone(context.Context, string, time.Duration) (bool, error) { return true, nil }

// inTurn gives the turn to one at a time of all processes that share the Redis.
func (a *App) inTurn(ctx context.Context, what string, often time.Duration) (bool, error) {
	if a.embedded != nil {
		return true, nil // the turn of a former process may be left in it
	}
	// A little less than a period, or a turn would still be taken at the next.
	return redisjobs.Turn(ctx, a.redis, what, often*9/10)
}
