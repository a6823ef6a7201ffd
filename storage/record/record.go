// Package record keeps JSON records in a bucket that change by compare-and-set: the
// form of everything in object storage that is not written once.
package record

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"polyid-trainer/storage"
)

// schema is the version of what is stored. A reader refuses a later one, so
// that an old program never loses what a new one wrote.
const schema = 1

// Max bounds a record, in bytes: far above any, far below what would hurt.
const Max = 16 << 20

// Envelope is a record as it is stored. Write is drawn anew for every write, so
// that no two are equal and a writer can tell its own.
type Envelope[T any] struct {
	Schema  int    `json:"schema"`
	Version int64  `json:"version"`
	Write   string `json:"write"`
	Record  *T     `json:"record"`
}

// ErrSame is returned by a change that leaves the record as it is.
var ErrSame = errors.New("nothing to change")

// Create writes a new record; ErrConflict if there is one.
func Create[T any](ctx context.Context, b storage.Bucket, key string, record *T) error {
	return put(ctx, b, key, &Envelope[T]{Version: 1, Record: record}, storage.IfAbsent())
}

// Load reads a record and its version.
func Load[T any](ctx context.Context, b storage.Bucket, key string) (*Envelope[T], storage.Version, error) {
	o, err := b.Get(ctx, key)
	if err != nil {
		return nil, "", err
	}
	defer o.Close()
	body, err := io.ReadAll(io.LimitReader(o, Max+1))
	if err != nil {
		return nil, "", fmt.Errorf("read %s: %w", key, err)
	}
	if len(body) > Max {
		return nil, "", fmt.Errorf("read %s: the record is larger than %d bytes", key, Max)
	}
	// The schema first: what a later one holds need not parse as this one.
	var head struct {
		Schema int `json:"schema"`
	}
	if err := json.Unmarshal(body, &head); err != nil {
		return nil, "", fmt.Errorf("read %s: %w", key, err)
	}
	if head.Schema < 1 || head.Schema > schema {
		return nil, "", fmt.Errorf("read %s: it has schema %d, this program knows up to %d: run a newer one", key, head.Schema, schema)
	}
	var e Envelope[T]
	if err := json.Unmarshal(body, &e); err != nil {
		return nil, "", fmt.Errorf("read %s: %w", key, err)
	}
	if e.Record == nil {
		return nil, "", fmt.Errorf("read %s: it holds no record", key)
	}
	return &e, o.Version, nil
}

// Update changes a record by compare-and-set until no other writer comes
// between, and returns it as written. change is called anew each time and must
// have no other effect; its error ends the update, ErrSame without one.
func Update[T any](ctx context.Context, b storage.Bucket, key string, change func(*T) error) (*T, error) {
	for {
		e, version, err := Load[T](ctx, b, key)
		if err != nil {
			return nil, err
		}
		if err := change(e.Record); errors.Is(err, ErrSame) {
			return e.Record, nil
		} else if err != nil {
			return nil, err
		}
		e.Version++
		err = put(ctx, b, key, e, storage.IfMatch(version))
		if errors.Is(err, storage.ErrConflict) {
			continue
		}
		if err != nil {
			return nil, err
		}
		return e.Record, nil
	}
}

// put writes e if cond holds. A conflict may be with an earlier try of this very
// write, whose answer was lost: then it has succeeded.
func put[T any](ctx context.Context, b storage.Bucket, key string, e *Envelope[T], cond storage.Condition) error {
	e.Schema, e.Write = schema, rand.Text()
	body, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("write %s: %w", key, err)
	}
	_, err = b.Put(ctx, key, bytes.NewReader(body), int64(len(body)), cond)
	if !errors.Is(err, storage.ErrConflict) {
		return err
	}
	now, _, readErr := Load[T](ctx, b, key)
	if readErr == nil && now.Write == e.Write {
		return nil
	}
	return err
}
