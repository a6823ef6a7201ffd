package file

import (
	"context"
	"time"
)

// ErrOvertaken is of a turn that was taken away.
var ErrOvertaken = errOvertaken

// SetStanding sets how long another process may have a turn.
func (b *Bucket) SetStanding(d time.Duration) { b.standing = d }

// Turn waits for a turn on key's shard.
func (b *Bucket) Turn(ctx context.Context, key string) (*turn, error) { return b.turn(ctx, key) }

// Dir is the directory of the turn.
func (t *turn) Dir() string { return t.dir }

// Commit is commit.
func (t *turn) Commit(temp, path string) error { return t.commit(temp, path) }

// End is end.
func (t *turn) End() { t.end() }
