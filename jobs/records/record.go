package records

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

// maxRecord bounds a record, in bytes: far above any, far below what would hurt.
const maxRecord = 16 << 20

// envelope is a record as it is stored. Write is drawn anew for every write, so
// that no two are equal and a writer can tell its own.
type envelope[T any] struct {
	Schema  int    `json:"schema"`
	Version int64  `json:"version"`
	Write   string `json:"write"`
	Record  *T     `json:"record"`
}

// errSame is returned by a change that leaves the record as it is.
var errSame = errors.New("nothing to change")

// create writes a new record; ErrConflict if there is one.
func create[T any](ctx context.Context, b storage.Bucket, key string, record *T) error {
	return put(ctx, b, key, &envelope[T]{Version: 1, Record: record}, storage.IfAbsent())
}

// load reads a record and its version.
func load[T any](ctx context.Context, b storage.Bucket, key string) (*envelope[T], storage.Version, error) {
	o, err := b.Get(ctx, key)
	if err != nil {
		return nil, "", err
	}
	defer o.Close()
	body, err := io.ReadAll(io.LimitReader(o, maxRecord+1))
	if err != nil {
		return nil, "", fmt.Errorf("read %s: %w", key, err)
	}
	if len(body) > maxRecord {
		return nil, "", fmt.Errorf("read %s: the record is larger than %d bytes", key, maxRecord)
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
	var e envelope[T]
	if err := json.Unmarshal(body, &e); err != nil {
		return nil, "", fmt.Errorf("read %s: %w", key, err)
	}
	if e.Record == nil {
		return nil, "", fmt.Errorf("read %s: it holds no record", key)
	}
	return &e, o.Version, nil
}

// update changes a record by compare-and-set until no other writer comes
// between, and returns it as written. change is called anew each time and must
// have no other effect; its error ends the update, errSame without one.
func update[T any](ctx context.Context, b storage.Bucket, key string, change func(*T) error) (*T, error) {
	for {
		e, version, err := load[T](ctx, b, key)
		if err != nil {
			return nil, err
		}
		if err := change(e.Record); errors.Is(err, errSame) {
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
func put[T any](ctx context.Context, b storage.Bucket, key string, e *envelope[T], cond storage.Condition) error {
	e.Schema, e.Write = schema, rand.Text()
	body, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("write %s: %w", key, err)
	}
	_, err = b.Put(ctx, key, bytes.NewReader(body), int64(len(body)), cond)
	if !errors.Is(err, storage.ErrConflict) {
		return err
	}
	now, _, readErr := load[T](ctx, b, key)
	if readErr == nil && now.Write == e.Write {
		return nil
	}
	return err
}
