package redisjobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"polyid-trainer/jobs"
	"polyid-trainer/jobs/fairshare"
)

// dealer keeps which tasks of one queue wait for a slot and which run, by token, so
// that whoever has a slot free can ask which is next. Everything it keeps is in Redis and
// may be lost: the reconciler says again what waits, heartbeats what runs, and
// without a past all tokens are level.
//
//	waiting:<token>     sorted set: ids of tasks by their place
//	items               hash: each of these, as JSON
//	running:<token>     sorted set: ids of tasks by when they were last heard of
//	runs                hash: each of these, as JSON
//	tokens              set: tokens with either, or a little more
//	known               set: those that were taken into account before
//	served:<minute>     hash: worker-seconds by token
//	limits, weights     hash: what each token may use; "*" is all others
//
// All keys lie in the slot of the queue that wakes up workers, whose length the
// scripts compare with what waits.
type dealer struct {
	redis  redis.UniversalClient
	queue  string // of the tasks that wake up workers
	worker string // who takes
}

const (
	// silent is how long a fold that runs may be unheard of before it no longer
	// counts; heardEvery is how often it is heard of.
	silent     = 15 * time.Second
	heardEvery = 2 * time.Second
)

func dealerPrefix(queue string) string { return prefix + "{" + queue + "}:" }

// dealt reports whether tasks of a kind wait with a dealer: preparations, folds, and
// the blocks of screenings. Each kind has slots of its own on a worker, which tokens
// share by themselves.
func dealt(k jobs.Kind) bool {
	return k == jobs.Prepare || k == jobs.TrainFold || k == jobs.Screen
}

// dealerOf is the dealer of the tasks of a kind.
func dealerOf(r redis.UniversalClient, k jobs.Kind, worker string) *dealer {
	return &dealer{redis: r, queue: queueOf(k), worker: worker}
}

// item is a piece of work that waits.
type item struct {
	Kind    jobs.Kind `json:"kind"`
	Job     string    `json:"job"`
	Fold    int       `json:"fold"`
	Attempt int       `json:"attempt"`
	Owner   string    `json:"owner"`
	Place   float64   `json:"place"`
	Since   int64     `json:"since"` // in milliseconds by Redis's clock, as all times here
}

func (i *item) task() jobs.Task {
	return jobs.Task{Kind: i.Kind, Job: i.Job, Fold: i.Fold, Attempt: i.Attempt, Owner: i.Owner, Place: i.Place}
}

// run is one that runs.
type run struct {
	item
	Worker string `json:"worker"`
	Began  int64  `json:"began"`
}

// common begins the scripts.
const common = `
local p, queue = KEYS[1], KEYS[2]
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local minute = math.floor(tonumber(time[1]) / 60)
local silent = tonumber(ARGV[1])

-- what a token may use, or all others may
local function stated(what, token)
	local v = redis.call('HGET', p .. what, token) or redis.call('HGET', p .. what, '*')
	return tonumber(v or 0)
end

-- how many of a token's run
local function running(token)
	return redis.call('ZCOUNT', p .. 'running:' .. token, '(' .. (now - silent), '+inf')
end

-- how many tasks are missing that wake up workers for what may run
local function missing()
	local may = redis.call('HLEN', p .. 'items')
	local there = redis.call('LLEN', queue .. 'pending') + redis.call('ZCARD', queue .. 'scheduled') + redis.call('ZCARD', queue .. 'retry')
	if may <= there or redis.call('EXISTS', p .. 'limits') == 0 then return may - there end
	may = 0
	for _, token in ipairs(redis.call('SMEMBERS', p .. 'tokens')) do
		local n = redis.call('ZCARD', p .. 'waiting:' .. token)
		local limit = stated('limits', token)
		if n > 0 and limit > 0 then n = math.min(n, math.max(0, limit - running(token))) end
		may = may + n
	end
	return may - there
end

local function wait(token, id, place, item)
	redis.call('ZADD', p .. 'waiting:' .. token, place, id)
	redis.call('HSETNX', p .. 'items', id, item)
	redis.call('SADD', p .. 'tokens', token)
end

local function charge(token, seconds)
	if tonumber(seconds) <= 0 then return end
	redis.call('HINCRBYFLOAT', p .. 'served:' .. minute, token, seconds)
	redis.call('EXPIRE', p .. 'served:' .. minute, 3720)
end
`

