package redisjobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"polyid-trainer/jobs"
)

// Fleet is who is alive. All of it may be lost: every worker tells of itself
// again within WorkerEvery.
type Fleet struct{ Redis redis.UniversalClient }

const (
	// WorkerEvery is how often a worker tells of itself.
	WorkerEvery = 5 * time.Second
	// workerSilent is how long it may be unheard of before it counts as dead.
	workerSilent = 4 * WorkerEvery
)

// The {workers} tag keeps both keys in one slot.
const (
	workersKey = prefix + "{workers}:told"  // hash: what each told, by name
	heardKey   = prefix + "{workers}:heard" // sorted set: when, in milliseconds
)

var tellScript = redis.NewScript(`
local time = redis.call('TIME')
redis.call('ZADD', KEYS[2], tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000), ARGV[1])
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
return 1`)

// Tell tells of a worker.
func (f Fleet) Tell(ctx context.Context, w jobs.Worker) error {
	w.Heard = time.Time{}
	raw, err := json.Marshal(w)
	if err != nil {
		return fmt.Errorf("tell of a worker: %w", err)
	}
	if err := tellScript.Run(ctx, f.Redis, []string{workersKey, heardKey}, w.Name, raw).Err(); err != nil {
		return fmt.Errorf("tell of a worker: %w", err)
	}
	return nil
}

// Leave forgets a worker that ends.
func (f Fleet) Leave(ctx context.Context, name string) error {
	_, err := f.Redis.TxPipelined(ctx, func(p redis.Pipeliner) error {
		p.ZRem(ctx, heardKey, name)
		p.HDel(ctx, workersKey, name)
		return nil
	})
	if err != nil {
		return fmt.Errorf("forget a worker: %w", err)
	}
	return nil
}

// aliveScript lists who was heard of lately, and forgets the others: pairs of when
// and what it told.
var aliveScript = redis.NewScript(`
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
for _, name in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now - ARGV[1])) do
	redis.call('ZREM', KEYS[2], name)
	redis.call('HDEL', KEYS[1], name)
end
local alive = {}
for _, name in ipairs(redis.call('ZRANGE', KEYS[2], 0, -1)) do
	local told = redis.call('HGET', KEYS[1], name)
	if told then
		table.insert(alive, redis.call('ZSCORE', KEYS[2], name))
		table.insert(alive, told)
	end
end
return alive`)

// Workers lists who is alive, by name.
func (f Fleet) Workers(ctx context.Context) ([]jobs.Worker, error) {
	pairs, err := aliveScript.Run(ctx, f.Redis, []string{workersKey, heardKey}, workerSilent.Milliseconds()).StringSlice()
	if err != nil && !errors.Is(err, redis.Nil) {
		return nil, fmt.Errorf("list workers: %w", err)
	}
	workers := make([]jobs.Worker, 0, len(pairs)/2)
	for i := 0; i+1 < len(pairs); i += 2 {
		var w jobs.Worker
		var ms float64
		if err := errors.Join(json.Unmarshal([]byte(pairs[i+1]), &w), json.Unmarshal([]byte(pairs[i]), &ms)); err != nil {
			return nil, fmt.Errorf("list workers: %w", err)
		}
		w.Heard = time.UnixMilli(int64(ms)).UTC()
		workers = append(workers, w)
	}
	slices.SortFunc(workers, func(a, b jobs.Worker) int { return strings.Compare(a.Name, b.Name) })
	return workers, nil
}
