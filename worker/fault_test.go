//go:build unix

package main

import (
	"context"
	"math/rand/v2"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hibiken/asynq"

	"polyid-trainer/jobs"
)

// A worker that is killed loses nothing but what it did since its last
// checkpoint: others go on from there, and the weights are the same to the bit.
func TestKill(t *testing.T) { killMany(t, small(), 2, quick()...) }

// TestLongKill is TestKill with many deaths, and with claims that hold as long
// as they do in use: another worker goes on within a minute of each.
func TestLongKill(t *testing.T) {
	long(t)
	s := small()
	s.Epochs = 800
	killMany(t, s, 10)
}

func killMany(t *testing.T, s jobs.Spec, deaths int, flags ...string) {
	c := newCluster(t)
	flags = append(flags, "--concurrency=2") // there is room for whatever is left behind
	j := c.ask(s)
	w := c.worker(flags...)
	for range deaths {
		fold := c.training(j.ID, w)
		c.moment(j.ID)
		w.signal(syscall.SIGKILL)
		w.exit()
		died, f := time.Now(), c.folds(j.ID)[fold]
		w = c.worker(flags...)
		if f.Status.Ended() {
			continue // it was too quick
		}
		until(t, "another worker to go on", func() bool { return c.folds(j.ID)[fold].Attempt > f.Attempt })
		took := time.Since(died)
		t.Logf("fold %d, epoch %d: another worker went on after %s", fold, f.Checkpoint.Epoch, took.Round(100*time.Millisecond))
		if took > time.Minute {
			t.Errorf("it took more than a minute")
		}
		until(t, "the event", func() bool { return len(c.resumptions(j.ID, fold)) == f.Attempt })
		if from := c.resumptions(j.ID, fold); from[f.Attempt-1] != f.Checkpoint.Epoch {
			t.Errorf("fold %d goes on from epoch %d, its checkpoint was of %d", fold, from[f.Attempt-1], f.Checkpoint.Epoch)
		}
	}
	c.worker(flags...)
	c.same(s, c.succeeded(j.ID))
}

// moment lets a random time go by, within a second or so, as told by the job's
// updates or the clock.
func (c *cluster) moment(id string) {
	ctx, cancel := context.WithCancel(c.Context())
	defer cancel()
	updates := c.live.Subscribe(ctx, id)
	for range rand.IntN(5) {
		select {
		case <-updates:
		case <-time.After(time.Duration(rand.IntN(300)) * time.Millisecond):
		}
	}
}

// A worker that is told to stop saves its fold and releases it at once: not a
// retry is spent, nor does anybody wait for a claim to lapse.
func TestTerminate(t *testing.T) {
	c := newCluster(t)
	j := c.ask(small())
	w := c.worker() // whose claim would hold for long
	fold := c.training(j.ID, w)
	before := c.folds(j.ID)[fold].Checkpoint
	w.signal(syscall.SIGTERM)
	if status := w.exit(); status != 0 {
		t.Errorf("exit status %d", status)
	}
	f := c.folds(j.ID)[fold]
	if f.Status != jobs.FoldQueued || f.Token != "" || f.Failures != 0 {
		t.Errorf("released as %+v", f)
	}
	if p := f.Checkpoint; p.Epoch < before.Epoch || !p.Time.After(before.Time) {
		t.Errorf("its checkpoint is %+v, was %+v", p, before)
	}
	inspector := asynq.NewInspectorFromRedisClient(c.redis)
	tasks, err := inspector.ListRetryTasks(string(jobs.TrainFold))
	if err != nil {
		t.Fatal(err)
	}
	for _, task := range tasks {
		if task.Retried != 0 {
			t.Errorf("task %s has spent %d retries", task.ID, task.Retried)
		}
	}
	c.worker()
	c.same(small(), c.succeeded(j.ID))
	if from := c.resumptions(j.ID, fold); len(from) != 1 || from[0] != f.Checkpoint.Epoch {
		t.Errorf("resumed from epochs %v, want %d", from, f.Checkpoint.Epoch)
	}
}

// A worker that sleeps through its lease wakes up as a zombie: it sees that its
// fold is another's, writes nothing, and goes on with other work.
func TestZombie(t *testing.T) {
	c := newCluster(t)
	j := c.ask(small())
	zombie := c.worker(quick()...)
	fold := c.training(j.ID, zombie)
	zombie.signal(syscall.SIGSTOP)
	other := c.worker(quick()...)
	until(t, "the fold to be taken over", func() bool {
		f := c.folds(j.ID)[fold]
		return f.Worker == other.name && f.Checkpoint.Time.After(f.Since)
	})
	zombie.signal(syscall.SIGCONT)
	until(t, "the zombie to notice", func() bool { return strings.Contains(zombie.logged(), "another worker") })
	c.same(small(), c.succeeded(j.ID))
	for _, f := range c.folds(j.ID) {
		if f.Index == fold && (f.Worker != other.name || f.Attempt != 2) {
			t.Errorf("fold %d was %s's, at attempt %d", f.Index, f.Worker, f.Attempt)
		}
	}
	for e, err := range c.bucket.List(t.Context(), "jobs/"+j.ID+"/folds/") {
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(e.Key, "/checkpoints/0001-") && strings.Contains(e.Key, "/folds/"+string(rune('0'+fold))+"/") {
			t.Errorf("the zombie left %s", e.Key)
		}
	}
	zombie.signal(syscall.SIGTERM)
	if status := zombie.exit(); status != 0 {
		t.Errorf("the zombie's exit status is %d", status)
	}
}

