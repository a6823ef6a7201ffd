package file

import (
	"context"
	"time"
)

// ErrLockLost is the error of a holder whose lock was broken.
var ErrLockLost = errLockLost

// SetStoppedAfter sets how long another process may hold a lock.
func (b *Bucket) SetStoppedAfter(d time.Duration) { b.stoppedAfter = d }

// Lock acquires the lock of key's shard.
func (b *Bucket) Lock(ctx context.Context, key string) (*lock, error) { return b.lock(ctx, key) }

// Dir is the directory of the lock.
func (l *lock) Dir() string { return l.dir }

// Commit renames temp to path under the lock.
func (l *lock) Commit(temp, path string) error { return l.commit(temp, path) }

// Release releases the lock.
func (l *lock) Release() { l.release() }
