package predictions

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"
	"golang.org/x/sync/errgroup"

	"polyid-trainer/jobs"
	"polyid-trainer/jobs/access"
	"polyid-trainer/jobs/keys"
	"polyid-trainer/jobs/lease"
	"polyid-trainer/storage"
	"polyid-trainer/storage/record"
)

// Store keeps predictions in a bucket. It may be used concurrently, also by
// several processes.
type Store struct{ bucket storage.Bucket }

// NewStore keeps predictions in b.
func NewStore(b storage.Bucket) *Store { return &Store{b} }

// Create stores a new prediction and its request, of size bytes.
func (s *Store) Create(ctx context.Context, p *Prediction, request io.Reader, size int64) error {
	// The request and the mark before the record: one without the other is found
	// by Expire. Storage takes both in the time of one.
	group, putting := errgroup.WithContext(ctx)
	group.Go(func() error {
		_, err := s.bucket.Put(putting, keys.PredictionRequest(p.ID), request, size, storage.Condition{})
		return err
	})
	group.Go(func() error {
		_, err := s.bucket.Put(putting, keys.OpenRequests+p.ID, strings.NewReader(""), 0, storage.Condition{})
		return err
	})
	if err := group.Wait(); err != nil {
		return fmt.Errorf("create prediction %s: %w", p.ID, err)
	}
	if err := record.Create(ctx, s.bucket, keys.Prediction(p.ID), p); err != nil {
		return fmt.Errorf("create prediction %s: %w", p.ID, err)
	}
	return nil
}

// Prediction reads a record; jobs.NotFound if there is none, or no longer, or it is
// not of who asks in ctx.
func (s *Store) Prediction(ctx context.Context, id string) (*Prediction, error) {
	if !jobs.ValidID(jobs.PredictionPrefix, id) {
		return nil, missing(storage.ErrNotExist, id)
	}
	e, _, err := record.Load[Prediction](ctx, s.bucket, keys.Prediction(id))
	if err != nil {
		return nil, missing(err, id)
	}
	if err := access.Read(ctx, access.Owned{Owner: e.Record.Owner}, missing(storage.ErrNotExist, id)); err != nil {
		return nil, err
	}
	return e.Record, nil
}

// Update changes a record. The change is retried until no other writer comes
// between, so it must only look at and change what it is handed; an error it
// returns is passed on and nothing is written.
func (s *Store) Update(ctx context.Context, id string, change func(*Prediction) error) (*Prediction, error) {
	if !jobs.ValidID(jobs.PredictionPrefix, id) {
		return nil, missing(storage.ErrNotExist, id)
	}
	p, err := record.Update(ctx, s.bucket, keys.Prediction(id), change)
	if err != nil {
		return nil, missing(err, id)
	}
	return p, nil
}

// Request opens the body that was sent. The caller closes it.
func (s *Store) Request(ctx context.Context, id string) (io.ReadCloser, error) {
	return s.open(ctx, id, keys.PredictionRequest(id))
}

// Result opens the results of a prediction that has succeeded, in either format.
// The caller closes them.
func (s *Store) Result(ctx context.Context, p *Prediction, f Format) (io.ReadCloser, error) {
	if p.Status != Succeeded {
		return nil, &jobs.Error{Code: jobs.Conflict, Detail: fmt.Sprintf("the prediction is %s: it has no results", p.Status)}
	}
	return s.open(ctx, p.ID, keys.PredictionResult(p.ID, p.Claim.Attempt, f.extension()))
}

func (s *Store) open(ctx context.Context, id, key string) (io.ReadCloser, error) {
	if !jobs.ValidID(jobs.PredictionPrefix, id) {
		return nil, missing(storage.ErrNotExist, id)
	}
	o, err := s.bucket.Get(ctx, key)
	if err != nil {
		return nil, missing(err, id)
	}
	return o, nil
}

// Body is the content of results, and its size in bytes.
type Body struct {
	Content io.Reader
	Size    int64
}

// PutResults stores the results of an attempt. They count once the record says
// that this attempt has succeeded.
func (s *Store) PutResults(ctx context.Context, id string, attempt int, results map[Format]Body) error {
	return s.putResults(ctx, id, attempt, results, storage.Condition{})
}

// Add stores a prediction that is at an end, with its results unless it has
// failed; storage.ErrConflict if it, or results of it, are stored.
func (s *Store) Add(ctx context.Context, p *Prediction, results map[Format]Body) error {
	if err := s.putResults(ctx, p.ID, p.Claim.Attempt, results, storage.IfAbsent()); err != nil {
		return err
	}
	if err := record.Create(ctx, s.bucket, keys.Prediction(p.ID), p); err != nil {
		return fmt.Errorf("add prediction %s: %w", p.ID, err)
	}
	return nil
}

