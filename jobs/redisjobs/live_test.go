package redisjobs_test

import (
	"context"
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"polyid-trainer/jobs/redisjobs"
)

func TestLive(t *testing.T) {
	onEveryRedis(t, func(t *testing.T, r redis.UniversalClient) {
		live := redisjobs.Live{Redis: r}
		ctx, cancel := context.WithCancel(t.Context())
		updates := live.Subscribe(ctx, "tj_1")
		expect := func(want redisjobs.Update) {
			t.Helper()
			if got := receive(t, updates, "an update"); !reflect.DeepEqual(got, want) {
				t.Errorf("update %+v, want %+v", got, want)
			}
		}
		heartbeat := func(job string, fold int, want redisjobs.Control) {
			t.Helper()
			got, err := live.Heartbeat(t.Context(), job, fold, json.RawMessage(`{"epoch":12}`))
			if err != nil || got != want {
				t.Errorf("told %q, %v; want %q", got, err, want)
			}
		}
		tell := func(c redisjobs.Control) {
			t.Helper()
			if err := live.Tell(t.Context(), "tj_1", c); err != nil {
				t.Error(err)
			}
		}
		wakeUp := redisjobs.Update{Changed: true}
		expect(wakeUp) // subscribed

		heartbeat("tj_1", 2, redisjobs.Continue)
		expect(redisjobs.Update{Fold: 2, Progress: json.RawMessage(`{"epoch":12}`)})
		heartbeat("tj_2", 0, redisjobs.Continue) // of no interest here

		tell(redisjobs.Pause)
		expect(wakeUp)
		heartbeat("tj_2", 0, redisjobs.Continue)
		heartbeat("tj_1", 2, redisjobs.Pause)
		expect(redisjobs.Update{Fold: 2, Progress: json.RawMessage(`{"epoch":12}`)})
		tell(redisjobs.Cancel)
		expect(wakeUp)
		heartbeat("tj_1", 0, redisjobs.Cancel)
		expect(redisjobs.Update{Fold: 0, Progress: json.RawMessage(`{"epoch":12}`)})
		tell(redisjobs.Continue)
		expect(wakeUp)
		heartbeat("tj_1", 0, redisjobs.Continue)
		expect(redisjobs.Update{Fold: 0, Progress: json.RawMessage(`{"epoch":12}`)})

		if err := live.Changed(t.Context(), "tj_1"); err != nil {
			t.Error(err)
		}
		expect(wakeUp)
		// What another version publishes is a wake-up too.
		if err := r.Publish(t.Context(), "polyid:{tj_1}:updates", "?").Err(); err != nil {
			t.Error(err)
		}
		expect(wakeUp)

		progress, err := live.Progress(t.Context(), "tj_1", 3)
		if err != nil || len(progress) != 3 || string(progress[2]) != `{"epoch":12}` || progress[1] != nil {
			t.Errorf("progress %s, %v", progress, err)
		}
		cancel()
		for range updates { // closed once ctx ends
		}
	})
}

// Nothing of what a fold tells or is told stays for ever.
func TestLiveExpires(t *testing.T) {
	onEveryRedis(t, func(t *testing.T, r redis.UniversalClient) {
		live := redisjobs.Live{Redis: r}
		if _, err := live.Heartbeat(t.Context(), "tj_1", 0, json.RawMessage(`{}`)); err != nil {
			t.Fatal(err)
		}
		if err := live.Tell(t.Context(), "tj_1", redisjobs.Cancel); err != nil {
			t.Fatal(err)
		}
		keys, err := r.Keys(t.Context(), "*").Result()
		if err != nil || len(keys) != 2 {
			t.Fatalf("keys %v, %v", keys, err)
		}
		for _, k := range keys {
			if ttl := r.TTL(t.Context(), k).Val(); ttl < time.Minute || ttl > time.Hour {
				t.Errorf("%s expires in %s", k, ttl)
			}
		}
	})
}

func TestHeartbeatWithoutRedis(t *testing.T) {
	live := redisjobs.Live{Redis: connect(t, "redis://127.0.0.1:1?max_retries=-1")}
	if _, err := live.Heartbeat(t.Context(), "tj_1", 0, json.RawMessage(`{}`)); err == nil {
		t.Error("a heartbeat without Redis succeeds")
	}
	if _, err := live.Heartbeat(t.Context(), "tj_1", 0, json.RawMessage(`{`)); err == nil {
		t.Error("a heartbeat of no JSON succeeds")
	}
}
