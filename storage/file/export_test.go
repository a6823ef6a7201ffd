package file

import (
	"context"
	"time"
)

// ErrOvertaken is of a lock that was taken away.
var ErrOvertaken = errOvertaken

// SetStanding sets how long another process may hold a lock.
func (b *Bucket) SetStanding(d time.Duration) { b.standing = d }

// Lock waits for the lock of key's shard.
func (b *Bucket) Lock(ctx context.Context, key string) (*writeLock, error) { return b.lock(ctx, key) }

// Dir is the directory of the lock.
func (t *writeLock) Dir() string { return t.dir }

// Commit is commit.
func (t *writeLock) Commit(temp, path string) error { return t.commit(temp, path) }

// End is end.
func (t *writeLock) End() { t.end() }
