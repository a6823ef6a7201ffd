package app

import (
	"context"
	"time"

	"polyid-trainer/api/httpapi"
	"polyid-trainer/api/pages"
	"polyid-trainer/api/training"
	"polyid-trainer/api/tuning"
	"polyid-trainer/jobs"
	"polyid-trainer/jobs/lease"
	"polyid-trainer/jobs/searches"
)

// stepper moves searches on.
func (a *App) stepper(c *cluster) *searches.Stepper {
	return &searches.Stepper{
		Store: searches.NewStore(a.patient), Jobs: c.store, Queue: c.queue, Bucket: a.patient,
		Tell: func(ctx context.Context, job string, told jobs.Control) error { return c.live.Tell(ctx, job, told) },
		Changed: func(ctx context.Context, search string) {
			if err := c.live.Changed(ctx, search); err != nil && ctx.Err() == nil {
				a.log.Warn("waking up the search's watchers", "search", search, "error", err)
			}
		},
		Leases: &lease.Observer{}, Log: a.log,
	}
}

// newSearches serves searches, and looks at all of them now and then.
func (a *App) newSearches(c *cluster, service *training.Service, stepper *searches.Stepper) *role {
	tuner := &tuning.Service{Store: stepper.Store, Stepper: stepper, Jobs: service, Queue: c.queue, Live: c.live, Keys: c.keys, Now: time.Now, Log: a.log}
	r := &role{areas: []httpapi.Area{&httpapi.Searches{Service: tuner}, &pages.Searches{Service: tuner}}}
	r.serve("searches", a.every(searches.Every, "searches", a.leads, stepper.Reconcile))
	return r
}
