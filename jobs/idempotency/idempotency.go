// Package idempotency makes requests repeatable: a client that sends a request
// again under the same key gets what the first one made, after a crash and from
// another process too.
//
// The idempotency record of a key lies in object storage. It is written before
// the work, with what the work will make, and marked when the work is done.
package idempotency

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"polyid-trainer/jobs"
	"polyid-trainer/jobs/keys"
	"polyid-trainer/storage"
	"polyid-trainer/storage/record"
)

// Lifetime is how long a key is remembered.
const Lifetime = 24 * time.Hour

// Keys are the idempotency records of a bucket. They may be used concurrently,
// also by several processes.
type Keys struct {
	bucket storage.Bucket
	now    func() time.Time
}

// New returns the records in b; now is nil for time.Now.
func New(b storage.Bucket, now func() time.Time) *Keys {
	if now == nil {
		now = time.Now
	}
	return &Keys{b, now}
}

// Request is what a client sent, as far as repeating it goes.
type Request struct {
	Owner string // the name of the token; a key belongs to one token
	Route string // and to one route: "POST /v1/training-jobs"
	Key   string // of the client's choice; "" asks for no record
	Body  string // a hash of everything that the request says
}

// object names the record of a request.
func (r Request) object() string {
	sum := sha256.Sum256([]byte(r.Owner + "\x00" + r.Route + "\x00" + r.Key))
	return keys.Idempotency + hex.EncodeToString(sum[:])
}

// entry is the record.
type entry[T any] struct {
	Body string    `json:"body"` // Request.Body
	Time time.Time `json:"time"`
	Made T         `json:"made"` // what the work makes, decided before it begins
	Done bool      `json:"done"`
}

// Once does a request's work once for its key. prepare decides what is made and
// stores nothing; perform makes it. A record that is not done belongs to a
// process that died or is at work now, so perform may run again, with what was
// decided first, and must then change nothing.
//
// made is what perform was called with; repeated reports that an earlier request
// had made it already, in which case perform is not called. Without a key both
// functions are called. The error is jobs.Conflict if the key was used for
// another body.
func Once[T any](ctx context.Context, k *Keys, r Request, prepare func() (T, error), perform func(*T) error) (made *T, repeated bool, err error) {
	if r.Key == "" || k == nil {
		t, err := prepare()
		if err != nil {
			return nil, false, err
		}
		return &t, false, perform(&t)
	}
	name := r.object()
	e, err := find[T](ctx, k, name, r.Body)
	if err != nil {
		return nil, false, err
	}
	if e != nil && e.Done {
		return &e.Made, true, nil
	}
	t, err := prepare()
	if err != nil {
		return nil, false, err
	}
	if e == nil {
		if e, err = create(ctx, k, name, r.Body, t); err != nil {
			return nil, false, err
		}
	}
	if e.Done {
		return &e.Made, true, nil
	}
	if err := perform(&e.Made); err != nil {
		return nil, false, err
	}
	return &e.Made, false, complete[T](ctx, k, name)
}

// find returns the record under a name for this very body, nil if there is none.
func find[T any](ctx context.Context, k *Keys, name, body string) (*entry[T], error) {
	e, _, err := record.Load[entry[T]](ctx, k.bucket, name)
	if errors.Is(err, storage.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("idempotency record: %w", err)
	}
	switch {
	case k.now().Sub(e.Record.Time) >= Lifetime:
		return nil, nil
	case e.Record.Body != body:
		return nil, otherBody()
	}
	return e.Record, nil
}

func otherBody() error {
	return &jobs.Error{Code: jobs.Conflict, Detail: "this Idempotency-Key was used for a request with another body: use a new one"}
}

// create writes a record. If another request with the same key was first, its
// record counts.
func create[T any](ctx context.Context, k *Keys, name, body string, made T) (*entry[T], error) {
	e := &entry[T]{Body: body, Time: k.now().UTC(), Made: made}
	err := record.Create(ctx, k.bucket, name, e)
	if !errors.Is(err, storage.ErrConflict) {
		if err != nil {
			return nil, fmt.Errorf("idempotency record: %w", err)
		}
		return e, nil
	}
	if other, err := find[T](ctx, k, name, body); other != nil || err != nil {
		return other, err
	}
	// The record has expired: replace it.
	now, err := record.Update(ctx, k.bucket, name, func(old *entry[T]) error {
		if k.now().Sub(old.Time) < Lifetime {
			return record.ErrSame
		}
		*old = *e
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("idempotency record: %w", err)
	}
	if now.Body != body {
		return nil, otherBody()
	}
	return now, nil
}

// complete marks a record as done.
func complete[T any](ctx context.Context, k *Keys, name string) error {
	_, err := record.Update(ctx, k.bucket, name, func(e *entry[T]) error {
		if e.Done {
			return record.ErrSame
		}
		e.Done = true
		return nil
	})
	if err != nil {
		return fmt.Errorf("idempotency record: %w", err)
	}
	return nil
}

// Expire deletes the records that were last written before a time and returns
// how many there were.
func (k *Keys) Expire(ctx context.Context, before time.Time) (n int, err error) {
	for e, err := range k.bucket.List(ctx, keys.Idempotency) {
		if err != nil {
			return n, fmt.Errorf("expire idempotency records: %w", err)
		}
		if !e.Modified.Before(before) {
			continue
		}
		if err := k.bucket.Delete(ctx, e.Key); err != nil {
			return n, fmt.Errorf("expire idempotency records: %w", err)
		}
		n++
	}
	return n, nil
}
