package app

import (
	"context"
	"fmt"
	"time"

	"polyid-trainer/api/datasets"
	"polyid-trainer/jobs"
	"polyid-trainer/jobs/access"
	"polyid-trainer/jobs/quota"
	"polyid-trainer/jobs/records"
	"polyid-trainer/worker/memory"
)

// quotas compares what tokens use with what they may.
type quotas struct {
	limits  *quota.Quotas
	jobs    *records.Store
	library *datasets.Library
}

// newQuotas enforces the setting QUOTAS where datasets are stored.
func (a *App) newQuotas(store *records.Store, library *datasets.Library) (*quotas, error) {
	limits, err := quota.Parse(a.config.Quotas)
	if err != nil {
		return nil, fmt.Errorf("QUOTAS: %w", err)
	}
	q := &quotas{limits, store, library}
	library.Room = q.room
	return q, nil
}

// Budget is what the jobs of an owner may cost this month and have cost, in USD. What
// they cost is read only where there is a limit.
func (q *quotas) Budget(ctx context.Context, owner string) (limit, spent float64, err error) {
	if limit = q.limits.Of(owner).USD; limit == 0 {
		return 0, 0, nil
	}
	charges, err := q.jobs.Usage(ctx, time.Now().UTC().Format("2006-01"))
	if err != nil {
		return 0, 0, err
	}
	for _, c := range charges {
		if c.Owner == owner {
			spent += c.USD
		}
	}
	return limit, spent, nil
}

// room is jobs.TooLarge if so many bytes more would pass the quota of who asks in ctx.
func (q *quotas) room(ctx context.Context, bytes int64) error {
	name := access.Name(ctx)
	limit := q.limits.Of(name).Storage
	if limit == 0 {
		return nil
	}
	used, err := q.library.Used(ctx, name)
	if err != nil {
		return err
	}
	if used+bytes > limit {
		return &jobs.Error{Code: jobs.TooLarge, Detail: fmt.Sprintf("this takes %s, and %q has stored %s of the %s that its quota allows (QUOTAS): delete datasets that are no longer needed, or ask for a larger quota",
			memory.Format(bytes), name, memory.Format(used), memory.Format(limit))}
	}
	return nil
}
