package app

import (
	"context"
	"fmt"
	"time"

	"polyid-trainer/jobs"
)

// releaseOrphans ends the claims that a former process held on jobs and folds
// when it was killed, so that their work goes on at once and not when the
// leases lapse. Only who is sure to be alone may call it. Damaged records are
// passed over.
func releaseOrphans(ctx context.Context, store jobs.Store, now time.Time) error {
	active, err := store.Active(ctx)
	if err != nil {
		return fmt.Errorf("release orphans: %w", err)
	}
	for _, j := range active {
		if j.Stage.Held(now) {
			if _, err := store.UpdateJob(ctx, j.ID, func(j *jobs.Job) error {
				return j.Stage.Release(j.Stage.Token)
			}); err != nil {
				return fmt.Errorf("release orphans: %w", err)
			}
		}
		folds, err := store.Folds(ctx, j.ID)
		if jobs.ErrorCode(err) == jobs.Damaged {
			continue
		}
		if err != nil {
			return fmt.Errorf("release orphans: %w", err)
		}
		for _, f := range folds {
			if !f.Held(now) {
				continue
			}
			if _, err := store.UpdateFold(ctx, j.ID, f.Index, func(f *jobs.Fold) error {
				return f.Release(f.Token, jobs.FoldQueued)
			}); err != nil {
				return fmt.Errorf("release orphans: %w", err)
			}
		}
	}
	return nil
}
