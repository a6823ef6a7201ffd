package redisjobs

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"polyid-trainer/jobs"
)

// Queue is a jobs.Queue on asynq. It is safe for concurrent use.
type Queue struct {
	redis     redis.UniversalClient
	inspector *asynq.Inspector
}

var _ jobs.Queue = (*Queue)(nil)

// NewQueue makes a queue on r, which stays the caller's to close.
func NewQueue(r redis.UniversalClient) *Queue {
	return &Queue{redis: r, inspector: asynq.NewInspectorFromRedisClient(r)}
}

// patience is how long Ready waits for Redis.
const patience = 2 * time.Second

// Ready reports, as an error of code Unavailable, that Redis cannot be reached.
func (q *Queue) Ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := q.redis.Ping(ctx).Err(); err != nil {
		return &jobs.Error{Code: jobs.Unavailable, Detail: "the queue cannot be reached, so nothing was taken on: try again", Err: fmt.Errorf("ping: %w", err)}
	}
	return nil
}

// Enqueue adds t, or does nothing while a task of its ID waits or is worked on.
// One that is done or archived gives way: whoever enqueues again has found a
// record that still needs the work. One whose worker Redis has not heard of for
// longer than its lease gets a second beside it, since asynq itself may take two
// minutes to see that. An error is of code Unavailable unless t is no task at
// all.
//
// A fold waits until a worker takes it, which may be at another task's call: see
// the package's documentation.
func (q *Queue) Enqueue(ctx context.Context, t jobs.Task) error {
	if dealt(t.Kind) {
		missing, err := dealerOf(q.redis, t.Kind, "").add(ctx, t)
		if err != nil || missing <= 0 {
			return unavailable(t, err)
		}
	}
	return q.push(ctx, t)
}

// push adds t to the queue of its kind.
func (q *Queue) push(ctx context.Context, t jobs.Task) error {
	task, opts, err := encode(t)
	if err != nil {
		return fmt.Errorf("enqueue %s: %w", t.ID(), err)
	}
	// A client notes which queues it has announced and never does it again;
	// after FLUSHALL nobody would find them. A new one costs a round trip.
	client := asynq.NewClientFromRedisClient(q.redis)
	_, err = client.EnqueueContext(ctx, task, opts...)
	if !errors.Is(err, asynq.ErrTaskIDConflict) {
		return unavailable(t, err)
	}
	given, err := q.giveWay(t)
	if err == nil && !given && dealt(t.Kind) {
		given = true // some fold runs at its call
		opts = append(opts, asynq.TaskID(t.ID()+":"+rand.Text()))
	}
	if err == nil && !given {
		given, err = q.lost(ctx, t)
		opts = append(opts, asynq.TaskID(t.ID()+":again")) // the last one counts
	}
	if err != nil || !given {
		return unavailable(t, err)
	}
	_, err = client.EnqueueContext(ctx, task, opts...)
	if errors.Is(err, asynq.ErrTaskIDConflict) {
		return nil // another process was quicker
	}
	return unavailable(t, err)
}

// giveWay removes the task of t's ID if it is over, and reports whether the ID
// is free now.
func (q *Queue) giveWay(t jobs.Task) (bool, error) {
	info, err := q.inspector.GetTaskInfo(queueOf(t.Kind), t.ID())
	if errors.Is(err, asynq.ErrTaskNotFound) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	if info.State != asynq.TaskStateArchived && info.State != asynq.TaskStateCompleted {
		return false, nil
	}
	err = q.inspector.DeleteTask(queueOf(t.Kind), t.ID())
	if errors.Is(err, asynq.ErrTaskNotFound) {
		err = nil
	}
	return err == nil, err
}

// lost reports whether the task of t's ID is active and its worker's lease over.
func (q *Queue) lost(ctx context.Context, t jobs.Task) (bool, error) {
	until, err := q.redis.ZScore(ctx, leaseKey(queueOf(t.Kind)), t.ID()).Result()
	if errors.Is(err, redis.Nil) {
		return false, nil // not active
	}
	return err == nil && int64(until) < time.Now().Unix(), err
}

// lostAfter is how long a lease must be over before its task is cleared. Servers
// extend it every few seconds.
const lostAfter = 10 * time.Second

// clearScript removes an active task if its lease still ended before a time.
var clearScript = redis.NewScript(`
local until_ = redis.call('ZSCORE', KEYS[1], ARGV[1])
if not until_ or tonumber(until_) >= tonumber(ARGV[2]) then return 0 end
redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('LREM', KEYS[2], 0, ARGV[1])
redis.call('DEL', KEYS[3])
return 1`)

// ClearLost removes the tasks that dead workers leave among the active ones, which
// the dashboard shows for minutes otherwise. What of their work is still needed
// the records tell, and the reconciler enqueues it.
func (q *Queue) ClearLost(ctx context.Context) error {
	before := strconv.FormatInt(time.Now().Add(-lostAfter).Unix(), 10)
	for kind := range kinds {
		name := queueOf(kind)
		lost, err := q.redis.ZRangeByScore(ctx, leaseKey(name), &redis.ZRangeBy{Min: "-inf", Max: "(" + before}).Result()
		if err != nil {
			return unavailable(jobs.Task{Kind: kind}, err)
		}
		for _, id := range lost {
			keys := []string{leaseKey(name), activeKey(name), taskKey(name, id)}
			if err := clearScript.Run(ctx, q.redis, keys, id, before).Err(); err != nil {
				return unavailable(jobs.Task{Kind: kind}, err)
			}
		}
	}
	return nil
}

// Depth counts the tasks of each kind that wait to be worked on: pending,
// scheduled or to be retried. A kind that was never enqueued has none.
func (q *Queue) Depth() (map[jobs.Kind]int, error) {
	depth := make(map[jobs.Kind]int, len(kinds))
	known, err := q.inspector.Queues()
	if err != nil {
		return nil, fmt.Errorf("queue depth: %w", err)
	}
	for _, name := range known {
		if _, ok := kinds[jobs.Kind(name)]; !ok {
			continue
		}
		info, err := q.inspector.GetQueueInfo(name)
		if err != nil {
			return nil, fmt.Errorf("queue depth: %w", err)
		}
		depth[jobs.Kind(name)] = info.Pending + info.Scheduled + info.Retry
	}
	return depth, nil
}

func unavailable(t jobs.Task, err error) error {
	if err == nil {
		return nil
	}
	return &jobs.Error{Code: jobs.Unavailable, Detail: "the queue cannot be reached: try again", Err: fmt.Errorf("enqueue %s: %w", t.ID(), err)}
}
