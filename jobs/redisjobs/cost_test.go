package redisjobs

import (
	"context"
	"fmt"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"polyid-trainer/jobs"
)

// counter counts the commands of a client.
type counter struct{ commands atomic.Int64 }

func (c *counter) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) { return next(ctx, network, addr) }
}

func (c *counter) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		c.commands.Add(1)
		return next(ctx, cmd)
	}
}

func (c *counter) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		c.commands.Add(int64(len(cmds)))
		return next(ctx, cmds)
	}
}

// What it costs to choose the next fold does not depend on how many wait.
func TestChoiceCost(t *testing.T) {
	const tokens = 50
	for _, waiting := range []int{1, 100, 10000} {
		m := miniredis.RunT(t)
		client := redis.NewClient(&redis.Options{Addr: m.Addr()})
		t.Cleanup(func() { client.Close() })
		d := dealerOf(client, jobs.TrainFold, "host:1")
		add := func(i int) {
			task := jobs.Task{Kind: jobs.TrainFold, Job: fmt.Sprintf("tj_%d", i), Owner: fmt.Sprintf("token%02d", i%tokens), Place: float64(i)}
			if _, err := d.add(t.Context(), task); err != nil {
				t.Fatal(err)
			}
		}
		for i := range waiting {
			add(i)
		}
		for i := range min(waiting, 2*tokens) { // so that scripts are loaded and tokens known
			if r, err := d.take(t.Context()); err != nil || r == nil {
				t.Fatalf("took %v, %v", r, err)
			}
			add(waiting + i)
		}
		count := &counter{}
		client.AddHook(count)
		began := time.Now()
		r, err := d.take(t.Context())
		if err != nil || r == nil {
			t.Fatalf("took %v, %v", r, err)
		}
		t.Logf("%d folds wait: %d commands of Redis, %s, and no request of storage", waiting, count.commands.Load(), time.Since(began).Round(10*time.Microsecond))
		if count.commands.Load() > 3 {
			t.Errorf("%d commands of Redis to choose of %d folds", count.commands.Load(), waiting)
		}
	}
}
