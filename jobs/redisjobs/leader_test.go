package redisjobs_test

import (
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"polyid-trainer/jobs/redisjobs"
)

// Of all processes one leads, for as long as it asks to.
func TestLead(t *testing.T) {
	onEveryRedis(t, func(t *testing.T, r redis.UniversalClient) {
		lead := func(what, who string, want bool) {
			t.Helper()
			if is, err := redisjobs.Lead(t.Context(), r, what, who, time.Hour); err != nil || is != want {
				t.Errorf("%s leads to %s: %v, %v", who, what, is, err)
			}
		}
		lead("reconcile", "a:1", true)
		lead("reconcile", "b:1", false)
		lead("reconcile", "a:1", true)
		lead("sweep", "b:1", true)
		if err := r.FlushAll(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
		lead("reconcile", "b:1", true)
		lead("reconcile", "a:1", false)
	})
}
