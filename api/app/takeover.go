package app

import (
	"context"
	"time"

	"polyid-trainer/jobs"
	"polyid-trainer/jobs/lease"
)

// takeOver takes the work away from the process that had this data directory
// before, if all records lie in it: this one has locked it, so that one is dead,
// and its work goes on at once. It is called before anything works on them.
func (a *App) takeOver(ctx context.Context, p *parts) error {
	if a.config.StorageURL != "" {
		return nil
	}
	if p.store != nil {
		r := &jobs.Reconciler{Store: p.store, Queue: p.queue, Leases: &lease.Observer{}, Now: time.Now, Log: a.log}
		if err := r.TakeOver(ctx); err != nil {
			// What is wrong with some records must not keep the others from being served.
			a.log.Error("taking over the work of the process before", "error", err)
		}
	}
	return p.results.TakeOver(ctx, time.Now())
}
