package redisjobs_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"polyid-trainer/jobs"
	"polyid-trainer/jobs/redisjobs"
)

// serve starts a server; stop ends it and returns what Serve did.
func serve(t *testing.T, r redis.UniversalClient, grace time.Duration, handle func(context.Context, jobs.Task) error) (stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	s := &redisjobs.Server{Redis: r, Handler: handle, Grace: grace, Log: quiet, Pools: []redisjobs.Pool{
		{Kinds: []jobs.Kind{jobs.TrainFold}, Concurrency: 1},
		{Kinds: []jobs.Kind{jobs.Prepare, jobs.Finalize, jobs.Notify}, Concurrency: 2},
	}}
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx) }()
	var err error
	stopped := false
	stop = func() error {
		if !stopped {
			stopped = true
			cancel()
			err = receive(t, served, "Serve to return")
		}
		return err
	}
	t.Cleanup(func() { stop() })
	return stop
}

func enqueue(t *testing.T, r redis.UniversalClient, tasks ...jobs.Task) {
	t.Helper()
	for _, task := range tasks {
		if err := redisjobs.NewQueue(r).Enqueue(t.Context(), task); err != nil {
			t.Fatal(err)
		}
	}
}

// A fold that trains for days keeps no short task waiting.
func TestPools(t *testing.T) {
	onEveryRedis(t, func(t *testing.T, r redis.UniversalClient) {
		enqueue(t, r, fold("tj_1", 4), jobs.Task{Kind: jobs.Notify, Job: "tj_1", Attempt: 513})
		training, done, notified := make(chan jobs.Task, 1), make(chan struct{}), make(chan jobs.Task, 1)
		stop := serve(t, r, patience, func(ctx context.Context, task jobs.Task) error {
			if task.Kind == jobs.Notify {
				notified <- task
				return nil
			}
			training <- task
			<-done
			return nil
		})
		if task := receive(t, training, "the fold"); task != fold("tj_1", 4) {
			t.Errorf("got %+v", task)
		}
		if task := receive(t, notified, "the notification"); task.Attempt != 513 || task.Job != "tj_1" {
			t.Errorf("got %+v", task)
		}
		close(done)
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

// What a handler returns decides what becomes of the task, told by the state in
// which the server leaves it.
func TestOutcomes(t *testing.T) {
	for _, test := range []struct {
		name    string
		err     error
		state   asynq.TaskState
		retried int
		delayed bool
	}{
		{name: "nil", err: nil, state: asynq.TaskStateCompleted},
		{name: "lost", err: fmt.Errorf("fold: %w", jobs.ErrLost), state: asynq.TaskStateCompleted},
		{name: "permanent", err: jobs.Permanent(errors.New("a target with 3 values")), state: asynq.TaskStateArchived},
		{name: "retryable", err: errors.New("storage is away"), state: asynq.TaskStateRetry, retried: 1, delayed: true},
		{name: "cancelled within", err: context.Canceled, state: asynq.TaskStateRetry, retried: 1, delayed: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			onEveryRedis(t, func(t *testing.T, r redis.UniversalClient) {
				task := fold("tj_1", 0)
				enqueue(t, r, task)
				handled := make(chan struct{}, 10)
				stop := serve(t, r, patience, func(context.Context, jobs.Task) error {
					handled <- struct{}{}
					return test.err
				})
				receive(t, handled, "the task")
				if err := stop(); err != nil {
					t.Fatal(err)
				}
				info, err := asynq.NewInspectorFromRedisClient(r).GetTaskInfo("fold", task.ID())
				if err != nil {
					t.Fatal(err)
				}
				if info.State != test.state || info.Retried != test.retried {
					t.Errorf("left %s after %d retries", info.State, info.Retried)
				}
				if test.delayed && time.Until(info.NextProcessAt) <= 0 {
					t.Errorf("next at %s", info.NextProcessAt)
				}
			})
		})
	}
}

// Told to stop, a fold checkpoints, which the server waits for, and is left
// to the next worker with no retry spent.
func TestShutdownReleases(t *testing.T) {
	onEveryRedis(t, func(t *testing.T, r redis.UniversalClient) {
		task := fold("tj_1", 0)
		enqueue(t, r, task)
		started, stopping, checkpointed := make(chan struct{}, 1), make(chan struct{}, 1), make(chan struct{})
		stop := serve(t, r, patience, func(ctx context.Context, _ jobs.Task) error {
			started <- struct{}{}
			<-ctx.Done()
			stopping <- struct{}{}
			<-checkpointed
			return fmt.Errorf("train: %w", ctx.Err())
		})
		receive(t, started, "the fold")
		stopped := make(chan error, 1)
		go func() { stopped <- stop() }()
		receive(t, stopping, "the handler's context to end")
		inspector := asynq.NewInspectorFromRedisClient(r)
		if info, err := inspector.GetTaskInfo("fold", task.ID()); err != nil || info.State != asynq.TaskStateActive {
			t.Errorf("while it checkpoints: %+v, %v", info, err)
		}
		close(checkpointed)
		if err := receive(t, stopped, "the server"); err != nil {
			t.Error(err)
		}
		info, err := inspector.GetTaskInfo("fold", task.ID())
		if err != nil || info.Retried != 0 || info.State != asynq.TaskStateRetry || time.Until(info.NextProcessAt) > 0 {
			t.Fatalf("released: %+v, %v", info, err)
		}
		again := make(chan struct{}, 1)
		serve(t, r, patience, func(context.Context, jobs.Task) error { again <- struct{}{}; return nil })
		receive(t, again, "the next worker")
	})
}

func TestShutdownGivesUp(t *testing.T) {
	onEveryRedis(t, func(t *testing.T, r redis.UniversalClient) {
		task := fold("tj_1", 0)
		enqueue(t, r, task)
		started, deaf := make(chan struct{}, 1), make(chan struct{})
		defer close(deaf)
		stop := serve(t, r, 50*time.Millisecond, func(context.Context, jobs.Task) error {
			started <- struct{}{}
			<-deaf
			return nil
		})
		receive(t, started, "the fold")
		if err := stop(); err == nil || !strings.Contains(err.Error(), "still run") {
			t.Errorf("a deaf handler: %v", err)
		}
		info, err := asynq.NewInspectorFromRedisClient(r).GetTaskInfo("fold", task.ID())
		if err != nil || info.State != asynq.TaskStatePending {
			t.Errorf("its task: %+v, %v", info, err)
		}
	})
}

func TestServeRefuses(t *testing.T) {
	r := connect(t, "redis://127.0.0.1:1")
	for _, p := range []redisjobs.Pool{{}, {Kinds: []jobs.Kind{jobs.Predict}}, {Kinds: []jobs.Kind{"nonsense"}, Concurrency: 1}} {
		s := &redisjobs.Server{Redis: r, Pools: []redisjobs.Pool{p}, Log: quiet}
		if err := s.Serve(t.Context()); err == nil {
			t.Errorf("%+v is served", p)
		}
	}
}
