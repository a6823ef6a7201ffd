package train

import (
	"context"
	"time"
)

// Timed is a Checkpointer that saves once Every has gone by since the last save
// ended, or since the first question.
type Timed struct {
	Every time.Duration
	Now   func() time.Time // nil is time.Now
	Write func(context.Context, *Snapshot) error

	next time.Time
}

var _ Checkpointer = (*Timed)(nil)

// Due implements Checkpointer.
func (t *Timed) Due() bool {
	if t.next.IsZero() {
		t.restart()
	}
	return !t.now().Before(t.next)
}

// Save implements Checkpointer.
func (t *Timed) Save(ctx context.Context, s *Snapshot) error {
	defer t.restart()
	return t.Write(ctx, s)
}

func (t *Timed) restart() { t.next = t.now().Add(t.Every) }

func (t *Timed) now() time.Time {
	if t.Now == nil {
		return time.Now()
	}
	return t.Now()
}
