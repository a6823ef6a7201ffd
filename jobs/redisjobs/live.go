package redisjobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"polyid-trainer/jobs"
)

// Live carries what a running fold tells, and is told, between checkpoints. All
// of it may be lost: progress is in the next checkpoint, and what a job is to do
// in its record, which a fold reads at every checkpoint.
type Live struct{ Redis redis.UniversalClient }

const (
	progressTTL = 10 * time.Minute // outlives a worker's death and the fold's resumption
	controlTTL  = time.Hour        // by then every fold has checkpointed, and read the record
)

// Control is what a job's folds are to do.
type Control = jobs.Control

// The control words.
const (
	Continue = jobs.Continue
	Pause    = jobs.Pause
	Cancel   = jobs.Cancel
)

// Update is one message of a job's subscription.
type Update = jobs.Update

// Heartbeat stores and publishes a fold's progress and returns what the fold is to
// do, all in one round trip. Progress is any JSON.
func (l Live) Heartbeat(ctx context.Context, job string, fold int, progress json.RawMessage) (Control, error) {
	update, err := json.Marshal(Update{Fold: fold, Progress: progress})
	if err != nil {
		return Continue, fmt.Errorf("heartbeat of fold %d of %s: %w", fold, job, err)
	}
	var control *redis.StringCmd
	_, err = l.Redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		p.Set(ctx, progressKey(job, fold), []byte(progress), progressTTL)
		p.Publish(ctx, updatesChannel(job), update)
		control = p.Get(ctx, controlKey(job))
		return nil
	})
	if err != nil && !errors.Is(err, redis.Nil) {
		return Continue, fmt.Errorf("heartbeat of fold %d of %s: %w", fold, job, err)
	}
	return Control(control.Val()), nil
}

// Progress returns the newest progress of each of a job's folds, nil where none
// is known.
func (l Live) Progress(ctx context.Context, job string, folds int) ([]json.RawMessage, error) {
	progress := make([]json.RawMessage, folds)
	if folds == 0 {
		return progress, nil
	}
	keys := make([]string, folds)
	for i := range keys {
		keys[i] = progressKey(job, i)
	}
	values, err := l.Redis.MGet(ctx, keys...).Result()
	if err != nil {
		return nil, fmt.Errorf("progress of %s: %w", job, err)
	}
	for i, v := range values {
		if s, ok := v.(string); ok {
			progress[i] = json.RawMessage(s)
		}
	}
	return progress, nil
}

// Tell tells the job's folds what to do at their next heartbeat, and whoever watches
// that the record has changed. It follows the record, never leads.
func (l Live) Tell(ctx context.Context, job string, c Control) error {
	_, err := l.Redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		if c == Continue {
			p.Del(ctx, controlKey(job))
		} else {
			p.Set(ctx, controlKey(job), string(c), controlTTL)
		}
		p.Publish(ctx, updatesChannel(job), changed)
		return nil
	})
	if err != nil {
		return fmt.Errorf("tell %s to %s: %w", job, orContinue(c), err)
	}
	return nil
}

// Changed wakes up whoever watches the job, or the prediction, to read its
// record.
func (l Live) Changed(ctx context.Context, job string) error {
	if err := l.Redis.Publish(ctx, updatesChannel(job), changed).Err(); err != nil {
		return fmt.Errorf("wake up the watchers of %s: %w", job, err)
	}
	return nil
}

// Subscribe delivers a job's updates until ctx ends, and then closes the
// channel. Whenever updates may have been missed, at the beginning and after
// Redis was away, it delivers one that says Changed. Updates of a reader that is
// slow for a minute are dropped.
func (l Live) Subscribe(ctx context.Context, job string) <-chan Update {
	updates := make(chan Update)
	pubsub := l.Redis.Subscribe(ctx, updatesChannel(job))
	messages := pubsub.ChannelWithSubscriptions()
	go func() {
		defer close(updates)
		defer pubsub.Close()
		for {
			var u Update
			select {
			case <-ctx.Done():
				return
			case m, open := <-messages:
				if !open {
					return
				}
				u = updateOf(m)
			}
			select {
			case <-ctx.Done():
				return
			case updates <- u:
			}
		}
	}()
	return updates
}

// changed is the message that wakes up watchers.
const changed = `{"changed":true}`

// updateOf reads what a subscription received: a message, or the news that it
// is subscribed, for the first time or again. What cannot be read, perhaps of
// another version, is taken for a wake-up.
func updateOf(received any) Update {
	var u Update
	m, ok := received.(*redis.Message)
	if !ok || json.Unmarshal([]byte(m.Payload), &u) != nil {
		return Update{Changed: true}
	}
	return u
}

func orContinue(c Control) string {
	if c == Continue {
		return "continue"
	}
	return string(c)
}
