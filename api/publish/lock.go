package publish

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"polyid-trainer/jobs"
	"polyid-trainer/storage"
	"polyid-trainer/storage/record"
)

// turn is the record by which publications of one repository take turns. It is
// claimed for as long as one of them takes, and renewed like any claim.
type turn struct{ jobs.Claim }

// retryTurn is how often a publication looks whether it is its turn.
const retryTurn = time.Second

func turnKey(repo string) string { return "hub/turns/" + strings.ReplaceAll(repo, "/", "--") + ".json" }

// enter waits for the publication's turn at a repository. leave ends it; the
// context ends if it was taken away, as it may be from one that has been asleep.
func (a *attempt) enter(ctx context.Context, repo string) (_ context.Context, leave func(), err error) {
	key := turnKey(repo)
	take := func(t *turn) error { return t.Take(a.now(), a.Worker, a.token) }
	for {
		_, err := record.Update(ctx, a.Bucket, key, take)
		if errors.Is(err, storage.ErrNotExist) {
			err = record.Create(ctx, a.Bucket, key, &turn{})
			if err == nil || errors.Is(err, storage.ErrConflict) {
				continue
			}
		}
		if err == nil {
			break
		}
		if jobs.ErrorCode(err) != jobs.Conflict {
			return nil, nil, fmt.Errorf("waiting for the turn at %s: %w", repo, err)
		}
		select {
		case <-a.after(retryTurn):
		case <-ctx.Done():
			return nil, nil, context.Cause(ctx)
		}
	}
	held, cancel := context.WithCancelCause(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		a.keepTurn(held, key, cancel)
	}()
	return held, func() {
		cancel(nil)
		<-done
		ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), ending)
		defer stop()
		_, err := record.Update(ctx, a.Bucket, key, func(t *turn) error { return t.Release(a.token) })
		if err != nil && !errors.Is(err, jobs.ErrLost) {
			a.log.Warn("ending the turn at a repository; it lapses", "repo", repo, "error", err)
		}
	}, nil
}

// keepTurn renews the turn until ctx ends, and ends it when the turn is lost.
func (a *attempt) keepTurn(ctx context.Context, key string, lost context.CancelCauseFunc) {
	until := a.now().Add(jobs.Lease)
	for {
		select {
		case <-ctx.Done():
			return
		case <-a.after(jobs.RenewEvery):
		}
		t, err := record.Update(ctx, a.Bucket, key, func(t *turn) error { return t.Renew(a.now(), a.token) })
		switch {
		case err == nil:
			until = t.Until
		case errors.Is(err, jobs.ErrLost), !a.now().Before(until):
			lost(errors.New("another publication of the repository has taken its turn"))
			return
		}
	}
}
