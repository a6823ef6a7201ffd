package publish

import (
	"context"
	"errors"
	"fmt"
	"time"

	"polyid-trainer/jobs/keys"
	"polyid-trainer/jobs/lease"
	"polyid-trainer/storage"
	"polyid-trainer/storage/record"
)

// repository is the record by whose lease publications of one repository wait for
// each other. Whoever waits observes it.
type repository struct{ lease.Lease }

// lockRetry is how often a publication looks whether a repository is free.
const lockRetry = time.Second

// errOvertaken ends a publication that was asleep for longer than its lease on the
// repository.
var errOvertaken = errors.New("another publication of the repository went ahead")

// locked waits until the repository is free and does work under a lease on it. The
// context of work ends if the lease is lost, as it may be to a process that has
// been asleep.
func (a *attempt) locked(ctx context.Context, repo string, work func(context.Context) error) error {
	h, err := a.lock(ctx, repo)
	if err != nil {
		return err
	}
	key := keys.HubLease(repo)
	renew := func(ctx context.Context) error {
		_, err := record.Update(ctx, a.Bucket, key, func(r *repository) error { return h.Renew(&r.Lease, a.now()) })
		return err
	}
	var own error
	outcome, err := h.Run(ctx, renew, func(ctx context.Context) error {
		own = work(ctx)
		return own
	})
	if outcome == lease.Lost && context.Cause(ctx) == nil && !errors.Is(own, lease.ErrLost) {
		return errOvertaken // the repository alone is lost, not the job
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), ending)
	defer cancel()
	_, released := record.Update(ctx, a.Bucket, key, func(r *repository) error { return r.Release(h.Token) })
	if released != nil && !errors.Is(released, lease.ErrLost) {
		a.log.Warn("releasing a repository; the next publication waits for the lease to be lost", "repo", repo, "error", released)
	}
	return err
}

// lock claims the lease on a repository, waiting for whoever holds it.
func (a *attempt) lock(ctx context.Context, repo string) (*lease.Holder, error) {
	key, observer := keys.HubLease(repo), &lease.Observer{Now: a.Now}
	for {
		h := a.newHolder()
		_, err := record.Update(ctx, a.Bucket, key, func(r *repository) error {
			if observer.Look(repo, &r.Lease) == lease.Dead {
				seen := r.Lease
				if _, err := r.Lose(&seen, lease.Policy{}); err != nil {
					return err
				}
				r.Reset() // nothing is given up: the next publication has a job of its own
			}
			return h.Claim(&r.Lease, a.now(), a.Worker)
		})
		if errors.Is(err, storage.ErrNotExist) {
			err = record.Create(ctx, a.Bucket, key, &repository{})
			if err == nil || errors.Is(err, storage.ErrConflict) {
				continue
			}
		}
		if err == nil {
			return h, nil
		}
		if !lease.IsHeld(err) {
			return nil, fmt.Errorf("waiting for the repository %s: %w", repo, err)
		}
		select {
		case <-a.after(lockRetry):
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}
