// Package records keeps job records in object storage: a jobs.Store on a
// storage.Bucket.
//
//	jobs/<id>/job.json             the job
//	jobs/<id>/created.json         the job as it was created, for repairs
//	jobs/<id>/folds/<i>.json       its folds
//	index/jobs/<inverted id>       empty; lists jobs newest first
//	index/active/<id>              empty; jobs that are not ended
//	index/ended/<state>/<inverted id>   empty; those that are, newest first
//	index/deleted/<id>             empty; jobs whose objects are going, or went
//	usage/<month>.json             what the jobs that ended have used, deleted ones too
//
// The index follows from the records and is only ever a superset: an entry is
// written before what it names, and one that does not fit its record is passed
// over and, once no writer can be about to make it fit, removed.
package records

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"polyid-trainer/jobs"
	"polyid-trainer/jobs/access"
	"polyid-trainer/jobs/keys"
	"polyid-trainer/storage"
	"polyid-trainer/storage/record"
)

// Store implements jobs.Store. Who asks in a context sees and changes what
// package access allows; the rest is not there.
type Store struct{ bucket storage.Bucket }

var _ jobs.Store = (*Store)(nil)

// New keeps records in b.
func New(b storage.Bucket) *Store { return &Store{b} }

// Create implements jobs.Store.
func (s *Store) Create(ctx context.Context, j *jobs.Job, before ...func(context.Context) error) error {
	// What goes before the record goes at once: storage takes all of it in the
	// time of one.
	group, putting := errgroup.WithContext(ctx)
	group.Go(func() error { return s.mark(putting, keys.JobsByAge+inverted(j.ID)) })
	group.Go(func() error { return s.mark(putting, keys.ActiveJobs+j.ID) })
	group.Go(func() error { return s.freeze(putting, j, 0) })
	group.Go(func() error { return s.putCreated(putting, j) })
	for _, put := range before {
		group.Go(func() error { return put(putting) })
	}
	if err := group.Wait(); err != nil {
		return fmt.Errorf("create job %s: %w", j.ID, err)
	}
	if err := create(ctx, s.bucket, keys.Job(j.ID), j); err != nil {
		return fmt.Errorf("create job %s: %w", j.ID, err)
	}
	return nil
}

// Job implements jobs.Store.
func (s *Store) Job(ctx context.Context, id string) (*jobs.Job, error) {
	if !jobs.ValidID(jobs.TrainingJobPrefix, id) {
		return nil, noJob(id)
	}
	e, _, err := load[jobs.Job](ctx, s.bucket, keys.Job(id))
	if err != nil {
		return nil, missing(err, id)
	}
	if !e.Record.DeletedAt.IsZero() {
		return nil, noJob(id)
	}
	if err := access.Read(ctx, owned(e.Record), noJob(id)); err != nil {
		return nil, err
	}
	return e.Record, nil
}

// owned says whose a job is.
func owned(j *jobs.Job) access.Owned {
	return access.Owned{Owner: j.Owner, SharedWith: j.SharedWith}
}

// UpdateJob implements jobs.Store. A job that ends, or is taken up again, is in
// the index before the record says so; one that is taken up again also
// afterwards, since Active may just have been putting it to rest.
func (s *Store) UpdateJob(ctx context.Context, id string, change func(*jobs.Job) error) (*jobs.Job, error) {
	if !jobs.ValidID(jobs.TrainingJobPrefix, id) {
		return nil, noJob(id)
	}
	var was jobs.State
	j, err := update(ctx, s.bucket, keys.Job(id), func(j *jobs.Job) error {
		if !j.DeletedAt.IsZero() {
			return noJob(id)
		}
		if err := access.Change(ctx, owned(j), noJob(id)); err != nil {
			return err
		}
		was = j.State
		owed := len(j.Deliveries)
		if err := change(j); err != nil {
			return err
		}
		if err := s.freeze(ctx, j, owed); err != nil {
			return err
		}
		return s.index(ctx, was, j)
	})
	if err != nil {
		return nil, missing(err, id)
	}
	if was.Ended() && !j.State.Ended() {
		if err := s.mark(ctx, keys.ActiveJobs+id); err != nil {
			return nil, fmt.Errorf("job %s: %w", id, err)
		}
	}
	return j, nil
}

