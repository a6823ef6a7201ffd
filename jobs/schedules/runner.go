package schedules

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"polyid-trainer/jobs"
	"polyid-trainer/storage/record"
)

// Every is how often a Runner is to run, so that a job is made within so long after
// it is due.
const Every = 15 * time.Second

// Runner makes the jobs that are due. It may run anywhere, at any time, more than
// once.
type Runner struct {
	Store *Store
	// Make makes the job of a schedule under an id, in the name of the schedule's
	// owner. Made again, it changes nothing.
	Make func(ctx context.Context, s *Schedule, id string) error
	Now  func() time.Time
	Log  *slog.Logger
}

// Run looks at all schedules once. One that fails keeps no other from being looked
// at.
func (r *Runner) Run(ctx context.Context) error {
	ids, err := r.Store.ids(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, id := range ids {
		if err := r.run(ctx, id); err != nil && jobs.ErrorCode(err) != jobs.NotFound { // deleted meanwhile
			errs = append(errs, fmt.Errorf("schedule %s: %w", id, err))
		}
	}
	return errors.Join(errs...)
}

func (r *Runner) run(ctx context.Context, id string) error {
	s, err := r.Store.Get(ctx, id)
	if err != nil {
		return err
	}
	if s.Due == nil && r.Now().Before(s.NextAt) {
		return nil
	}
	s, err = r.Store.update(ctx, id, func(s *Schedule) error {
		if s.Due != nil || !s.begin(r.Now()) {
			return record.ErrSame
		}
		return nil
	})
	if err != nil {
		return err
	}
	if s.Due == nil {
		return nil // another process has made it
	}
	due, problem := *s.Due, ""
	if err := r.Make(ctx, s, due.Job); err != nil {
		if !final(err) {
			return err // again the next time, under the same id
		}
		problem = err.Error()
		r.Log.Warn("a scheduled job could not be made", "schedule", id, "due", due.At, "error", err)
	} else {
		r.Log.Info("a scheduled job was made", "schedule", id, "due", due.At, "job", due.Job)
	}
	_, err = r.Store.update(ctx, id, func(s *Schedule) error { return s.end(r.Now(), due, problem) })
	return err
}

// final reports whether making a job failed for what another try would meet too.
func final(err error) bool {
	switch jobs.ErrorCode(err) {
	case jobs.Invalid, jobs.NotFound, jobs.Forbidden, jobs.Conflict, jobs.Damaged:
		return true
	}
	return false
}
