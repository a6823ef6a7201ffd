package localqueue_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"

	"polyid-trainer/jobs"
	"polyid-trainer/jobs/localqueue"
)

func task(n int) jobs.Task { return jobs.Task{Kind: jobs.Predict, Job: fmt.Sprintf("pj_%d", n)} }

// Each task is worked on once, so many at a time, also when it failed before.
func TestQueue(t *testing.T) {
	const tasks, concurrency = 100, 3
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		var mu sync.Mutex
		times := map[string]int{}
		busy, most := 0, 0
		release := make(chan struct{})
		q := localqueue.New(func(_ context.Context, task jobs.Task) error {
			mu.Lock()
			times[task.Job]++
			busy++
			most = max(most, busy)
			mu.Unlock()
			<-release
			mu.Lock()
			busy--
			mu.Unlock()
			return errors.New("broken")
		}, slog.New(slog.DiscardHandler))
		enqueue := func(n int) {
			if err := q.Enqueue(ctx, task(n)); err != nil {
				t.Error(err)
			}
		}
		for i := range tasks / 2 { // before anyone works
			enqueue(i)
		}
		var running sync.WaitGroup
		running.Go(func() { q.Run(ctx, concurrency) })
		synctest.Wait()
		for i := range tasks { // half of them once more
			enqueue(i)
		}
		if busy != concurrency {
			t.Errorf("%d at work, want %d", busy, concurrency)
		}
		for range tasks {
			release <- struct{}{}
		}
		synctest.Wait()
		if len(times) != tasks || most != concurrency {
			t.Errorf("%d tasks done, at most %d at a time", len(times), most)
		}
		for job, n := range times {
			if n != 1 {
				t.Errorf("%s was worked on %d times", job, n)
			}
		}
		enqueue(0) // it failed
		release <- struct{}{}
		synctest.Wait()
		if times["pj_0"] != 2 {
			t.Error("a task that failed was not taken again")
		}
		stop()
		running.Wait()
	})
}

// Told to stop, it waits for its handlers and begins no more.
func TestStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		var begun, ended int
		q := localqueue.New(func(ctx context.Context, _ jobs.Task) error {
			begun++
			<-ctx.Done()
			ended++
			return ctx.Err()
		}, slog.New(slog.DiscardHandler))
		for i := range 3 {
			if err := q.Enqueue(ctx, task(i)); err != nil {
				t.Error(err)
			}
		}
		done := make(chan struct{})
		go func() { q.Run(ctx, 1); close(done) }()
		synctest.Wait()
		stop()
		<-done
		if begun != 1 || ended != 1 {
			t.Errorf("%d begun, %d ended", begun, ended)
		}
	})
}
