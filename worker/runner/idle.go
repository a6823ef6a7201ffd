package runner

import (
	"context"
	"sync"
	"time"

	"polyid-trainer/jobs"
)

// idle knows since when a worker has had nothing to do.
type idle struct {
	mu    sync.Mutex
	tasks int
	since time.Time
}

func newIdle(now time.Time) *idle { return &idle{since: now} }

// count makes a handler's tasks known.
func (i *idle) count(handle func(context.Context, jobs.Task) error) func(context.Context, jobs.Task) error {
	add := func(n int) {
		i.mu.Lock()
		defer i.mu.Unlock()
		i.tasks += n
		i.since = time.Now()
	}
	return func(ctx context.Context, t jobs.Task) error {
		add(1)
		defer add(-1)
		return handle(ctx, t)
	}
}

// left is how much longer there must be nothing to do, at least.
func (i *idle) left(now time.Time, limit time.Duration) time.Duration {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.tasks > 0 {
		return limit
	}
	return limit - now.Sub(i.since)
}

// watch calls exit once there was nothing to do for so long.
func (i *idle) watch(ctx context.Context, limit time.Duration, exit func()) {
	for {
		left := i.left(time.Now(), limit)
		if left <= 0 {
			exit()
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(left):
		}
	}
}
