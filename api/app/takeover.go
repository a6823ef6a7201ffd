package app

import (
	"context"
	"time"

	"polyid-trainer/jobs"
	"polyid-trainer/jobs/lease"
	"polyid-trainer/jobs/screenings"
)

// takeOver takes the predictions away from the process that had this data directory
// before, if all records lie in it: this one has locked it, so that one is dead,
// and they go on at once. It is called before anything works on them.
func (a *App) takeOver(ctx context.Context, s *shared) error {
	if a.config.StorageURL != "" {
		return nil
	}
	return s.results.TakeOver(ctx, time.Now())
}

// takeOverJobs is takeOver for the jobs.
func (a *App) takeOverJobs(ctx context.Context, c *cluster) {
	if a.config.StorageURL != "" {
		return
	}
	r := &jobs.Reconciler{Store: c.store, Queue: c.queue, Leases: &lease.Observer{}, Now: time.Now, Log: a.log}
	if err := r.TakeOver(ctx); err != nil {
		// What is wrong with some records must not keep the others from being served.
		a.log.Error("taking over the work of the process before", "error", err)
	}
	if err := screenings.NewStore(a.patient, time.Now).TakeOver(ctx, c.queue); err != nil {
		a.log.Error("taking over the screenings of the process before", "error", err)
	}
}
