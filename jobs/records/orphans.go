package records

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"polyid-trainer/jobs"
	"polyid-trainer/jobs/keys"
	"polyid-trainer/storage"
)

// orphanAge is how old what a failed creation left must be to be removed: twice as
// old as a client may be when it repeats its request under the same key.
const orphanAge = 48 * time.Hour

// orphan is a job of which there are objects, as far as they were listed.
type orphan struct {
	id       string
	record   bool // its record is there
	begun    bool // work was done on it: without a record it is damaged, and doctor's to repair
	youngest time.Time
}

// sweepOrphans removes what creations left that failed before they wrote the
// record: the tables and models copied for the job, and its entries. What was
// worked on stays, whatever it lacks. It costs one listing of all objects of jobs.
func (s *Store) sweepOrphans(ctx context.Context, now time.Time) error {
	known := map[string]bool{} // jobs that have objects
	var errs []error
	var o orphan
	remove := func() {
		if o.id == "" || o.record || o.begun || now.Sub(o.youngest) < orphanAge {
			return
		}
		if err := s.removeOrphan(ctx, o.id); err != nil {
			errs = append(errs, err)
		}
	}
	for e, err := range s.bucket.List(ctx, keys.Jobs) {
		if err != nil {
			return fmt.Errorf("sweep failed creations: %w", err)
		}
		id, name, _ := strings.Cut(strings.TrimPrefix(e.Key, keys.Jobs), "/")
		if !jobs.ValidID(jobs.TrainingJobPrefix, id) {
			continue
		}
		if id != o.id {
			remove()
			o = orphan{id: id}
			known[id] = true
		}
		o.record = o.record || e.Key == keys.Job(id)
		o.begun = o.begun || !ofCreation(id, name)
		if e.Modified.After(o.youngest) {
			o.youngest = e.Modified
		}
	}
	remove()
	for c, err := range s.listed(ctx, keys.JobsByAge, "") {
		if err != nil {
			return errors.Join(append(errs, fmt.Errorf("sweep failed creations: %w", err))...)
		}
		if known[c.id] || now.Sub(c.Modified) < orphanAge {
			continue
		}
		if err := s.removeOrphan(ctx, c.id); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// ofCreation reports whether an object, by its name below the job's prefix, is
// written before the record.
func ofCreation(id, name string) bool {
	switch key := keys.JobPrefix(id) + name; key {
	case keys.Dataset(id), keys.Holdout(id), keys.Created(id):
		return true
	default:
		return strings.HasPrefix(key, keys.InitPrefix(id)) || strings.HasPrefix(key, keys.WebhookPrefix(id))
	}
}

// removeOrphan removes all of a job without a record. One that has got a record
// since it was listed stays.
func (s *Store) removeOrphan(ctx context.Context, id string) error {
	r, err := s.bucket.Get(ctx, keys.Job(id))
	if err == nil {
		return r.Close()
	}
	if !errors.Is(err, storage.ErrNotExist) {
		return fmt.Errorf("sweep failed creation of %s: %w", id, err)
	}
	if err := s.removeObjects(ctx, id, ""); err != nil {
		return err
	}
	return s.removeEntries(ctx, id)
}
