package app

import (
	"context"
	"time"

	"polyid-trainer/jobs/quota"
	"polyid-trainer/jobs/redisjobs"
)

// allowEvery is how often what tokens may use is stated anew: after Redis was
// emptied nobody is limited for as long.
const allowEvery = 10 * time.Second

// newShares states to those who deal folds what quotas allow each token.
func (a *App) newShares(c *cluster, quotas *quota.Quotas) *role {
	r := &role{}
	r.serve("shares", a.every(allowEvery, "shares", a.alone, func(ctx context.Context) error { return c.queue.Allow(ctx, allowances(quotas)) }))
	return r
}

// allowances are what quotas allow each token of the workers.
func allowances(quotas *quota.Quotas) map[string]redisjobs.Allowance {
	of := map[string]redisjobs.Allowance{}
	for _, name := range append(quotas.Names(), redisjobs.Others) {
		q := quotas.Of(name)
		of[name] = redisjobs.Allowance{Folds: q.Folds, Weight: q.Weight}
	}
	return of
}
