package httpapi

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"polyid-trainer/jobs"
	"polyid-trainer/storage"
	"polyid-trainer/storage/record"
)

// KeyLasts is how long an idempotency key is remembered.
const KeyLasts = 24 * time.Hour

const keyPrefix = "idempotency/"

// Keys remembers idempotency keys, in object storage, so that a request that is
// sent again after a crash of this process, or to another one, is known.
type Keys struct {
	bucket storage.Bucket
	now    func() time.Time
}

// NewKeys keeps keys in b; now is nil for time.Now.
func NewKeys(b storage.Bucket, now func() time.Time) *Keys {
	if now == nil {
		now = time.Now
	}
	return &Keys{b, now}
}

// promise is what a key stands for: written before the work is begun, and marked
// when it is done.
type promise[T any] struct {
	Body string    `json:"body"` // sha256 of the request's
	Time time.Time `json:"time"`
	Made T         `json:"made"` // what the work makes, decided before it begins
	Done bool      `json:"done"`
}

// scope names the record of a key. A key is a token's and a route's own.
func scope(principal, route, key string) string {
	sum := sha256.Sum256([]byte(principal + "\x00" + route + "\x00" + key))
	return keyPrefix + hex.EncodeToString(sum[:])
}

func hashBody(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}

// checkKey refuses a key that no client makes on purpose.
func checkKey(key string) error {
	if len(key) > 255 || strings.ContainsFunc(key, func(r rune) bool { return r < ' ' || r > '~' }) {
		return newProblem(400, Malformed, "an Idempotency-Key has at most 255 printable ASCII characters")
	}
	return nil
}

// kept is the promise under a key for this very body, nil if there is none, and
// a conflict if it was made for another.
func kept[T any](ctx context.Context, k *Keys, key, body string) (*promise[T], error) {
	e, _, err := record.Load[promise[T]](ctx, k.bucket, key)
	if errors.Is(err, storage.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("idempotency key: %w", err)
	}
	p := e.Record
	switch {
	case k.now().Sub(p.Time) >= KeyLasts:
		return nil, nil
	case p.Body != body:
		return nil, &jobs.Error{Code: jobs.Conflict, Detail: "this Idempotency-Key was used for a request with another body: use a new one"}
	}
	return p, nil
}

// make promises made under a key. If another request for the same key came
// first, its promise counts.
func makePromise[T any](ctx context.Context, k *Keys, key, body string, made T) (*promise[T], error) {
	p := &promise[T]{Body: body, Time: k.now().UTC(), Made: made}
	err := record.Create(ctx, k.bucket, key, p)
	if !errors.Is(err, storage.ErrConflict) {
		if err != nil {
			return nil, fmt.Errorf("idempotency key: %w", err)
		}
		return p, nil
	}
	if other, err := kept[T](ctx, k, key, body); other != nil || err != nil {
		return other, err
	}
	// It has expired: take its place.
	now, err := record.Update(ctx, k.bucket, key, func(old *promise[T]) error {
		if k.now().Sub(old.Time) < KeyLasts {
			return record.ErrSame
		}
		*old = *p
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("idempotency key: %w", err)
	}
	if now.Body != body {
		return nil, &jobs.Error{Code: jobs.Conflict, Detail: "this Idempotency-Key was used for a request with another body: use a new one"}
	}
	return now, nil
}

// keep marks a promise as kept.
func keep[T any](ctx context.Context, k *Keys, key string) error {
	_, err := record.Update(ctx, k.bucket, key, func(p *promise[T]) error {
		if p.Done {
			return record.ErrSame
		}
		p.Done = true
		return nil
	})
	if err != nil {
		return fmt.Errorf("idempotency key: %w", err)
	}
	return nil
}

// Expire forgets keys that were used before a time.
func (k *Keys) Expire(ctx context.Context, before time.Time) (n int, err error) {
	for e, err := range k.bucket.List(ctx, keyPrefix) {
		if err != nil {
			return n, fmt.Errorf("expire idempotency keys: %w", err)
		}
		if !e.Modified.Before(before) {
			continue
		}
		if err := k.bucket.Delete(ctx, e.Key); err != nil {
			return n, fmt.Errorf("expire idempotency keys: %w", err)
		}
		n++
	}
	return n, nil
}
