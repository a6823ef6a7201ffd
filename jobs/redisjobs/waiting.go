package redisjobs

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"polyid-trainer/jobs"
)

// shownItems is how many tasks of each token Waiting lists.
const shownItems = 1000

// Waiting reads what waits and runs. It costs two round trips.
func (q *Queue) Waiting(ctx context.Context) (jobs.Waiting, error) {
	seen, err := dealerOf(q.redis, jobs.TrainFold, "").see(ctx)
	if err != nil {
		return jobs.Waiting{}, fmt.Errorf("read what waits: %w", err)
	}
	w := jobs.Waiting{Shares: seen.shares, Items: map[string][]jobs.Item{}}
	for _, r := range seen.runs {
		w.Runs = append(w.Runs, jobs.Run{Task: r.task(), Worker: r.Worker, Since: time.UnixMilli(r.Began).UTC()})
	}
	texts := make([]*redis.Cmd, len(seen.shares))
	_, err = q.redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, s := range seen.shares {
			texts[i] = itemsScript.Eval(ctx, p, []string{dealerPrefix(queueOf(jobs.TrainFold))}, s.Token, shownItems-1)
		}
		return nil
	})
	if err != nil && len(seen.shares) > 0 {
		return jobs.Waiting{}, fmt.Errorf("read what waits: %w", err)
	}
	for i, s := range seen.shares {
		list, err := texts[i].StringSlice()
		if err != nil {
			return jobs.Waiting{}, fmt.Errorf("read what waits: %w", err)
		}
		for _, text := range list {
			var it item
			if err := json.Unmarshal([]byte(text), &it); err != nil {
				return jobs.Waiting{}, fmt.Errorf("read what waits: %w", err)
			}
			w.Items[s.Token] = append(w.Items[s.Token], jobs.Item{Task: it.task(), Since: time.UnixMilli(it.Since).UTC()})
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
