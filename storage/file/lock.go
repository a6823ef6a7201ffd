package file

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"
)

const (
	lockEvery = time.Millisecond // between tries for a lock that another process has: it is held for microseconds
	// standing is how long another process may hold a lock before it counts as
	// stopped.
	standing = 3 * time.Second
	lockName = "lock"
)

// errOvertaken is of a lock that was taken away. What was to be committed is not;
// another try may do it.
var errOvertaken = errors.New("this process stood still while it wrote, and others went on")

// writeLock excludes all others who write keys of a shard, in this process and in
// others. It is a lock on a file, which the system releases when a process
// dies, in a directory that is taken away from a process that stands still: what
// is committed passes through that directory, so a process that wakes up later
// commits nothing.
type writeLock struct {
	dir   string
	lock  *flock.Flock
	local chan struct{} // held by the goroutine
}

// lock waits for the lock of key's shard, until ctx ends.
func (b *Bucket) lock(ctx context.Context, key string) (*writeLock, error) {
	h := fnv.New32a()
	io.WriteString(h, key)
	i := h.Sum32() % shards
	t := &writeLock{dir: filepath.Join(b.locks(), fmt.Sprintf("%02d", i)), local: b.local[i]}
	select {
	case t.local <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if err := b.enter(ctx, t); err != nil {
		<-t.local
		return nil, err
	}
	return t, nil
}

func (b *Bucket) enter(ctx context.Context, t *writeLock) error {
	t.lock = flock.New(filepath.Join(t.dir, lockName))
	for began := time.Now(); ; {
		ok, err := t.lock.TryLock()
		switch {
		case ok:
			return nil
		case errors.Is(err, fs.ErrNotExist): // the first lock ever, or after one was taken away
			if err := os.MkdirAll(t.dir, 0o755); err != nil {
				return err
			}
			continue
		case err != nil:
			return err
		}
		if time.Since(began) > b.standing {
			// Where the system does not let go of an open directory, it is waited for.
			_ = b.takeAway(t.dir)
			began = time.Now()
		}
		select {
		case <-time.After(lockEvery):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// takeAway ends whatever lock there is in dir. That of a process which does not
// stand still may be hit as well: its write fails, and is tried again.
func (b *Bucket) takeAway(dir string) error {
	gone := filepath.Join(b.temp(), rand.Text())
	if err := os.Rename(dir, gone); err != nil {
		return err
	}
	return os.RemoveAll(gone)
}

// commit renames temp to path, unless the lock was taken away.
func (t *writeLock) commit(temp, path string) error {
	staged := filepath.Join(t.dir, filepath.Base(temp))
	if err := os.Rename(temp, staged); err != nil {
		return overtaken(err)
	}
	// It may lie in the directory of a later lock.
	if !t.current() {
		os.Remove(staged)
		return errOvertaken
	}
	if err := os.Rename(staged, path); err != nil {
		os.Remove(staged)
		return overtaken(err)
	}
	return nil
}

// current reports whether dir is still the one that the lock is in.
func (t *writeLock) current() bool {
	mine, err := t.lock.Stat()
	if err != nil {
		return false
	}
	now, err := os.Stat(filepath.Join(t.dir, lockName))
	return err == nil && os.SameFile(mine, now)
}

// overtaken tells what a lost directory means.
func overtaken(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return errOvertaken
	}
	return err
}

func (t *writeLock) end() {
	t.lock.Close()
	<-t.local
}