func (s *Store) putResults(ctx context.Context, id string, attempt int, results map[Format]Body, cond storage.Condition) error {
	group, ctx := errgroup.WithContext(ctx)
	for f, b := range results {
		group.Go(func() error {
			_, err := s.bucket.Put(ctx, keys.PredictionResult(id, attempt, f.extension()), b.Content, b.Size, cond)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return fmt.Errorf("results of prediction %s: %w", id, err)
	}
	return nil
}

// Reconcile enqueues whatever predictions still need: after a failure, after a
// crash between record and queue, with an emptied Redis. As the observer of their
// leases it takes predictions away from workers that are dead. Those with damaged
// records it leaves out. Enqueuing what is
// there already does nothing. It forgets the marks of those at an end.
func (s *Store) Reconcile(ctx context.Context, q jobs.Queue, leases *lease.Observer, now time.Time) error {
	defer leases.EndRound()
	var errs []error
	for e, err := range s.bucket.List(ctx, keys.OpenRequests) {
		if err != nil {
			return errors.Join(append(errs, fmt.Errorf("reconcile predictions: %w", err))...)
		}
		p, err := s.Prediction(ctx, strings.TrimPrefix(e.Key, keys.OpenRequests))
		switch {
		case jobs.ErrorCode(err) == jobs.NotFound:
			// Being created now, or never quite: Expire takes the mark in time.
			continue
		case jobs.ErrorCode(err) == jobs.Damaged: // until Expire
			continue
		case err != nil:
		case p.Status.Ended():
			err = s.bucket.Delete(ctx, e.Key)
		default:
			err = s.repair(ctx, q, leases, now, p)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("reconcile prediction %s: %w", strings.TrimPrefix(e.Key, keys.OpenRequests), err))
		}
	}
	return errors.Join(errs...)
}

// repair does what one prediction needs.
func (s *Store) repair(ctx context.Context, q jobs.Queue, leases *lease.Observer, now time.Time, p *Prediction) error {
	if leases.Look(p.ID, &p.Claim) == lease.Dead {
		seen := p.Claim
		lost, err := s.Update(ctx, p.ID, func(p *Prediction) error { return p.loseWorker(now, &seen) })
		if errors.Is(err, lease.ErrChanged) {
			return nil
		}
		if err != nil || lost.Status.Ended() {
			return err
		}
		p = lost
	}
	if leases.Look(p.ID, &p.Claim) != lease.Free {
		return nil
	}
	return q.Enqueue(ctx, p.task())
}

// TakeOver takes all predictions away from the workers that hold them. Only a
// process that knows all of them to be dead may call it.
func (s *Store) TakeOver(ctx context.Context, now time.Time) error {
	for e, err := range s.bucket.List(ctx, keys.OpenRequests) {
		if err != nil {
			return fmt.Errorf("take over predictions: %w", err)
		}
		_, err = s.Update(ctx, strings.TrimPrefix(e.Key, keys.OpenRequests), func(p *Prediction) error {
			if !p.Claim.Held() {
				return record.ErrSame
			}
			seen := p.Claim
			return p.loseWorker(now, &seen)
		})
		if code := jobs.ErrorCode(err); err != nil && code != jobs.NotFound && code != jobs.Damaged {
			return fmt.Errorf("take over predictions: %w", err)
		}
	}
	return nil
}

// Expire deletes the predictions that were asked for before a time, with their
// requests and results, unless a worker is on them now. It returns how many
// went. Cut short, it goes on when called again: the record goes last.
func (s *Store) Expire(ctx context.Context, before time.Time) (n int, err error) {
	last := ""
	for e, err := range s.bucket.List(ctx, keys.Predictions) { // by id, the oldest first
		if err != nil {
			return n, fmt.Errorf("expire predictions: %w", err)
		}
		id, _, _ := strings.Cut(strings.TrimPrefix(e.Key, keys.Predictions), "/")
		made, ok := madeAt(id)
		if !ok || id == last {
			continue
		}
		if !made.Before(before) {
			break
		}
		last = id
		gone, err := s.delete(ctx, id)
		if err != nil {
			return n, fmt.Errorf("expire prediction %s: %w", id, err)
		}
		if gone {
			n++
		}
	}
	return n, s.expireMarks(ctx, before)
}

// expireMarks removes the marks of predictions that were never quite created.
func (s *Store) expireMarks(ctx context.Context, before time.Time) error {
	for e, err := range s.bucket.List(ctx, keys.OpenRequests) {
		if err != nil {
			return fmt.Errorf("expire predictions: %w", err)
		}
		id := strings.TrimPrefix(e.Key, keys.OpenRequests)
		made, ok := madeAt(id)
		if ok && !made.Before(before) {
			return nil
		}
		if _, err := s.Prediction(ctx, id); jobs.ErrorCode(err) != jobs.NotFound {
			continue
		}
		if err := s.bucket.Delete(ctx, e.Key); err != nil {
			return fmt.Errorf("expire predictions: %w", err)
		}
	}
	return nil
}

// delete removes a prediction unless a worker holds it.
func (s *Store) delete(ctx context.Context, id string) (bool, error) {
	p, err := s.Prediction(ctx, id)
	code := jobs.ErrorCode(err)
	if err != nil && code != jobs.NotFound && code != jobs.Damaged {
		return false, err
	}
	if p != nil && p.Claim.Held() {
		return false, nil
	}
	if err := s.bucket.Delete(ctx, keys.OpenRequests+id); err != nil {
		return false, err
	}
	var parts []string
	for e, err := range s.bucket.List(ctx, keys.Predictions+id+"/") {
		if err != nil {
			return false, err
		}
		if e.Key != keys.Prediction(id) {
			parts = append(parts, e.Key)
		}
	}
	for _, key := range append(parts, keys.Prediction(id)) {
		if err := s.bucket.Delete(ctx, key); err != nil {
			return false, err
		}
	}
	return true, nil
}

// madeAt is when an id was made.
func madeAt(id string) (time.Time, bool) {
	if !jobs.ValidID(jobs.PredictionPrefix, id) {
		return time.Time{}, false
	}
	u, err := ulid.ParseStrict(strings.TrimPrefix(id, jobs.PredictionPrefix))
	return u.Timestamp(), err == nil
}

func missing(err error, id string) error {
	if errors.Is(err, storage.ErrNotExist) {
		return &jobs.Error{Code: jobs.NotFound, Detail: fmt.Sprintf("there is no prediction %q: they are kept for %d days", id, int(Kept.Hours()/24))}
	}
	var d *record.DamagedError
	if errors.As(err, &d) {
		return &jobs.Error{Code: jobs.Damaged, Detail: d.Error(), Err: err}
	}
	return fmt.Errorf("prediction %s: %w", id, err)
}
