// Package record stores JSON records in a bucket and changes them by
// compare-and-set: the form of everything in object storage that is not written
// once.
//
// A record that is there and cannot be read is a *DamagedError, never a missing
// one. Read through a Register, it is logged once and remembered until it can be
// read again.
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

// checker is a record that can tell whether what was decoded makes sense, so that
// no reader trips over it.
type checker interface {
	// CheckRecord says what cannot be of a record that was read from key.
	CheckRecord(key string) error
}

// Load reads a record and its version. A record that cannot be read is a
// *DamagedError.
func Load[T any](ctx context.Context, b storage.Bucket, key string) (*Envelope[T], storage.Version, error) {
	e, version, err := load[T](ctx, b, key)
	if r, ok := b.(*Register); ok {
		r.note(key, err)
	}
	return e, version, err
}

// Bytes reads what lies beside a record, such as a body that was frozen with it: the
// first Max bytes at most.
func Bytes(ctx context.Context, b storage.Bucket, key string) ([]byte, error) {
	o, err := b.Get(ctx, key)
	if err != nil {
		return nil, err
	}
	defer o.Close()
	body, err := io.ReadAll(io.LimitReader(o, Max))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", key, err)
	}
	return body, nil
}

func load[T any](ctx context.Context, b storage.Bucket, key string) (*Envelope[T], storage.Version, error) {
	o, err := b.Get(ctx, key)
	if err != nil {
		return nil, "", err
	}
	defer o.Close()
	body, err := io.ReadAll(io.LimitReader(o, Max+1))
	if err != nil {
		return nil, "", fmt.Errorf("read %s: %w", key, err)
	}
	e, reason := decode[T](key, body)
	if reason != "" {
		return nil, "", &DamagedError{Key: key, Reason: reason, Newer: newer(body)}
	}
	version, err := o.Version()
	if err != nil {
		return nil, "", fmt.Errorf("read %s: %w", key, err)
	}
	return e, version, nil
}

// newer reports whether a record is of a schema that this program does not know.
func newer(body []byte) bool {
	var head struct {
		Schema int `json:"schema"`
	}
	return json.Unmarshal(body, &head) == nil && head.Schema > schema
}

// decode reads a stored record, or says why it cannot be read.
func decode[T any](key string, body []byte) (e *Envelope[T], reason string) {
	defer func() { // a record's own methods may not expect what a damaged one holds
		if p := recover(); p != nil {
			e, reason = nil, fmt.Sprintf("reading it failed: %v", p)
		}
	}()
	switch {
	case len(body) == 0:
		return nil, "it is empty"
	case len(body) > Max:
		return nil, fmt.Sprintf("it is larger than %d bytes", Max)
	}
	// The schema first: what a later one holds need not parse as this one.
	var head struct {
		Schema int `json:"schema"`
	}
	if err := json.Unmarshal(body, &head); err != nil {
		return nil, "it is not JSON: " + err.Error()
	}
	if head.Schema > schema {
		return nil, fmt.Sprintf("it has schema %d and this program knows up to %d: run a newer program", head.Schema, schema)
	}
	if head.Schema < 1 {
		return nil, "it names no schema"
	}
	e = new(Envelope[T])
	if err := json.Unmarshal(body, e); err != nil {
		return nil, "its JSON does not fit: " + err.Error()
	}
	if e.Record == nil {
		return nil, "it holds no record"
	}
	if c, ok := any(e.Record).(checker); ok {
		if err := c.CheckRecord(key); err != nil {
			return nil, err.Error()
		}
	}
	return e, ""
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
	if len(body) > Max { // it could never be read back
		return fmt.Errorf("write %s: the record would have %d bytes, more than the %d that can be read back", key, len(body), Max)
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
