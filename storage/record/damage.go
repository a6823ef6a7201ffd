package record

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"

	"polyid-trainer/storage"
)

// DamagedError is of a record that is there and cannot be read: it is empty, cut
// off, not JSON, of a newer schema, or holds what cannot be.
type DamagedError struct {
	Key    string
	Reason string // a sentence without its full stop, "it is empty"
	Newer  bool   // it is of a newer schema: sound, but not for this program
}

func (e *DamagedError) Error() string {
	return fmt.Sprintf("the record %s is damaged: %s", e.Key, e.Reason)
}

// IsDamaged reports whether err is, or wraps, a *DamagedError.
func IsDamaged(err error) bool {
	var d *DamagedError
	return errors.As(err, &d)
}

// Register is a bucket that remembers which records read through it are damaged,
// and logs each of them once. A record that is read, replaced or removed after
// that is forgotten.
type Register struct {
	storage.Bucket
	Log *slog.Logger

	mu      sync.Mutex
	damaged map[string]DamagedError // by key
}

var _ storage.Bucket = (*Register)(nil)

// maxDamaged bounds what a Register remembers: a store with more damaged records
// has another fault than these.
const maxDamaged = 10_000

// Damaged lists the damaged records that were met and not mended since, by key.
func (r *Register) Damaged() []DamagedError {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make([]DamagedError, 0, len(r.damaged))
	for _, d := range r.damaged {
		all = append(all, d)
	}
	slices.SortFunc(all, func(x, y DamagedError) int { return cmp.Compare(x.Key, y.Key) })
	return all
}

// Check is an error that names what is damaged, nil if nothing is. It suits a
// health check.
func (r *Register) Check(context.Context) error {
	all := r.Damaged()
	if len(all) == 0 {
		return nil
	}
	const named = 3
	errs := make([]error, 0, named+1)
	for _, d := range all[:min(named, len(all))] {
		errs = append(errs, &d)
	}
	if n := len(all) - named; n > 0 {
		errs = append(errs, fmt.Errorf("and %d more records are damaged", n))
	}
	return errors.Join(errs...)
}

// note remembers how reading a record went.
func (r *Register) note(key string, err error) {
	var d *DamagedError
	switch {
	case errors.As(err, &d):
	case err == nil, errors.Is(err, storage.ErrNotExist):
		r.forget(key)
		return
	default: // nothing is known of it
		return
	}
	r.mu.Lock()
	_, known := r.damaged[key]
	if !known && len(r.damaged) < maxDamaged {
		if r.damaged == nil {
			r.damaged = map[string]DamagedError{}
		}
		r.damaged[key] = *d
	}
	r.mu.Unlock()
	if !known {
		r.Log.Error("a record is damaged and is left out: `api doctor` says what can be done", "key", key, "reason", d.Reason)
	}
}

func (r *Register) forget(key string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.damaged, key)
}

// Put implements storage.Bucket.
func (r *Register) Put(ctx context.Context, key string, body io.Reader, size int64, cond storage.Condition) (storage.Version, error) {
	v, err := r.Bucket.Put(ctx, key, body, size, cond)
	if err == nil {
		r.forget(key)
	}
	return v, err
}

// Delete implements storage.Bucket.
func (r *Register) Delete(ctx context.Context, key string) error {
	err := r.Bucket.Delete(ctx, key)
	if err == nil {
		r.forget(key)
	}
	return err
}
