package main

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"polyid-trainer/jobs"
)

// TestKillEmbedded kills the one process of the default set-up again and again.
// The job succeeds all the same: with the bits of an undisturbed one, published
// once, and told once of everything.
func TestKillEmbedded(t *testing.T) {
	t.Run("Redis as found", func(t *testing.T) { killEmbedded(t, 6) })
	t.Run("miniredis", func(t *testing.T) { killEmbedded(t, 6, "PATH=") }) // where no server is found
}

// TestLongKillEmbedded is the same fifty times over, each restart in two seconds.
func TestLongKillEmbedded(t *testing.T) {
	long(t)
	slowest := max(killEmbedded(t, 50), killEmbedded(t, 50, "PATH="))
	if slowest > 2*time.Second {
		t.Errorf("a restart took %s until it was ready, more than 2 s", slowest)
	}
}

// killEmbedded returns how long the slowest restart took.
func killEmbedded(t *testing.T, deaths int, env ...string) (slowest time.Duration) {
	t.Helper()
	var s *service
	hooks := newSink(t, func() string { return secretOf(s) })
	s = newService(t, append(env, "WEBHOOK_ALLOW_PRIVATE=1")...)
	hook := `, "webhook": {"url": "` + hooks.URL + `"}`

	const epochs = 60
	job := s.submit(small(epochs, hook))
	asked := []string{job.ID}
	var ready []time.Duration
	for range deaths {
		// Long enough for some of it to be on disk now and then, short enough to
		// hit every stage.
		<-time.After(time.Duration(rand.IntN(1200)) * time.Millisecond)
		s.kill()
		s.start(t)
		ready = append(ready, s.ready.Round(time.Millisecond))
		slowest = max(slowest, s.ready)
		if v := s.job(job.ID); v.Status == jobs.Succeeded {
			job = s.submit(small(epochs, hook))
			asked = append(asked, job.ID)
		} else if v.Status.Ended() {
			t.Fatalf("the job %s: %+v", v.Status, v.Error)
		}
	}
	t.Logf("%d times killed, %d jobs; ready after %s, at most %s", deaths, len(asked), ready, slowest)

	calm := s.succeeds(s.submit(small(epochs, "")).ID)
	attempts := 0
	for _, id := range asked {
		v := s.succeeds(id)
		for i, f := range v.Folds {
			attempts += f.Attempt
			if !bytes.Equal(s.model(v, i), s.model(calm, i)) {
				t.Errorf("fold %d of %s has not the bits of an undisturbed training", i, id)
			}
		}
	}
	if attempts == 3*len(asked) {
		t.Error("no fold was ever interrupted: this test has shown nothing")
	}
	var commits []struct{ ID string }
	s.call("GET", "/hub/api/models/polyid/polyid-models/commits/main", "", &commits)
	if got, want := len(commits), len(asked)+2; got != want { // the first commit makes the repository
		t.Errorf("%d commits on the Hub, want %d: one of each job and the first", got, want)
	}
	for _, typ := range []string{"training_job.created", "training_job.started", "training_job.finalizing", "training_job.published", "training_job.succeeded"} {
		until(t, typ, func() bool { return hooks.count(typ) >= len(asked) })
		if got := hooks.count(typ); got != len(asked) {
			t.Errorf("%d webhooks of %s, want %d", got, typ, len(asked))
		}
	}
	hooks.check(t)
	// Nothing is left of the checkpoints that were replaced.
	for _, id := range asked {
		for i := range 3 {
			kept := slices.DeleteFunc(objects(t, s), func(name string) bool {
				return !strings.Contains(name, id+"/folds/"+string(rune('0'+i))+"/checkpoints/")
			})
			if len(kept) > s.job(id).Folds[i].Attempt {
				t.Errorf("fold %d of %s has %d checkpoints after %d attempts", i, id, len(kept), s.job(id).Folds[i].Attempt)
			}
		}
	}
	return slowest
}
