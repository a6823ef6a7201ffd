package redisjobs

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"polyid-trainer/jobs"
	"polyid-trainer/jobs/fairshare"
)

// Waiting is what waits for workers and what they do, at one moment.
type Waiting struct {
	Shares []fairshare.Share // tokens with something waiting or running, by name
	Runs   []Run             // what runs
	Items  map[string][]Item // what waits, by token, as its own order has it; at most so many each
}

// Run is a task that a worker has.
type Run struct {
	jobs.Task
	Worker string
	Since  time.Time // when it was taken
}

// Item is a task that waits.
type Item struct {
	jobs.Task
	Since time.Time
}

// shownItems is how many tasks of each token Waiting lists.
const shownItems = 1000

// Waiting reads what waits and runs. It costs two round trips.
func (q *Queue) Waiting(ctx context.Context) (Waiting, error) {
	seen, err := q.dealer.see(ctx)
	if err != nil {
		return Waiting{}, fmt.Errorf("read what waits: %w", err)
	}
	w := Waiting{Shares: seen.shares, Items: map[string][]Item{}}
	for _, r := range seen.runs {
		w.Runs = append(w.Runs, Run{r.task(), r.Worker, time.UnixMilli(r.Began).UTC()})
	}
	texts := make([]*redis.Cmd, len(seen.shares))
	_, err = q.redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, s := range seen.shares {
			texts[i] = itemsScript.Eval(ctx, p, []string{dealerPrefix()}, s.Token, shownItems-1)
		}
		return nil
	})
	if err != nil && len(seen.shares) > 0 {
		return Waiting{}, fmt.Errorf("read what waits: %w", err)
	}
	for i, s := range seen.shares {
		list, err := texts[i].StringSlice()
		if err != nil {
			return Waiting{}, fmt.Errorf("read what waits: %w", err)
		}
		for _, text := range list {
			var it item
			if err := json.Unmarshal([]byte(text), &it); err != nil {
				return Waiting{}, fmt.Errorf("read what waits: %w", err)
			}
			w.Items[s.Token] = append(w.Items[s.Token], Item{it.task(), time.UnixMilli(it.Since).UTC()})
		}
	}
	return w, nil
}

// itemsScript lists the first of a token's tasks that wait: token, how many less
// one.
var itemsScript = redis.NewScript(`
local items = {}
for _, id in ipairs(redis.call('ZRANGE', KEYS[1] .. 'waiting:' .. ARGV[1], 0, ARGV[2])) do
	table.insert(items, redis.call('HGET', KEYS[1] .. 'items', id) or nil)
end
return items`)
