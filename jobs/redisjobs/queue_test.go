package redisjobs_test

import (
	"context"
	"errors"
	"testing"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"polyid-trainer/jobs"
	"polyid-trainer/jobs/redisjobs"
)

func fold(job string, index int) jobs.Task {
	return jobs.Task{Kind: jobs.TrainFold, Job: job, Fold: index}
}

func TestEnqueueOnce(t *testing.T) {
	onEveryRedis(t, func(t *testing.T, r redis.UniversalClient) {
		q, inspector := redisjobs.NewQueue(r), asynq.NewInspectorFromRedisClient(r)
		task := fold("tj_1", 3)
		for range 3 {
			if err := q.Enqueue(t.Context(), task); err != nil {
				t.Fatal(err)
			}
		}
		pending, err := inspector.ListPendingTasks("fold")
		if err != nil || len(pending) != 1 {
			t.Fatalf("pending: %v, %v", pending, err)
		}
		if p := pending[0]; p.ID != task.ID() || string(p.Payload) != `{"job":"tj_1","fold":3}` || p.Timeout.Hours() < 1000 {
			t.Errorf("task %+v with payload %s", p, p.Payload)
		}
		depth, err := q.Depth()
		if err != nil || depth[jobs.TrainFold] != 1 || depth[jobs.Predict] != 0 {
			t.Errorf("depth %v, %v", depth, err)
		}
	})
}

func TestEnqueueRevives(t *testing.T) {
	onEveryRedis(t, func(t *testing.T, r redis.UniversalClient) {
		q, inspector := redisjobs.NewQueue(r), asynq.NewInspectorFromRedisClient(r)
		task := fold("tj_1", 0)
		enqueue := func() {
			t.Helper()
			if err := q.Enqueue(t.Context(), task); err != nil {
				t.Fatal(err)
			}
			info, err := inspector.GetTaskInfo("fold", task.ID())
			if err != nil || info.State != asynq.TaskStatePending {
				t.Fatalf("after enqueuing: %+v, %v", info, err)
			}
		}
		enqueue()
		if err := inspector.ArchiveTask("fold", task.ID()); err != nil {
			t.Fatal(err)
		}
		enqueue()
		// FLUSHALL takes the names of the queues too.
		if err := r.FlushAll(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
		enqueue()
		enqueue()
	})
}

func TestEnqueueFails(t *testing.T) {
	r := connect(t, "redis://127.0.0.1:1?max_retries=-1")
	if err := redisjobs.NewQueue(r).Enqueue(t.Context(), fold("tj_1", 0)); jobs.ErrorCode(err) != jobs.Unavailable {
		t.Errorf("without Redis: %v", err)
	}
	if err := redisjobs.NewQueue(r).Enqueue(t.Context(), jobs.Task{Kind: "nonsense"}); err == nil || jobs.ErrorCode(err) != "" {
		t.Errorf("no kind: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := redisjobs.NewQueue(r).Enqueue(ctx, fold("tj_1", 0)); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// The task of a worker that is dead does not stay among those that are worked on.
func TestClearLost(t *testing.T) {
	onEveryRedis(t, func(t *testing.T, r redis.UniversalClient) {
		q := redisjobs.NewQueue(r)
		started, release := make(chan struct{}, 2), make(chan struct{})
		defer close(release)
		enqueue(t, r, fold("tj_1", 0), jobs.Task{Kind: jobs.Prepare, Job: "tj_2"})
		serve(t, r, patience, func(context.Context, jobs.Task) error {
			started <- struct{}{}
			<-release
			return nil
		})
		receive(t, started, "a task")
		receive(t, started, "the other task")
		if err := r.ZAdd(t.Context(), "asynq:{fold}:lease", redis.Z{Score: 1, Member: fold("tj_1", 0).ID()}).Err(); err != nil {
			t.Fatal(err)
		}
		if err := q.ClearLost(t.Context()); err != nil {
			t.Fatal(err)
		}
		inspector := asynq.NewInspectorFromRedisClient(r)
		for kind, want := range map[jobs.Kind]int{jobs.TrainFold: 0, jobs.Prepare: 1} {
			active, err := inspector.ListActiveTasks(string(kind))
			if err != nil || len(active) != want {
				t.Errorf("%d active tasks of kind %s, want %d, %v", len(active), kind, want, err)
			}
		}
		// What is still needed may be enqueued again.
		enqueue(t, r, fold("tj_1", 0))
		if n, err := q.Depth(); err != nil || n[jobs.TrainFold] > 1 {
			t.Errorf("%v tasks wait, %v", n, err)
		}
	})
}

// A task whose worker has not been heard of for longer than its lease does not
// keep another one from doing the work.
func TestEnqueueBesideTheLost(t *testing.T) {
	onEveryRedis(t, func(t *testing.T, r redis.UniversalClient) {
		task := fold("tj_1", 0)
		enqueue(t, r, task)
		started, release := make(chan struct{}, 2), make(chan struct{})
		defer close(release)
		serve(t, r, patience, func(context.Context, jobs.Task) error {
			started <- struct{}{}
			<-release
			return nil
		})
		receive(t, started, "the task")
		depth := func() int {
			t.Helper()
			n, err := redisjobs.NewQueue(r).Depth()
			if err != nil {
				t.Fatal(err)
			}
			return n[jobs.TrainFold]
		}
		if enqueue(t, r, task); depth() != 0 {
			t.Fatal("a task that is worked on was enqueued again")
		}
		// As if the worker had been silent for long.
		if err := r.ZAdd(t.Context(), "polyid:{fold}:running:", redis.Z{Score: 1, Member: task.ID()}).Err(); err != nil {
			t.Fatal(err)
		}
		enqueue(t, r, task)
		if err := r.ZAdd(t.Context(), "asynq:{fold}:lease", redis.Z{Score: 1, Member: task.ID()}).Err(); err != nil {
			t.Fatal(err)
		}
		enqueue(t, r, task)
		// asynq may have found the lost one by itself: then that is to be retried.
		waiting, err := asynq.NewInspectorFromRedisClient(r).ListPendingTasks(string(jobs.TrainFold))
		if err != nil {
			t.Fatal(err)
		}
		if len(waiting) != 1 || waiting[0].ID == task.ID() {
			t.Errorf("%d tasks wait beside the lost one, want one", len(waiting))
		}
	})
}
