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
	retryEvery = time.Millisecond // between attempts at a lock that another process holds: it does so for microseconds
	// stoppedAfter is how long another process may hold a lock before it counts
	// as stopped.
	stoppedAfter = 3 * time.Second
	lockName     = "lock"
)

// errLockLost means that another process broke the lock. Nothing was committed;
// another attempt may succeed.
var errLockLost = errors.New("this process was stopped while it held a lock, and another process broke the lock")

// lock excludes all other writers of a shard's keys, in this process and in
// others. It is an operating-system lock on a file, which the system releases
// when a process dies. The file lies in a directory that other processes remove
// when the holder is stopped: every commit passes through that directory, so a
// process that wakes up later commits nothing.
type lock struct {
	dir   string
	flock *flock.Flock
	local chan struct{} // holds a token while a goroutine of this process has the lock
}

// lock acquires the lock of key's shard, and waits for it until ctx ends.
func (b *Bucket) lock(ctx context.Context, key string) (*lock, error) {
	h := fnv.New32a()
	io.WriteString(h, key)
	i := h.Sum32() % shards
	l := &lock{dir: filepath.Join(b.locks(), fmt.Sprintf("%02d", i)), local: b.local[i]}
	select {
	case l.local <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if err := b.lockFile(ctx, l); err != nil {
		<-l.local
		return nil, err
	}
	return l, nil
}

// lockFile acquires the lock among processes.
func (b *Bucket) lockFile(ctx context.Context, l *lock) error {
	l.flock = flock.New(filepath.Join(l.dir, lockName))
	for began := time.Now(); ; {
		ok, err := l.flock.TryLock()
		switch {
		case ok:
			return nil
		case errors.Is(err, fs.ErrNotExist): // never locked yet, or the lock was broken
			if err := os.MkdirAll(l.dir, 0o755); err != nil {
				return err
			}
			continue
		case err != nil:
			return err
		}
		if time.Since(began) > b.stoppedAfter {
			// A system that does not rename open directories leaves only waiting.
			_ = b.breakLock(l.dir)
			began = time.Now()
		}
		select {
		case <-time.After(retryEvery):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// breakLock removes a lock's directory, whoever holds it. A holder that is not
// stopped after all gets errLockLost and tries again.
func (b *Bucket) breakLock(dir string) error {
	gone := filepath.Join(b.temp(), rand.Text())
	if err := os.Rename(dir, gone); err != nil {
		return err
	}
	return os.RemoveAll(gone)
}

// commit renames temp to path, unless the lock was broken.
func (l *lock) commit(temp, path string) error {
	staged := filepath.Join(l.dir, filepath.Base(temp))
	if err := os.Rename(temp, staged); err != nil {
		return lost(err)
	}
	// The directory may be that of a later lock.
	if !l.held() {
		os.Remove(staged)
		return errLockLost
	}
	if err := os.Rename(staged, path); err != nil {
		os.Remove(staged)
		return lost(err)
	}
	return nil
}

// held reports whether the lock's file is still the one in its directory.
func (l *lock) held() bool {
	mine, err := l.flock.Stat()
	if err != nil {
		return false
	}
	now, err := os.Stat(filepath.Join(l.dir, lockName))
	return err == nil && os.SameFile(mine, now)
}

// lost translates the error of a missing directory.
func lost(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return errLockLost
	}
	return err
}

func (l *lock) release() {
	l.flock.Close()
	<-l.local
}
