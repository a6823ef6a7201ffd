package redisjobs_test

import (
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"polyid-trainer/jobs"
	"polyid-trainer/jobs/redisjobs"
)

// Who tells of itself is listed until it leaves or falls silent.
func TestWorkers(t *testing.T) {
	onEveryRedis(t, func(t *testing.T, r redis.UniversalClient) {
		f := redisjobs.Fleet{Redis: r}
		names := func() (names []string) {
			t.Helper()
			workers, err := f.Workers(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, w := range workers {
				if time.Since(w.Heard).Abs() > time.Minute || w.Slots != 2 {
					t.Errorf("%+v", w)
				}
				names = append(names, w.Name)
			}
			return names
		}
		if n := names(); len(n) != 0 {
			t.Errorf("at first %v", n)
		}
		for _, name := range []string{"b:1", "a:1", "c:1"} {
			if err := f.Tell(t.Context(), jobs.Worker{Name: name, Slots: 2}); err != nil {
				t.Fatal(err)
			}
		}
		if err := f.Leave(t.Context(), "c:1"); err != nil {
			t.Fatal(err)
		}
		if n := names(); len(n) != 2 || n[0] != "a:1" || n[1] != "b:1" {
			t.Errorf("alive: %v", n)
		}
		if err := r.ZAdd(t.Context(), "polyid:{workers}:heard", redis.Z{Score: 1, Member: "a:1"}).Err(); err != nil {
			t.Fatal(err)
		}
		if n := names(); len(n) != 1 || n[0] != "b:1" {
			t.Errorf("after silence: %v", n)
		}
	})
}