var (
	// addScript lets a task wait, unless a worker has it: id, token, place, item
	// without since. It returns how many tasks are missing in the queue.
	addScript = redis.NewScript(common + `
local id, token, place, item = ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local heard = redis.call('ZSCORE', p .. 'running:' .. token, id)
if heard and tonumber(heard) > now - silent then return 0 end
wait(token, id, place, (item:gsub('"since":0', '"since":' .. string.format('%d', now), 1)))
return missing()`)

	// lookScript tells of all tokens, and forgets those with nothing to do and the
	// runs that are silent: now, and for each token its name, how many wait, its
	// limit, its weight, whether it is known, its runs; and for each minute the
	// worker-seconds by token.
	lookScript = redis.NewScript(common + `
local tokens = {}
for _, token in ipairs(redis.call('SMEMBERS', p .. 'tokens')) do
	local key = p .. 'running:' .. token
	for _, id in ipairs(redis.call('ZRANGEBYSCORE', key, '-inf', now - silent)) do
		redis.call('ZREM', key, id)
		redis.call('HDEL', p .. 'runs', id)
	end
	local n, runs = redis.call('ZCARD', p .. 'waiting:' .. token), {}
	for _, id in ipairs(redis.call('ZRANGE', key, 0, -1)) do
		table.insert(runs, redis.call('HGET', p .. 'runs', id) or '{}')
	end
	if n == 0 and #runs == 0 then
		redis.call('SREM', p .. 'tokens', token)
		redis.call('SREM', p .. 'known', token)
	else
		table.insert(tokens, {token, n, tostring(stated('limits', token)), tostring(stated('weights', token)), redis.call('SISMEMBER', p .. 'known', token), runs})
	end
end
local served = {}
for age = 0, tonumber(ARGV[2]) - 1 do
	table.insert(served, redis.call('HGETALL', p .. 'served:' .. (minute - age)))
end
return {now, tokens, served}`)

	// knowScript takes a token into account, and charges it: token, seconds.
	knowScript = redis.NewScript(common + `
if redis.call('SADD', p .. 'known', ARGV[2]) == 1 then charge(ARGV[2], ARGV[3]) end
return 1`)

	// takeScript takes a token's next task, if the token may run one more: token,
	// worker. It returns the run.
	takeScript = redis.NewScript(common + `
local token, worker = ARGV[2], ARGV[3]
local limit = stated('limits', token)
if limit > 0 and running(token) >= limit then return false end
while true do
	local id = redis.call('ZRANGE', p .. 'waiting:' .. token, 0, 0)[1]
	if not id then return false end
	redis.call('ZREM', p .. 'waiting:' .. token, id)
	local item = redis.call('HGET', p .. 'items', id)
	redis.call('HDEL', p .. 'items', id)
	if item then
		local text = item:sub(1, -2) .. ',"worker":' .. cjson.encode(worker) .. ',"began":' .. string.format('%d', now) .. '}'
		redis.call('ZADD', p .. 'running:' .. token, now, id)
		redis.call('HSET', p .. 'runs', id, text)
		return text
	end
end`)

	// heardScript hears of a run, which has served for so long since the last time:
	// id, token, seconds, run.
	heardScript = redis.NewScript(common + `
local id, token, seconds, run = ARGV[2], ARGV[3], ARGV[4], ARGV[5]
redis.call('ZADD', p .. 'running:' .. token, now, id)
redis.call('HSET', p .. 'runs', id, run)
redis.call('SADD', p .. 'tokens', token)
charge(token, seconds)
return 1`)

	// endScript ends a run: id, token, seconds, and place and item if it waits
	// again. It returns a task that is to wake up a worker, if one is missing.
	endScript = redis.NewScript(common + `
local id, token, seconds, place, item = ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
redis.call('ZREM', p .. 'running:' .. token, id)
redis.call('HDEL', p .. 'runs', id)
charge(token, seconds)
if item ~= '' then
	wait(token, id, place, item)
	return false
end
local first = redis.call('ZRANGE', p .. 'waiting:' .. token, 0, 0)[1]
if not first or missing() <= 0 then return false end
return redis.call('HGET', p .. 'items', first)`)
)