// Active implements jobs.Store and forgets the marks of jobs that have ended,
// once their usage is in the ledger. A job or ledger that is damaged keeps no
// other from being listed: its mark stays until it is repaired.
func (s *Store) Active(ctx context.Context) ([]*jobs.Job, error) {
	var found []*jobs.Job
	for e, err := range s.bucket.List(ctx, keys.ActiveJobs) {
		if err != nil {
			return nil, fmt.Errorf("list active jobs: %w", err)
		}
		j, err := s.Job(ctx, strings.TrimPrefix(e.Key, keys.ActiveJobs))
		switch {
		case jobs.ErrorCode(err) == jobs.NotFound:
			// Perhaps being created now: the next round but one would miss it if
			// its mark went, so only deleting a job takes it away.
		case jobs.ErrorCode(err) == jobs.Damaged:
		case err != nil:
			return nil, fmt.Errorf("list active jobs: %w", err)
		case !j.State.Ended() || j.Owes():
			found = append(found, j)
		default:
			held, err := s.rest(ctx, j)
			if err != nil && jobs.ErrorCode(err) != jobs.Damaged {
				return nil, fmt.Errorf("list active jobs: %w", err)
			}
			if held {
				found = append(found, j)
			}
		}
	}
	return found, nil
}

// rest takes a job that has ended off the active ones, unless a worker still
// holds a lease on it.
func (s *Store) rest(ctx context.Context, j *jobs.Job) (held bool, err error) {
	folds, err := s.Folds(ctx, j.ID)
	if err != nil {
		return false, err
	}
	if j.Stage.Held() || slices.ContainsFunc(folds, func(f *jobs.Fold) bool { return f.Held() }) {
		return true, nil
	}
	if err := s.enterUsage(ctx, j, folds); err != nil {
		return false, err
	}
	if err := s.bucket.Delete(ctx, keys.ActiveJobs+j.ID); err != nil {
		return false, err
	}
	// If it was taken up again meanwhile, its new mark may be what went.
	j, err = s.Job(ctx, j.ID)
	if jobs.ErrorCode(err) == jobs.NotFound {
		return false, nil
	}
	if err != nil || j.State.Ended() {
		return false, err
	}
	return false, s.mark(ctx, keys.ActiveJobs+j.ID)
}

// CreateFolds implements jobs.Store.
func (s *Store) CreateFolds(ctx context.Context, job string, folds int) error {
	for i := range folds {
		f := &jobs.Fold{Job: job, Index: i, Status: jobs.FoldQueued}
		err := create(ctx, s.bucket, keys.Fold(job, i), f)
		if err != nil && !errors.Is(err, storage.ErrConflict) {
			return fmt.Errorf("create fold %d of %s: %w", i, job, err)
		}
	}
	return nil
}

// Folds implements jobs.Store; there are none before the job is prepared.
func (s *Store) Folds(ctx context.Context, job string) ([]*jobs.Fold, error) {
	var folds []*jobs.Fold
	for i := 0; ; i++ {
		e, _, err := load[jobs.Fold](ctx, s.bucket, keys.Fold(job, i))
		if errors.Is(err, storage.ErrNotExist) {
			return folds, nil
		}
		if err != nil {
			return nil, fmt.Errorf("folds of %s: %w", job, damaged(err))
		}
		folds = append(folds, e.Record)
	}
}

// UpdateFold implements jobs.Store.
func (s *Store) UpdateFold(ctx context.Context, job string, index int, change func(*jobs.Fold) error) (*jobs.Fold, error) {
	f, err := update(ctx, s.bucket, keys.Fold(job, index), change)
	if err != nil {
		return nil, fmt.Errorf("fold %d of %s: %w", index, job, damaged(err))
	}
	return f, nil
}

func noJob(id string) error {
	return &jobs.Error{Code: jobs.NotFound, Detail: fmt.Sprintf("there is no training job %q", id)}
}

func missing(err error, id string) error {
	if errors.Is(err, storage.ErrNotExist) {
		return noJob(id)
	}
	return fmt.Errorf("job %s: %w", id, damaged(err))
}

// damaged gives the error of a damaged record its code; others stay as they are.
func damaged(err error) error {
	var d *record.DamagedError
	if errors.As(err, &d) && jobs.ErrorCode(err) != jobs.Damaged {
		return &jobs.Error{Code: jobs.Damaged, Detail: d.Error(), Err: err}
	}
	return err
}
