package screenings

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"polyid-trainer/jobs"
	"polyid-trainer/jobs/access"
	"polyid-trainer/jobs/keys"
	"polyid-trainer/storage"
	"polyid-trainer/storage/record"
)

// Store keeps screenings in a bucket. It may be used concurrently, also by several
// processes.
type Store struct {
	bucket storage.Bucket
	now    func() time.Time
}

// NewStore keeps screenings in b; now is nil for time.Now.
func NewStore(b storage.Bucket, now func() time.Time) *Store {
	if now == nil {
		now = time.Now
	}
	return &Store{b, now}
}

func owned(s *Screening) access.Owned { return access.Owned{Owner: s.Owner, SharedWith: s.SharedWith} }

// Create stores a new screening, whose model's files are stored already.
func (s *Store) Create(ctx context.Context, x *Screening) error {
	if err := s.freeze(ctx, x, 0); err != nil {
		return err
	}
	err := s.createLedger(ctx, x)
	if err == nil {
		err = s.mark(ctx, keys.ScreeningsByID+x.ID)
	}
	if err == nil {
		err = s.mark(ctx, keys.ActiveScreenings+x.ID)
	}
	if err == nil {
		err = record.Create(ctx, s.bucket, keys.Screening(x.ID), x)
	}
	if err != nil {
		return fmt.Errorf("create screening %s: %w", x.ID, err)
	}
	return nil
}

func (s *Store) createLedger(ctx context.Context, x *Screening) error {
	return record.Create(ctx, s.bucket, keys.ScreeningLedger(x.ID), &Ledger{Shards: x.Shards()})
}

func (s *Store) updateLedger(ctx context.Context, id string, change func(*Ledger) error) (*Ledger, error) {
	l, err := record.Update(ctx, s.bucket, keys.ScreeningLedger(id), change)
	if err != nil {
		return nil, missing(err, id)
	}
	return l, nil
}

func (s *Store) mark(ctx context.Context, key string) error {
	_, err := s.bucket.Put(ctx, key, strings.NewReader(""), 0, storage.Condition{})
	return err
}

// Screening reads a record; jobs.NotFound if there is none, or none that who asks
// may see.
func (s *Store) Screening(ctx context.Context, id string) (*Screening, error) {
	x, err := s.load(ctx, id)
	if err != nil {
		return nil, err
	}
	return x, access.Read(ctx, owned(x), none(id))
}

func (s *Store) load(ctx context.Context, id string) (*Screening, error) {
	if !jobs.ValidID(jobs.ScreeningPrefix, id) {
		return nil, none(id)
	}
	e, _, err := record.Load[Screening](ctx, s.bucket, keys.Screening(id))
	if err != nil {
		return nil, missing(err, id)
	}
	return e.Record, nil
}

// Update changes a record, of one that who asks may change. The change is retried
// until no other writer comes between, so it must only look at and change what it is
// handed; an error it returns is passed on and nothing is written.
func (s *Store) Update(ctx context.Context, id string, change func(*Screening) error) (*Screening, error) {
	if !jobs.ValidID(jobs.ScreeningPrefix, id) {
		return nil, none(id)
	}
	was := Status("")
	x, err := record.Update(ctx, s.bucket, keys.Screening(id), func(x *Screening) error {
		if err := access.Change(ctx, owned(x), none(id)); err != nil {
			return err
		}
		was = x.Status
		known := len(x.Deliveries)
		if err := change(x); err != nil {
			return err
		}
		if was.Ended() && !x.Status.Ended() { // before the record: it is to be found
			if err := s.mark(ctx, keys.ActiveScreenings+id); err != nil {
				return err
			}
		}
		return s.freeze(ctx, x, known)
	})
	if err != nil {
		return nil, missing(err, id)
	}
	return x, nil
}

// Page is a part of the list of screenings.
type Page struct {
	Screenings []*Screening
	More       bool // there are older ones
	Damaged    int  // in between, whose records cannot be read
}

const perPage = 20

// List lists the screenings that who asks may see, newest first, after the one
// named. It costs one listing of the names of all, and one read for each that is
// looked at.
func (s *Store) List(ctx context.Context, after string, limit int) (page Page, err error) {
	if limit <= 0 {
		limit = perPage
	}
	ids, err := s.ids(ctx)
	if err != nil {
		return Page{}, err
	}
	slices.Reverse(ids)
	for _, id := range ids {
		if after != "" && id >= after {
			continue
		}
		x, err := s.load(ctx, id)
		switch jobs.ErrorCode(err) {
		case jobs.NotFound:
			continue
		case jobs.Damaged:
			if access.Visible(ctx, access.Owned{}) {
				page.Damaged++
			}
			continue
		}
		if err != nil {
			return Page{}, err
		}
		if !access.Visible(ctx, owned(x)) {
			continue
		}
		if len(page.Screenings) == limit {
			page.More = true
			return page, nil
		}
		page.Screenings = append(page.Screenings, x)
	}
	return page, nil
}

// ids are those of all screenings, the oldest first.
func (s *Store) ids(ctx context.Context) (ids []string, err error) {
	for e, err := range s.bucket.List(ctx, keys.ScreeningsByID) {
		if err != nil {
			return nil, fmt.Errorf("list screenings: %w", err)
		}
		ids = append(ids, strings.TrimPrefix(e.Key, keys.ScreeningsByID))
	}
	return ids, nil
}

