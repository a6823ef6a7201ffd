package app

import (
	"context"
	"time"

	"polyid-trainer/api/datasets"
	"polyid-trainer/api/httpapi"
	"polyid-trainer/jobs"
	"polyid-trainer/jobs/idempotency"
	"polyid-trainer/jobs/lease"
	"polyid-trainer/jobs/redisjobs"
	"polyid-trainer/jobs/retention"
)

// housekeeping is what is done every so often, by one process of all.
func (a *App) housekeeping(p *cluster, tables *datasets.Library) *role {
	r := &role{}
	if !a.config.embeddedRedis() { // the worker in this process does that; one elsewhere may not be there yet
		reconciler := &jobs.Reconciler{
			Store: p.store, Queue: p.queue, Leases: &lease.Observer{}, Now: time.Now, Log: a.log,
			Failed: func(ctx context.Context, job string) { _ = p.live.Tell(ctx, job, jobs.Pause) }, // or at their next checkpoint
		}
		r.serve("reconcile", a.every(jobs.Every, "reconcile", a.leads, reconciler.Reconcile))
	}
	leases := &lease.Observer{}
	r.serve("predictions", a.every(jobs.Every, "predictions", a.leads, func(ctx context.Context) error {
		return p.results.Reconcile(ctx, p.queue, leases, time.Now())
	}))
	sweeper := &retention.Service{
		Policy: a.config.Limits.policy(), Jobs: p.store, Bucket: a.patient, Predictions: p.results, Now: time.Now, Log: a.log,
		Others: []retention.Kept{{Name: "idempotency records", For: idempotency.Lifetime, Store: p.keys}, {Name: "uploads", For: datasets.UploadLasts, Store: tables}, {Name: "sessions", For: httpapi.SessionLasts, Store: a.sessions}, {Name: "audit log", For: a.config.Limits.audit(), Store: a.audit}},
	}
	r.serve("retention", a.every(retention.Every, "retention", a.leads, sweeper.Sweep))
	return r
}

// every does something at once and then every so often until ctx ends, whenever
// this process leads. What fails is logged, and tried again the next time.
func (a *App) every(often time.Duration, what string, leads func(context.Context, string, time.Duration) (bool, error), do func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		tick := time.NewTicker(often)
		defer tick.Stop()
		for {
			leader, err := leads(ctx, what, often)
			if err == nil && leader {
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

// alone is leads for a process that shares nothing.
func (*App) alone(context.Context, string, time.Duration) (bool, error) { return true, nil }

// leads reports whether this process is the leader of those that share the Redis,
// in doing something so often.
func (a *App) leads(ctx context.Context, what string, often time.Duration) (bool, error) {
	if a.embedded != nil {
		return true, nil // a former process may be named in it
	}
	return redisjobs.Lead(ctx, a.redis, what, worker(), often*3/2) // it asks again before that
}
