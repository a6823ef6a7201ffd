package searches

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"polyid-trainer/jobs"
	"polyid-trainer/jobs/access"
	"polyid-trainer/jobs/keys"
	"polyid-trainer/storage"
	"polyid-trainer/storage/record"
)

const perPage = 20

// Store keeps searches in a bucket. It may be used concurrently, also by several
// processes. Who asks in a context sees and changes what package access allows.
type Store struct{ bucket storage.Bucket }

// NewStore keeps searches in b.
func NewStore(b storage.Bucket) *Store { return &Store{b} }

// Create stores a new search; the objects under keys.SearchJobPrefix are there already.
func (st *Store) Create(ctx context.Context, s *Search) error {
	for _, key := range []string{keys.SearchesByID + s.ID, keys.Searching + s.ID} {
		if _, err := st.bucket.Put(ctx, key, strings.NewReader(""), 0, storage.Condition{}); err != nil {
			return fmt.Errorf("create search %s: %w", s.ID, err)
		}
	}
	if err := st.freeze(ctx, s, 0); err != nil {
		return err
	}
	err := record.Create(ctx, st.bucket, keys.Search(s.ID), s)
	if err != nil && !errors.Is(err, storage.ErrConflict) { // by an earlier try of the same request
		return fmt.Errorf("create search %s: %w", s.ID, err)
	}
	return nil
}

// load reads a record, also of a search that is being deleted.
func (st *Store) load(ctx context.Context, id string) (*Search, error) {
	if !jobs.ValidID(jobs.SearchPrefix, id) {
		return nil, missing(storage.ErrNotExist, id)
	}
	e, _, err := record.Load[Search](ctx, st.bucket, keys.Search(id))
	if err != nil {
		return nil, missing(err, id)
	}
	if err := access.Read(ctx, owned(e.Record), missing(storage.ErrNotExist, id)); err != nil {
		return nil, err
	}
	return e.Record, nil
}

// Search reads a record; jobs.NotFound if there is none, or it is being deleted.
func (st *Store) Search(ctx context.Context, id string) (*Search, error) {
	s, err := st.load(ctx, id)
	if err == nil && !s.DeletedAt.IsZero() {
		return nil, missing(storage.ErrNotExist, id)
	}
	return s, err
}

func owned(s *Search) access.Owned { return access.Owned{Owner: s.Owner, SharedWith: s.SharedWith} }

// Update changes a record. The change is retried until no other writer comes
// between, so it must only look at and change what it is handed; an error it
// returns is passed on and nothing is written.
func (st *Store) Update(ctx context.Context, id string, change func(*Search) error) (*Search, error) {
	if !jobs.ValidID(jobs.SearchPrefix, id) {
		return nil, missing(storage.ErrNotExist, id)
	}
	s, err := record.Update(ctx, st.bucket, keys.Search(id), func(s *Search) error {
		if err := access.Change(ctx, owned(s), missing(storage.ErrNotExist, id)); err != nil {
			return err
		}
		if !s.DeletedAt.IsZero() {
			return missing(storage.ErrNotExist, id)
		}
		ended, owed := s.State.Ended(), len(s.Deliveries)
		if err := change(s); err != nil {
			return err
		}
		if err := st.freeze(ctx, s, owed); err != nil {
			return err
		}
		if ended && !s.State.Ended() || !s.DeletedAt.IsZero() { // there is something to do: in the index before the record says so
			_, err := st.bucket.Put(ctx, keys.Searching+id, strings.NewReader(""), 0, storage.Condition{})
			return err
		}
		return nil
	})
	if err != nil {
		return nil, missing(err, id)
	}
	return s, nil
}

// Page is a part of the list of searches.
type Page struct {
	Searches []*Search
	More     bool // there are older ones
	Damaged  int  // searches in between whose records cannot be read
}

// List lists searches newest first, at most limit (0 is 20), after the one named by
// after. It costs one read for each and one listing of the names of all.
func (st *Store) List(ctx context.Context, limit int, after string) (p Page, err error) {
	if limit <= 0 {
		limit = perPage
	}
	var ids []string
	for e, err := range st.bucket.List(ctx, keys.SearchesByID) {
		if err != nil {
			return p, fmt.Errorf("list searches: %w", err)
		}
		ids = append(ids, strings.TrimPrefix(e.Key, keys.SearchesByID))
	}
	for _, id := range slices.Backward(ids) { // by time, as ids are
		if after != "" && id >= after {
			continue
		}
		s, err := st.Search(ctx, id)
		switch jobs.ErrorCode(err) {
		case jobs.NotFound: // another's, deleted, or never quite created
			continue
		case jobs.Damaged:
			p.Damaged++
			continue
		}
		if err != nil {
			return p, fmt.Errorf("list searches: %w", err)
		}
		if len(p.Searches) == limit {
			p.More = true
			return p, nil
		}
		p.Searches = append(p.Searches, s)
	}
	return p, nil
}

// Active lists the ids of the searches that may have something to do.
func (st *Store) Active(ctx context.Context) ([]string, error) {
	var ids []string
	for e, err := range st.bucket.List(ctx, keys.Searching) {
		if err != nil {
			return nil, fmt.Errorf("list active searches: %w", err)
		}
		ids = append(ids, strings.TrimPrefix(e.Key, keys.Searching))
	}
	return ids, nil
}

// rest takes a search off the active ones, unless it was taken up again meanwhile.
func (st *Store) rest(ctx context.Context, id string) error {
	if err := st.bucket.Delete(ctx, keys.Searching+id); err != nil {
		return err
	}
	s, err := st.Search(ctx, id)
	if jobs.ErrorCode(err) == jobs.NotFound {
		return nil
	}
	if err != nil || s.State.Ended() {
		return err
	}
	_, err = st.bucket.Put(ctx, keys.Searching+id, strings.NewReader(""), 0, storage.Condition{})
	return err
}

// remove takes away a search that is marked as deleted: its objects, its record,
// then what leads to it.
func (st *Store) remove(ctx context.Context, id string) error {
	for e, err := range st.bucket.List(ctx, keys.Searches+id+"/") {
		if err == nil && e.Key != keys.Search(id) {
			err = st.bucket.Delete(ctx, e.Key)
		}
		if err != nil {
			return fmt.Errorf("delete search %s: %w", id, err)
		}
	}
	for _, key := range []string{keys.Search(id), keys.Searching + id, keys.SearchesByID + id} {
		if err := st.bucket.Delete(ctx, key); err != nil {
			return fmt.Errorf("delete search %s: %w", id, err)
		}
	}
	return nil
}

func missing(err error, id string) error {
	if errors.Is(err, storage.ErrNotExist) {
		return &jobs.Error{Code: jobs.NotFound, Detail: fmt.Sprintf("there is no search %q", id)}
	}
	var d *record.DamagedError
	if errors.As(err, &d) {
		return &jobs.Error{Code: jobs.Damaged, Detail: d.Error(), Err: err}
	}
	return fmt.Errorf("search %s: %w", id, err)
}
