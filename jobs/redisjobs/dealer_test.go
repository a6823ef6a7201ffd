package redisjobs_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/redis/go-redis/v9"

	"polyid-trainer/jobs"
	"polyid-trainer/jobs/redisjobs"
)

// foldOf is a fold that waits at a place among its token's.
func foldOf(token, job string, index int, place float64) jobs.Task {
	return jobs.Task{Kind: jobs.TrainFold, Job: job, Fold: index, Owner: token, Place: place}
}

// trained serves tasks one after another and returns the order of their jobs.
func trained(t *testing.T, r redis.UniversalClient, n int) (order []string) {
	t.Helper()
	done := make(chan string, n+1)
	stop := serve(t, r, patience, func(_ context.Context, task jobs.Task) error {
		done <- fmt.Sprintf("%s/%d", task.Job, task.Fold)
		return nil
	})
	for range n {
		order = append(order, receive(t, done, "a fold"))
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	return order
}

// One user's folds are trained in the order of their places, which is that of
// their jobs.
func TestOneToken(t *testing.T) {
	onEveryRedis(t, func(t *testing.T, r redis.UniversalClient) {
		for _, i := range []int{3, 1, 0, 2} {
			enqueue(t, r, foldOf("", "tj_b", i, 100+float64(i)), foldOf("", "tj_a", i, float64(i)), foldOf("", "tj_high", i, -1e9+float64(i)))
		}
		var want []string
		for _, job := range []string{"tj_high", "tj_a", "tj_b"} {
			for i := range 4 {
				want = append(want, fmt.Sprintf("%s/%d", job, i))
			}
		}
		if got := trained(t, r, len(want)); !slices.Equal(got, want) {
			t.Errorf("in the order %v, want %v", got, want)
		}
	})
}

// A token that comes while another's forty jobs wait has its first fold trained as
// soon as one ends, and soon its second.
func TestSecondToken(t *testing.T) {
	onEveryRedis(t, func(t *testing.T, r redis.UniversalClient) {
		for i := range 40 {
			enqueue(t, r, foldOf("many", fmt.Sprintf("tj_many%d", i), 0, float64(i)))
		}
		began, next := make(chan string, 50), make(chan struct{})
		stop := serve(t, r, patience, func(_ context.Context, task jobs.Task) error {
			began <- task.Job
			<-next
			return nil
		})
		if first := receive(t, began, "a fold"); first != "tj_many0" {
			t.Errorf("%s goes first", first)
		}
		for i := range 2 {
			enqueue(t, r, foldOf("one", "tj_one", i, 1000))
		}
		var order []string
		for range 4 {
			next <- struct{}{}
			order = append(order, receive(t, began, "the next fold"))
		}
		if got := strings.Join(order, " "); !strings.HasPrefix(got, "tj_one ") || strings.Count(got, "tj_one") != 2 {
			t.Errorf("in the order %s", got)
		}
		close(next)
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

// No fold is taken twice and none is left over, however many servers ask at once,
// and a token never runs more than it may.
func TestTakenOnce(t *testing.T) {
	onEveryRedis(t, func(t *testing.T, r redis.UniversalClient) {
		const tokens, each, limit = 5, 20, 2
		if err := redisjobs.NewQueue(r).Allow(t.Context(), map[string]redisjobs.Allowance{"token0": {Folds: limit}, redisjobs.Others: {Weight: 2}}); err != nil {
			t.Fatal(err)
		}
		for i := range each {
			for token := range tokens {
				enqueue(t, r, foldOf(fmt.Sprintf("token%d", token), fmt.Sprintf("tj_%d", token), i, float64(i)))
			}
		}
		var mu sync.Mutex
		seen, running, most := map[string]int{}, map[string]int{}, map[string]int{}
		all := make(chan struct{})
		handle := func(_ context.Context, task jobs.Task) error {
			mu.Lock()
			defer mu.Unlock()
			running[task.Owner]++
			most[task.Owner] = max(most[task.Owner], running[task.Owner])
			mu.Unlock()
			_ = r.Ping(t.Context()).Err() // others go on meanwhile
			mu.Lock()
			running[task.Owner]--
			seen[task.ID()]++
			if len(seen) == tokens*each {
				close(all)
			}
			return nil
		}
		var stops []func() error
		for range 6 {
			stops = append(stops, serve(t, r, patience, handle))
		}
		receive(t, all, "all folds")
		for _, stop := range stops {
			if err := stop(); err != nil {
				t.Error(err)
			}
		}
		for id, n := range seen {
			if n != 1 {
				t.Errorf("%s was trained %d times", id, n)
			}
		}
		if most["token0"] > limit {
			t.Errorf("%d folds of a token that may train %d", most["token0"], limit)
		}
	})
}

// After FLUSHALL the folds that run still count to their tokens, as soon as they
// are heard of.
func TestFlushAll(t *testing.T) {
	onEveryRedis(t, func(t *testing.T, r redis.UniversalClient) {
		q := redisjobs.NewQueue(r)
		enqueue(t, r, foldOf("alice", "tj_1", 0, 1))
		began, next := make(chan struct{}), make(chan struct{})
		stop := serve(t, r, patience, func(context.Context, jobs.Task) error { close(began); <-next; return nil })
		receive(t, began, "the fold")
		if err := r.FlushAll(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
		look := func() jobs.Waiting {
			w, err := q.Waiting(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			return w
		}
		for len(look().Runs) == 0 {
			if t.Context().Err() != nil {
				t.FailNow()
			}
		}
		if w := look(); len(w.Shares) != 1 || w.Shares[0].Running != 1 || w.Runs[0].Task.Job != "tj_1" {
			t.Errorf("after FLUSHALL: %+v", w)
		}
		close(next)
		if err := stop(); err != nil {
			t.Error(err)
		}
		if w := look(); len(w.Shares) != 0 {
			t.Errorf("at the end: %+v", w)
		}
	})
}

// The blocks of screenings are shared among tokens too.
func TestScreeningsShare(t *testing.T) {
	onEveryRedis(t, func(t *testing.T, r redis.UniversalClient) {
		for i := range 5 {
			enqueue(t, r, jobs.Task{Kind: jobs.Screen, Job: "sc_many", Attempt: i, Owner: "many", Place: float64(i)})
		}
		enqueue(t, r, jobs.Task{Kind: jobs.Screen, Job: "sc_one", Owner: "one", Place: 100})
		began, next := make(chan string, 10), make(chan struct{})
		ctx, cancel := context.WithCancel(t.Context())
		s := &redisjobs.Server{Redis: r, Grace: patience, Log: quiet, Pools: []redisjobs.Pool{{Kinds: []jobs.Kind{jobs.Screen}, Concurrency: 1}},
			Handler: func(_ context.Context, task jobs.Task) error { began <- task.Job; <-next; return nil }}
		served := make(chan error, 1)
		go func() { served <- s.Serve(ctx) }()
		var order []string
		for range 2 {
			order = append(order, receive(t, began, "a block"))
			next <- struct{}{}
		}
		if !slices.Contains(order, "sc_one") {
			t.Errorf("in the order %v", order)
		}
		close(next)
		cancel()
		if err := receive(t, served, "the server"); err != nil {
			t.Error(err)
		}
	})
}
