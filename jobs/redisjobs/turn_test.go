package redisjobs_test

import (
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"polyid-trainer/jobs/redisjobs"
)

func TestTurn(t *testing.T) {
	onEveryRedis(t, func(t *testing.T, r redis.UniversalClient) {
		turn := func(what string, want bool) {
			t.Helper()
			if mine, err := redisjobs.Turn(t.Context(), r, what, time.Hour); err != nil || mine != want {
				t.Errorf("a turn to %s: %v, %v", what, mine, err)
			}
		}
		turn("reconcile", true)
		turn("reconcile", false)
		turn("sweep", true)
		if err := r.FlushAll(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
		turn("reconcile", true)
	})
}
