package storagetest

import (
	"bytes"
	"context"
	"io"
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"polyid-trainer/storage"
)

// Memory is a bucket in memory, for tests that write a great deal. The zero value
// is empty. It is safe for concurrent use.
type Memory struct {
	mu      sync.Mutex
	objects map[string]held
	writes  int
}

type held struct {
	body     []byte
	version  storage.Version
	modified time.Time
}

var _ storage.Bucket = (*Memory)(nil)

// Put implements storage.Bucket.
func (m *Memory) Put(ctx context.Context, key string, body io.Reader, size int64, cond storage.Condition) (storage.Version, error) {
	if err := storage.CheckKey(key); err != nil {
		return "", err
	}
	content, err := io.ReadAll(io.LimitReader(body, size+1))
	if err != nil {
		return "", err
	}
	if int64(len(content)) != size {
		return "", io.ErrUnexpectedEOF
	}
	if err := ctx.Err(); err != nil {
		return "", err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	old, exists := m.objects[key]
	if want, ok := cond.Match(); cond.Absent() && exists || ok && old.version != want {
		return "", storage.ErrConflict
	}
	if m.objects == nil {
		m.objects = map[string]held{}
	}
	m.writes++
	v := storage.Version(strconv.Itoa(m.writes))
	m.objects[key] = held{content, v, time.Now()}
	return v, nil
}

// Get implements storage.Bucket.
func (m *Memory) Get(_ context.Context, key string) (*storage.Object, error) {
	if err := storage.CheckKey(key); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	o, ok := m.objects[key]
	if !ok {
		return nil, storage.ErrNotExist
	}
	return &storage.Object{
		ReadCloser: io.NopCloser(bytes.NewReader(o.body)), Entry: o.entry(key),
		Version: func() (storage.Version, error) { return o.version, nil },
	}, nil
}

func (o held) entry(key string) storage.Entry {
	return storage.Entry{Key: key, Size: int64(len(o.body)), Modified: o.modified}
}

// List implements storage.Bucket.
func (m *Memory) List(ctx context.Context, prefix string) iter.Seq2[storage.Entry, error] {
	return func(yield func(storage.Entry, error) bool) {
		m.mu.Lock()
		keys := slices.Sorted(maps.Keys(m.objects))
		m.mu.Unlock()
		for _, key := range keys {
			if !strings.HasPrefix(key, prefix) {
				continue
			}
			if err := ctx.Err(); err != nil {
				yield(storage.Entry{}, err)
				return
			}
			m.mu.Lock()
			o, ok := m.objects[key]
			m.mu.Unlock()
			if ok && !yield(o.entry(key), nil) {
				return
			}
		}
	}
}

// Delete implements storage.Bucket.
func (m *Memory) Delete(_ context.Context, key string) error {
	if err := storage.CheckKey(key); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.objects, key)
	return nil
}
