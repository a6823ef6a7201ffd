// Package storage is the object store that holds everything durable: datasets,
// job records, checkpoints, models. Packages file and s3 implement it, package
// backend opens one by URL, package storagetest holds both to the same
// behaviour.
package storage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
	"time"
	"unicode/utf8"
)

// Outcomes a caller acts on; both backends wrap them with the key.
var (
	ErrNotExist = errors.New("object does not exist")
	// ErrConflict means a condition did not hold: the object exists already, or
	// is not the version expected. A writer that may have retried reads back
	// and compares before it believes that another one won.
	ErrConflict = errors.New("object is not the expected version")
	// ErrRefused means that the store does not do what it was asked, for a reason
	// that another try will meet again: credentials, a setting, something it lacks.
	ErrRefused = errors.New("object storage refuses the request, and would refuse it again")
	// ErrFull means that the store has no room: a disk, a quota or a bucket is
	// full. Nothing of the object was stored. It works again once there is room.
	ErrFull = errors.New("object storage is full")
)

// Bucket is a flat store of objects under slash-separated keys. A reader sees a
// whole object or none, never part of one; after Put returns the object is
// durable. All methods may be called concurrently.
type Bucket interface {
	// Put stores size bytes of body under key if cond holds and returns the
	// new version. It fails with ErrConflict where cond does not hold.
	Put(ctx context.Context, key string, body io.Reader, size int64, cond Condition) (Version, error)
	// Get opens the object for reading; ErrNotExist if there is none. The
	// caller closes it.
	Get(ctx context.Context, key string) (*Object, error)
	// List yields the objects whose keys start with prefix, by key in byte
	// order. It ends at the first error.
	List(ctx context.Context, prefix string) iter.Seq2[Entry, error]
	// Delete removes the object. Removing one that is not there is no error.
	Delete(ctx context.Context, key string) error
}

// Version names an object's content (an S3 ETag). Equal content may have equal
// versions, so what is moved by compare-and-set carries its own counter.
type Version string

// Condition says what must be true for a Put to happen. The zero value is
// always true.
type Condition struct {
	absent bool
	match  Version
}

// IfAbsent holds where there is no object under the key.
func IfAbsent() Condition { return Condition{absent: true} }

// IfMatch holds where the object under the key is version v.
func IfMatch(v Version) Condition { return Condition{match: v} }

// Absent reports whether c is IfAbsent.
func (c Condition) Absent() bool { return c.absent }

// Match returns the version c asks for, if it asks for one.
func (c Condition) Match() (v Version, ok bool) { return c.match, c.match != "" }

// Object is an object opened for reading.
type Object struct {
	io.ReadCloser
	Entry
	// Version returns the version of what is read here, also after reading, but
	// before Close. A backend may have to read the whole object for it.
	Version func() (Version, error)
}

// Entry describes an object.
type Entry struct {
	Key      string
	Size     int64 // bytes
	Modified time.Time
}

// maxKey is what S3 allows, in bytes.
const maxKey = 1024

// CheckKey reports why key is not one that every backend can hold: a relative
// path of UTF-8 segments without ".", "..", backslashes or control characters.
func CheckKey(key string) error {
	switch {
	case key == "":
		return errors.New("storage key is empty")
	case len(key) > maxKey:
		return fmt.Errorf("storage key has %d bytes, more than %d", len(key), maxKey)
	case !utf8.ValidString(key):
		return fmt.Errorf("storage key %q is not UTF-8", key)
	}
	for segment := range strings.SplitSeq(key, "/") {
		if segment == "" || segment == "." || segment == ".." {
			return fmt.Errorf("storage key %q has a segment %q", key, segment)
		}
	}
	if i := strings.IndexFunc(key, func(r rune) bool { return r < 0x20 || r == 0x7f || r == '\\' }); i >= 0 {
		return fmt.Errorf("storage key %q has the character %q", key, key[i])
	}
	return nil
}
