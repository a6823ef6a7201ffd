package records

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"polyid-trainer/jobs"
	"polyid-trainer/jobs/access"
	"polyid-trainer/jobs/keys"
	"polyid-trainer/storage"
)

// DeleteJob removes a job that is over, with everything under its name; what it
// cost stays in the usage of its months. It is a conflict while the job, or a
// worker on it, is active, and NotFound if there is no such job.
//
// The job is gone for everyone from the moment its record is marked. Cut short
// after that, the deletion is finished by Sweep.
func (s *Store) DeleteJob(ctx context.Context, id string) error {
	j, err := s.Job(ctx, id)
	if err != nil {
		return err
	}
	if err := access.Change(ctx, owned(j), noJob(id)); err != nil {
		return err
	}
	folds, err := s.Folds(ctx, id)
	if err != nil {
		return err
	}
	// Before anything is written, so that a refusal leaves nothing.
	if err := j.Delete(time.Now(), folds); err != nil {
		return err
	}
	if err := s.mark(ctx, keys.DeletedJobs+id); err != nil {
		return fmt.Errorf("delete job %s: %w", id, err)
	}
	j, err = s.UpdateJob(ctx, id, func(j *jobs.Job) error { return j.Delete(time.Now(), folds) })
	if err != nil {
		return err
	}
	return s.remove(ctx, j)
}

// remove takes away the objects of a job that is marked as deleted, once its
// usage is in the ledger: first what only the record leads to, then the record,
// then what leads to it. The entry under deleted stays, for objects that a
// worker may still be writing. Done again, it loses nothing: the ledger only
// grows.
func (s *Store) remove(ctx context.Context, j *jobs.Job) error {
	id := j.ID
	folds, err := s.Folds(ctx, id)
	if err != nil {
		return err
	}
	if err := s.enterUsage(ctx, j, folds); err != nil {
		return err
	}
	if err := s.removeObjects(ctx, id, keys.Job(id)); err != nil {
		return err
	}
	if err := s.bucket.Delete(ctx, keys.Job(id)); err != nil {
		return fmt.Errorf("delete job %s: %w", id, err)
	}
	return s.removeEntries(ctx, id)
}

// removeEntries takes a job out of the index.
func (s *Store) removeEntries(ctx context.Context, id string) error {
	entries := []string{keys.ActiveJobs + id, keys.JobsByAge + inverted(id)}
	for _, st := range []jobs.State{jobs.Succeeded, jobs.Failed, jobs.Cancelled} {
		entries = append(entries, endedKey(st, id))
	}
	for _, key := range entries {
		if err := s.bucket.Delete(ctx, key); err != nil {
			return fmt.Errorf("delete job %s: %w", id, err)
		}
	}
	return nil
}

// removeObjects deletes everything under the job's name except the object keep.
func (s *Store) removeObjects(ctx context.Context, id, keep string) error {
	for e, err := range s.bucket.List(ctx, keys.JobPrefix(id)) {
		if err == nil && e.Key != keep {
			err = s.bucket.Delete(ctx, e.Key)
		}
		if err != nil {
			return fmt.Errorf("delete job %s: %w", id, err)
		}
	}
	return nil
}

// Sweep finishes the deletions that were cut short, and takes away what workers
// wrote for a job that was deleted under them, and what creations left that
// failed two days ago or earlier. It is to run now and then.
func (s *Store) Sweep(ctx context.Context, now time.Time) error {
	errs := []error{s.sweepOrphans(ctx, now)}
	for e, err := range s.bucket.List(ctx, keys.DeletedJobs) {
		if err != nil {
			return errors.Join(append(errs, fmt.Errorf("sweep deleted jobs: %w", err))...)
		}
		if now.Sub(e.Modified) < entryGrace {
			continue
		}
		if err := s.sweep(ctx, strings.TrimPrefix(e.Key, keys.DeletedJobs)); err != nil {
			errs = append(errs, err)
		} else if err := s.bucket.Delete(ctx, e.Key); err != nil {
			errs = append(errs, fmt.Errorf("sweep deleted jobs: %w", err))
		}
	}
	return errors.Join(errs...)
}

// sweep goes through one job's deletion again.
func (s *Store) sweep(ctx context.Context, id string) error {
	e, _, err := load[jobs.Job](ctx, s.bucket, keys.Job(id))
	switch {
	case errors.Is(err, storage.ErrNotExist):
		if err := s.removeObjects(ctx, id, ""); err != nil {
			return err
		}
		return s.removeEntries(ctx, id)
	case err != nil:
		return fmt.Errorf("sweep deleted job %s: %w", id, damaged(err))
	case e.Record.DeletedAt.IsZero():
		return nil // refused after all, another's move came between
	}
	return s.remove(ctx, e.Record)
}
