package storage

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"time"

	"github.com/cenkalti/backoff/v5"
)

// Retry is a bucket that repeats calls which fail for no reason of their own:
// other than by ErrNotExist, ErrConflict, ErrRefused, ErrFull or the end of ctx. Waits
// double from First, each by chance up to half shorter or longer, so that many
// workers do not return at once. A Put is repeated only if its body can be read
// again (io.Seeker). A repeated conditional Put may find its own first try:
// ErrConflict, see there.
type Retry struct {
	Bucket
	Tries int           // in all; 0 is 6
	First time.Duration // wait; 0 is 100 ms, which makes 3 s in all
}

var _ Bucket = (*Retry)(nil)

// ErrUnavailable means that a Retry has tried in vain: the storage is away or
// failing.
var ErrUnavailable = errors.New("object storage is unavailable")

// do calls try until it succeeds, as often as r says.
func (r *Retry) do(ctx context.Context, try func() error) error {
	wait := &backoff.ExponentialBackOff{
		InitialInterval: cmp.Or(r.First, 100*time.Millisecond), Multiplier: 2, RandomizationFactor: 0.5, MaxInterval: time.Minute,
	}
	var last error // of try
	ended := false // by an outcome
	_, err := backoff.Retry(ctx, func() (struct{}, error) {
		if last = try(); final(ctx, last) {
			ended = true
			return struct{}{}, backoff.Permanent(last)
		}
		return struct{}{}, last
	}, backoff.WithBackOff(wait), backoff.WithMaxTries(uint(cmp.Or(max(r.Tries, 0), 6))), backoff.WithMaxElapsedTime(0))
	switch {
	case ended:
		return last
	case ctx.Err() != nil: // between two tries
		return errors.Join(last, err)
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, last)
}

// final reports whether another try would not help.
func final(ctx context.Context, err error) bool {
	return err == nil || ctx.Err() != nil || errors.Is(err, ErrNotExist) || errors.Is(err, ErrConflict) ||
		errors.Is(err, ErrRefused) || errors.Is(err, ErrFull)
}

// Put implements Bucket.
func (r *Retry) Put(ctx context.Context, key string, body io.Reader, size int64, cond Condition) (v Version, err error) {
	if err := CheckKey(key); err != nil {
		return "", err
	}
	seeker, ok := body.(io.Seeker)
	if !ok {
		return r.Bucket.Put(ctx, key, body, size, cond)
	}
	start, err := seeker.Seek(0, io.SeekCurrent)
	if err != nil {
		return "", fmt.Errorf("put %s: %w", key, err)
	}
	err = r.do(ctx, func() error {
		if _, err := seeker.Seek(start, io.SeekStart); err != nil {
			return err
		}
		v, err = r.Bucket.Put(ctx, key, body, size, cond)
		return err
	})
	return v, err
}

// Get implements Bucket. What fails while the object is read is not repeated.
func (r *Retry) Get(ctx context.Context, key string) (o *Object, err error) {
	if err := CheckKey(key); err != nil {
		return nil, err
	}
	err = r.do(ctx, func() error {
		o, err = r.Bucket.Get(ctx, key)
		return err
	})
	return o, err
}

// List implements Bucket. A listing that fails goes on after the last key it
// yielded.
func (r *Retry) List(ctx context.Context, prefix string) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		last, stopped := "", false
		err := r.do(ctx, func() error {
			for e, err := range r.Bucket.List(ctx, prefix) {
				if err != nil {
					return err
				}
				if e.Key <= last {
					continue
				}
				if !yield(e, nil) {
					stopped = true
					return nil
				}
				last = e.Key
			}
			return nil
		})
		if err != nil && !stopped {
			yield(Entry{}, err)
		}
	}
}

// Delete implements Bucket.
func (r *Retry) Delete(ctx context.Context, key string) error {
	if err := CheckKey(key); err != nil {
		return err
	}
	return r.do(ctx, func() error { return r.Bucket.Delete(ctx, key) })
}
