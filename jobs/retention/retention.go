// Package retention removes what has lain long enough: checkpoints that nothing
// will go on from, records of jobs that ended long ago, predictions that were
// fetched or forgotten. It never touches a job that is active.
//
// Failed and paused jobs keep their checkpoints as long as their records, since
// both can be resumed.
package retention

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"polyid-trainer/jobs"
	"polyid-trainer/jobs/keys"
	"polyid-trainer/storage"
)

const day = 24 * time.Hour

// Every is how often to sweep. What is kept is kept for days, so an hour more is
// nothing.
const Every = 6 * time.Hour

// Policy says how long things are kept. Zero is the default, less is for good.
type Policy struct {
	Checkpoints time.Duration // of jobs that succeeded, from their end; 7 days
	Records     time.Duration // of jobs that ended, with all their objects; 365 days
	Predictions time.Duration // from when they were asked for; 7 days
}

// WithDefaults fills what is zero.
func (p Policy) WithDefaults() Policy {
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{{&p.Checkpoints, 7 * day}, {&p.Records, 365 * day}, {&p.Predictions, 7 * day}} {
		if *d.field == 0 {
			*d.field = d.value
		}
	}
	return p
}

// Store is what retention needs of the records of jobs.
type Store interface {
	Jobs(ctx context.Context, f jobs.Filter) (jobs.Page, error)
	DeleteJob(ctx context.Context, id string) error
	// Sweep finishes deletions that were cut short.
	Sweep(ctx context.Context, now time.Time) error
}

// Expirer is a store of things that are kept for a time.
type Expirer interface {
	// Expire removes what was made before a time and is not in use, and counts
	// it.
	Expire(ctx context.Context, before time.Time) (int, error)
}

// Kept is an Expirer's things and how long they are kept; 0 or less is for good.
type Kept struct {
	Name  string // for logs
	For   time.Duration
	Store Expirer
}

// Service applies a policy. Its fields are set before use and not changed.
type Service struct {
	Policy      Policy
	Jobs        Store
	Bucket      storage.Bucket
	Predictions Expirer // nil if there are none
	Others      []Kept  // whatever else is kept for a time
	Now         func() time.Time
	Log         *slog.Logger

	swept map[string]bool // jobs whose checkpoints are gone, so as to look once
}

// Sweep removes what is due. One thing's error does not keep the others. It may
// run in several processes at once, but not twice at a time in one Service.
func (s *Service) Sweep(ctx context.Context) error {
	now, policy := s.Now(), s.Policy.WithDefaults()
	errs := []error{s.sweepJobs(ctx, now, policy), s.Jobs.Sweep(ctx, now)}
	kept := s.Others
	if s.Predictions != nil {
		kept = append([]Kept{{"predictions", policy.Predictions, s.Predictions}}, kept...)
	}
	for _, k := range kept {
		if k.For <= 0 {
			continue
		}
		n, err := k.Store.Expire(ctx, now.Add(-k.For))
		if n > 0 {
			s.Log.Info("expired", "what", k.Name, "count", n)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("expire %s: %w", k.Name, err))
		}
	}
	return errors.Join(errs...)
}

// sweepJobs goes through the jobs that have ended.
func (s *Service) sweepJobs(ctx context.Context, now time.Time, p Policy) error {
	due := func(j *jobs.Job, keep time.Duration) bool {
		return keep > 0 && !j.FinishedAt.IsZero() && now.Sub(j.FinishedAt) >= keep
	}
	var errs []error
	f := jobs.Filter{Limit: 100, Trials: true, States: []jobs.State{jobs.Succeeded, jobs.Failed, jobs.Cancelled}}
	for {
		page, err := s.Jobs.Jobs(ctx, f)
		if err != nil {
			return errors.Join(append(errs, err)...)
		}
		for _, j := range page.Jobs {
			f.After = j.ID
			var err error
			switch {
			case due(j, p.Records):
				err = s.deleteJob(ctx, j)
			case due(j, p.Checkpoints) && j.State == jobs.Succeeded:
				err = s.deleteCheckpoints(ctx, j)
			}
			if err != nil {
				errs = append(errs, fmt.Errorf("retention of %s: %w", j.ID, err))
			}
		}
		if !page.More {
			return errors.Join(errs...)
		}
	}
}

// deleteJob removes a job, unless it was taken up again or another process was
// quicker.
func (s *Service) deleteJob(ctx context.Context, j *jobs.Job) error {
	err := s.Jobs.DeleteJob(ctx, j.ID)
	switch jobs.ErrorCode(err) {
	case jobs.Conflict, jobs.NotFound:
		return nil
	case jobs.Damaged: // it stays until it is repaired
		return nil
	}
	if err == nil {
		delete(s.swept, j.ID)
		s.Log.Info("deleted the record of a job", "job", j.ID, "finished_at", j.FinishedAt)
	}
	return err
}

// deleteCheckpoints removes the checkpoints of all folds of a job. Its models
// and the folds' histories lie elsewhere.
func (s *Service) deleteCheckpoints(ctx context.Context, j *jobs.Job) error {
	if s.swept[j.ID] {
		return nil
	}
	n := 0
	for e, err := range s.Bucket.List(ctx, keys.FoldsPrefix(j.ID)) {
		if err == nil && strings.Contains(e.Key, "/checkpoints/") {
			n++
			err = s.Bucket.Delete(ctx, e.Key)
		}
		if err != nil {
			return err
		}
	}
	if s.swept == nil {
		s.swept = map[string]bool{}
	}
	s.swept[j.ID] = true
	if n > 0 {
		s.Log.Info("deleted checkpoints", "job", j.ID, "count", n)
	}
	return nil
}