// Ledger reads the ledger of a screening.
func (s *Store) Ledger(ctx context.Context, id string) (*Ledger, error) {
	e, _, err := record.Load[Ledger](ctx, s.bucket, keys.ScreeningLedger(id))
	if err != nil {
		return nil, missing(err, id)
	}
	return e.Record, nil
}

// Claims reads the claims in force.
func (s *Store) Claims(ctx context.Context, id string, l *Ledger) ([]*Claim, error) {
	var claims []*Claim
	for _, o := range l.Open {
		e, _, err := record.Load[Claim](ctx, s.bucket, keys.ScreeningClaim(id, o.Number))
		if errors.Is(err, storage.ErrNotExist) { // being made, or just ended
			continue
		}
		if err != nil {
			return nil, missing(err, id)
		}
		claims = append(claims, e.Record)
	}
	return claims, nil
}

// Delete removes a screening that is over, with all its objects. The record goes
// last, so that one which is cut short goes on when called again.
func (s *Store) Delete(ctx context.Context, id string) error {
	x, err := s.Screening(ctx, id)
	if err != nil {
		return err
	}
	if err := access.Change(ctx, owned(x), none(id)); err != nil {
		return err
	}
	if !x.Status.Ended() {
		return &jobs.Error{Code: jobs.Conflict, Detail: fmt.Sprintf("a screening that is %s cannot be deleted: cancel it first", x.Status)}
	}
	return s.remove(ctx, id)
}

func (s *Store) remove(ctx context.Context, id string) error {
	if err := s.bucket.Delete(ctx, keys.ActiveScreenings+id); err != nil {
		return fmt.Errorf("delete screening %s: %w", id, err)
	}
	if err := s.clear(ctx, keys.ScreeningPrefix(id), keys.Screening(id)); err != nil {
		return err
	}
	for _, key := range []string{keys.Screening(id), keys.ScreeningsByID + id} {
		if err := s.bucket.Delete(ctx, key); err != nil {
			return fmt.Errorf("delete screening %s: %w", id, err)
		}
	}
	return nil
}

// clear removes the objects under a prefix, but one.
func (s *Store) clear(ctx context.Context, prefix, but string) error {
	var keys []string
	for e, err := range s.bucket.List(ctx, prefix) {
		if err != nil {
			return fmt.Errorf("list %s: %w", prefix, err)
		}
		if e.Key != but {
			keys = append(keys, e.Key)
		}
	}
	for _, key := range keys {
		if err := s.bucket.Delete(ctx, key); err != nil {
			return fmt.Errorf("delete %s: %w", key, err)
		}
	}
	return nil
}

// Expire removes the screenings that ended before a time, and says how many.
func (s *Store) Expire(ctx context.Context, before time.Time) (n int, err error) {
	ids, err := s.ids(ctx)
	if err != nil {
		return 0, err
	}
	for _, id := range ids {
		x, err := s.load(ctx, id)
		if err != nil || !x.Status.Ended() || !x.FinishedAt.Before(before) {
			continue // what is damaged is for people to look at
		}
		if err := s.remove(ctx, id); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

// WebhookBody is the body of a webhook as it was frozen when its event happened.
func (s *Store) WebhookBody(ctx context.Context, id, webhook string) ([]byte, error) {
	if !jobs.ValidID(jobs.ScreeningPrefix, id) || !jobs.ValidID(jobs.EventPrefix, webhook) {
		return nil, none(id)
	}
	body, err := record.Bytes(ctx, s.bucket, keys.ScreeningHook(id, webhook))
	if err != nil {
		return nil, missing(err, id)
	}
	return body, nil
}

// freeze writes the bodies of the deliveries that x owes beyond the first known
// ones, before the record that names them.
func (s *Store) freeze(ctx context.Context, x *Screening, known int) error {
	if len(x.Deliveries) <= known {
		return nil
	}
	l, err := s.Ledger(ctx, x.ID)
	if err != nil && jobs.ErrorCode(err) != jobs.NotFound {
		return err
	}
	if l == nil {
		l = &Ledger{Shards: x.Shards()}
	}
	for _, d := range x.Deliveries[known:] {
		e := x.Events[d.Event-1]
		body, err := jobs.WebhookBody(e, NewView(e.Time, x, l, nil))
		if err != nil {
			return fmt.Errorf("webhook %s: %w", d.WebhookID, err)
		}
		if _, err := s.bucket.Put(ctx, keys.ScreeningHook(x.ID, d.WebhookID), bytes.NewReader(body), int64(len(body)), storage.Condition{}); err != nil {
			return fmt.Errorf("webhook %s: %w", d.WebhookID, err)
		}
	}
	return nil
}

func none(id string) error {
	return &jobs.Error{Code: jobs.NotFound, Detail: fmt.Sprintf("there is no screening %.60q", id)}
}

func missing(err error, id string) error {
	if errors.Is(err, storage.ErrNotExist) {
		return none(id)
	}
	var d *record.DamagedError
	if errors.As(err, &d) {
		return &jobs.Error{Code: jobs.Damaged, Detail: d.Error(), Err: err}
	}
	if jobs.ErrorCode(err) != "" {
		return err
	}
	return fmt.Errorf("screening %s: %w", id, err)
}