// Every task delivered twice, to two workers, makes one result.
func TestTwice(t *testing.T) {
	c := newCluster(t)
	j := c.ask(small())
	const again = 1000 // an attempt of its own is a task of its own
	c.enqueue(jobs.Task{Kind: jobs.Prepare, Job: j.ID, Attempt: again})
	c.worker("--concurrency=2")
	c.worker("--concurrency=2")
	until(t, "the folds", func() bool { return c.job(j.ID).State == jobs.Training })
	for fold := range 2 {
		c.enqueue(jobs.Task{Kind: jobs.TrainFold, Job: j.ID, Fold: fold, Attempt: again})
	}
	until(t, "the end of training", func() bool { s := c.job(j.ID).State; return s == jobs.Finalizing || s == jobs.Succeeded })
	c.enqueue(jobs.Task{Kind: jobs.Finalize, Job: j.ID, Attempt: again})
	c.same(small(), c.succeeded(j.ID))
	count := map[string]int{}
	for e := range strings.FieldsSeq(events(c.job(j.ID))) {
		count[e]++
	}
	if count["fold_started"] != 2 || count["fold_resumed"] != 0 || count["fold_finished"] != 2 || count["finalizing"] != 1 || count["succeeded"] != 1 {
		t.Errorf("events: %v", count)
	}
}

// An emptied Redis costs a round of the reconciler, and nothing else.
func TestFlush(t *testing.T) {
	c := newCluster(t)
	j := c.ask(small())
	w := c.worker(quick()...) // trains one fold while the other's task waits in Redis
	c.training(j.ID, w)
	if err := c.redis.FlushAll(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	c.same(small(), c.succeeded(j.ID))
	if e := events(c.job(j.ID)); strings.Contains(e, "resumed") {
		t.Errorf("events: %s", e)
	}
}

// While Redis is away folds train on, and what it forgot is enqueued again.
func TestRedisRestarts(t *testing.T) {
	path := redisPath()
	if path == "" {
		t.Skip("neither valkey-server nor redis-server is on PATH: install one to test against it")
	}
	server := startServer(t, path)
	c := onRedis(t, server.url)
	j := c.ask(small())
	w := c.worker(quick()...)
	fold := c.training(j.ID, w)
	server.kill()
	before := c.folds(j.ID)[fold].Checkpoint
	until(t, "a checkpoint while Redis is away", func() bool {
		f := c.folds(j.ID)[fold]
		return f.Checkpoint.Time.After(before.Time) || f.Status.Ended()
	})
	server.start()
	c.same(small(), c.succeeded(j.ID))
	if e := events(c.job(j.ID)); strings.Contains(e, "resumed") {
		t.Errorf("events: %s", e)
	}
}

// Pausing and cancelling reach a fold that trains in another process.
func TestTold(t *testing.T) {
	c := newCluster(t)
	s := small()
	s.Epochs = 1_000_000
	j := c.ask(s)
	w := c.worker()
	fold := c.training(j.ID, w)
	tell := func(move func(*jobs.Job) error, control jobs.Control) {
		t.Helper()
		if _, err := c.store.UpdateJob(t.Context(), j.ID, move); err != nil {
			t.Fatal(err)
		}
		if err := c.live.Tell(t.Context(), j.ID, control); err != nil {
			t.Fatal(err)
		}
	}
	tell(func(j *jobs.Job) error { return j.Pause(time.Now(), "requested") }, jobs.Pause)
	until(t, "the fold to pause", func() bool { f := c.folds(j.ID)[fold]; return f.Status == jobs.FoldPaused && f.Token == "" })
	tell(func(j *jobs.Job) error { return j.Resume() }, jobs.Continue)
	for _, task := range jobs.Needed(time.Now(), c.job(j.ID), c.folds(j.ID)) {
		c.enqueue(task)
	}
	until(t, "a fold to go on", func() bool {
		for _, f := range c.folds(j.ID) {
			if f.Status == jobs.FoldRunning {
				fold = f.Index
				return true
			}
		}
		return false
	})
	tell(func(j *jobs.Job) error { return j.Cancel(time.Now()) }, jobs.Cancel)
	until(t, "the fold to be cancelled", func() bool { return c.folds(j.ID)[fold].Status == jobs.FoldCancelled })
}

// A worker with nothing to do exits by itself, if it was told so.
func TestIdle(t *testing.T) {
	c := newCluster(t)
	s := small()
	s.Epochs = 2
	j := c.ask(s)
	w := c.worker("--exit-when-idle=2s")
	if status := w.exit(); status != 0 || c.job(j.ID).State != jobs.Succeeded {
		t.Errorf("exit status %d, the job is %s", status, c.job(j.ID).State)
	}
}

// long skips a test that takes minutes unless it is asked for.
func long(t *testing.T) {
	t.Helper()
	if os.Getenv("LONG") != "1" {
		t.Skip("takes minutes: set LONG=1")
	}
}
