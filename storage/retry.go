package storage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"math/rand/v2"
	"time"
)

// Retry is a bucket that repeats calls which fail for no reason of their own:
// other than by ErrNotExist, ErrConflict, ErrRefused or the end of ctx. Waits double from
// First, each by chance up to half longer, so that many workers do not return
// at once. A Put is repeated only if its body can be read again (io.Seeker). A
// repeated conditional Put may find its own first try: ErrConflict, see there.
type Retry struct {
	Bucket
	Tries int                                  // in all; 0 is 6
	First time.Duration                        // wait; 0 is 100 ms, which makes 3 s in all
	After func(time.Duration) <-chan time.Time // nil is time.After
}

var _ Bucket = (*Retry)(nil)

// ErrUnavailable means that a Retry has tried in vain: the storage is away, full
// or failing.
var ErrUnavailable = errors.New("object storage is unavailable")

// do calls try until it succeeds, as often as r says.
func (r *Retry) do(ctx context.Context, try func() error) error {
	tries, wait, after := r.Tries, r.First, r.After
	if tries <= 0 {
		tries = 6
	}
	if wait <= 0 {
		wait = 100 * time.Millisecond
	}
	if after == nil {
		after = time.After
	}
	for n := 1; ; n++ {
		err := try()
		switch {
		case err == nil || ctx.Err() != nil || errors.Is(err, ErrNotExist) || errors.Is(err, ErrConflict) || errors.Is(err, ErrRefused):
			return err
		case n == tries:
			return fmt.Errorf("%w: %w", ErrUnavailable, err)
		}
		select {
		case <-ctx.Done():
			return errors.Join(err, context.Cause(ctx))
		case <-after(wait + rand.N(wait/2+1)):
		}
		wait *= 2
	}
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
