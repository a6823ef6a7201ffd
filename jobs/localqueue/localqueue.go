// Package localqueue is a jobs.Queue inside one process, for what runs without
// Redis. It loses everything with the process: the records know what is to be
// done, and whoever reconciles them enqueues it again.
package localqueue

import (
	"context"
	"errors"
	"log/slog"
	"sync"

	"polyid-trainer/jobs"
)

// Queue holds tasks until Run works them off, in order. It is safe for
// concurrent use.
type Queue struct {
	handle func(context.Context, jobs.Task) error
	log    *slog.Logger

	mu    sync.Mutex
	known map[string]bool // by ID: waiting, or worked on
	tasks []jobs.Task     // waiting
	more  chan struct{}   // holds one while tasks may be waiting
}

var _ jobs.Queue = (*Queue)(nil)

// New makes a queue whose tasks handle works on. A task that fails is logged and
// forgotten: enqueued again, it is tried again.
func New(handle func(context.Context, jobs.Task) error, log *slog.Logger) *Queue {
	return &Queue{handle: handle, log: log, known: map[string]bool{}, more: make(chan struct{}, 1)}
}

// Ready reports nothing: the queue is here.
func (q *Queue) Ready(context.Context) error { return nil }

// Enqueue adds t unless a task of its ID waits or is worked on.
func (q *Queue) Enqueue(_ context.Context, t jobs.Task) error {
	q.mu.Lock()
	if !q.known[t.ID()] {
		q.known[t.ID()] = true
		q.tasks = append(q.tasks, t)
	}
	q.mu.Unlock()
	q.wake()
	return nil
}

func (q *Queue) wake() {
	select {
	case q.more <- struct{}{}:
	default:
	}
}

// Run works off the queue, so many tasks at a time, until ctx ends and the
// handlers, whose context that is, have returned.
func (q *Queue) Run(ctx context.Context, concurrency int) {
	var workers sync.WaitGroup
	for range concurrency {
		workers.Go(func() {
			for {
				select {
				case <-ctx.Done():
					return
				case <-q.more:
				}
				for t, ok := q.next(); ok && ctx.Err() == nil; t, ok = q.next() {
					q.work(ctx, t)
				}
			}
		})
	}
	workers.Wait()
}

// next takes a task off the queue; while there are others, another worker is to
// look too.
func (q *Queue) next() (t jobs.Task, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.tasks) == 0 {
		return t, false
	}
	t, q.tasks = q.tasks[0], q.tasks[1:]
	if len(q.tasks) > 0 {
		q.wake()
	}
	return t, true
}

func (q *Queue) work(ctx context.Context, t jobs.Task) {
	err := q.handle(ctx, t)
	q.mu.Lock()
	delete(q.known, t.ID())
	q.mu.Unlock()
	if err != nil && ctx.Err() == nil && !errors.Is(err, jobs.ErrLost) {
		q.log.Warn("task failed", "task", t.ID(), "job", t.Job, "error", err)
	}
}