func (d *dealer) call(ctx context.Context, script *redis.Script, args ...any) *redis.Cmd {
	all := append([]any{silent.Milliseconds()}, args...)
	return script.Run(ctx, d.redis, []string{dealerPrefix(d.queue), "asynq:{" + d.queue + "}:"}, all...)
}

// add lets a task wait and returns how many tasks the queue lacks to wake up a
// worker for each that may run. One that a worker has already does not wait.
func (d *dealer) add(ctx context.Context, t jobs.Task) (missing int, err error) {
	raw, err := json.Marshal(item{Kind: t.Kind, Job: t.Job, Fold: t.Fold, Attempt: t.Attempt, Owner: t.Owner, Place: t.Place})
	if err != nil {
		return 0, err
	}
	return d.call(ctx, addScript, t.ID(), t.Owner, t.Place, raw).Int()
}

// take takes the task that is next; nil if none may run.
func (d *dealer) take(ctx context.Context) (*run, error) {
	for {
		seen, err := d.look(ctx)
		if err != nil {
			return nil, err
		}
		next := fairshare.Next(seen.shares)
		if next < 0 {
			return nil, nil
		}
		text, err := d.call(ctx, takeScript, seen.shares[next].Token, d.worker).Text()
		if errors.Is(err, redis.Nil) { // another was quicker
			continue
		}
		if err != nil {
			return nil, err
		}
		r := &run{}
		if err := json.Unmarshal([]byte(text), r); err != nil {
			return nil, fmt.Errorf("read a task that waits: %w", err)
		}
		return r, nil
	}
}

// heard tells that a run goes on and has served for so long since the last time.
func (d *dealer) heard(ctx context.Context, r *run, served time.Duration) error {
	raw, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return d.call(ctx, heardScript, r.task().ID(), r.Owner, served.Seconds(), raw).Err()
}

// end ends a run; again lets it wait as before. It returns a task that is to wake
// up a worker, nil if none is missing.
func (d *dealer) end(ctx context.Context, r *run, served time.Duration, again bool) (*jobs.Task, error) {
	raw := []byte{}
	if again {
		var err error
		if raw, err = json.Marshal(r.item); err != nil {
			return nil, err
		}
	}
	text, err := d.call(ctx, endScript, r.task().ID(), r.Owner, served.Seconds(), r.Place, raw).Text()
	if errors.Is(err, redis.Nil) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var i item
	if err := json.Unmarshal([]byte(text), &i); err != nil {
		return nil, fmt.Errorf("read a task that waits: %w", err)
	}
	t := i.task()
	return &t, nil
}

// sight is what look sees.
type sight struct {
	now    time.Time
	shares []fairshare.Share
	runs   []run
}

// look reads how the tokens stand, and charges those that come back for the time
// in which they had nothing to do.
func (d *dealer) look(ctx context.Context) (*sight, error) {
	s, err := d.see(ctx)
	if err != nil {
		return nil, err
	}
	credit := fairshare.Credit(s.shares)
	for i := range s.shares {
		share := &s.shares[i]
		if !share.New {
			continue
		}
		if err := d.call(ctx, knowScript, share.Token, credit[i]).Err(); err != nil {
			return nil, err
		}
		share.Served += credit[i]
	}
	return s, nil
}

// see reads how the tokens stand.
func (d *dealer) see(ctx context.Context) (*sight, error) {
	raw, err := d.call(ctx, lookScript, fairshare.Minutes).Slice()
	if err != nil {
		return nil, err
	}
	return readSight(raw)
}
