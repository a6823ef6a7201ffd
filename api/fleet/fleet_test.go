package fleet_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"testing"
	"time"

	"polyid-trainer/api/fleet"
	"polyid-trainer/jobs"
	"polyid-trainer/jobs/access"
	"polyid-trainer/jobs/fairshare"
)

// world is a fleet as a test states it.
type world struct {
	workers []jobs.Worker
	waiting jobs.Waiting
}

func (w *world) Workers(context.Context) ([]jobs.Worker, error) { return w.workers, nil }

func (w *world) Waiting(context.Context) (jobs.Waiting, error) { return w.waiting, nil }

func (w *world) Progress(_ context.Context, _ string, folds int) ([]json.RawMessage, error) {
	told := make([]json.RawMessage, folds)
	told[folds-1] = json.RawMessage(`{"ms_per_step": 20}`)
	return told, nil
}

func (w *world) service() *fleet.Service {
	return &fleet.Service{Fleet: w, Queue: w, Live: w, Log: slog.New(slog.DiscardHandler)}
}

func run(worker, token, job string, fold int) jobs.Run {
	return jobs.Run{Task: jobs.Task{Kind: jobs.TrainFold, Job: job, Fold: fold, Owner: token}, Worker: worker, Since: time.Unix(1, 0)}
}

func items(token, job string, folds int) (items []jobs.Item) {
	for i := range folds {
		items = append(items, jobs.Item{Task: jobs.Task{Kind: jobs.TrainFold, Job: job, Fold: i, Owner: token}, Since: time.Unix(2, 0)})
	}
	return items
}

// busy is two workers that train four folds of bob's, of whose three more wait,
// while two of alice's do.
func busy() *world {
	return &world{
		workers: []jobs.Worker{{Name: "a:1", Slots: 2}, {Name: "b:1", Slots: 2}},
		waiting: jobs.Waiting{
			Shares: []fairshare.Share{{Token: "alice", Waiting: 2, Served: 500}, {Token: "bob", Waiting: 3, Running: 4, Served: 100}},
			Runs:   []jobs.Run{run("a:1", "bob", "tj_b", 0), run("a:1", "bob", "tj_b", 1), run("b:1", "bob", "tj_b", 2), run("b:1", "bob", "tj_b", 3)},
			Items:  map[string][]jobs.Item{"alice": items("alice", "tj_a", 2), "bob": items("bob", "tj_c", 3)},
		},
	}
}

func TestReason(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*world)
		job    jobs.Job
		want   string
	}{
		{"others first", nil, jobs.Job{ID: "tj_a", Owner: "alice"}, "waiting for a worker: 2 workers train 4 folds, 3 folds of others go first"},
		{"next", nil, jobs.Job{ID: "tj_c", Owner: "bob"}, "waiting for a worker: 2 workers train 4 folds"},
		{"behind one's own", func(w *world) {
			w.waiting.Items["bob"] = append(w.waiting.Items["bob"][:1], items("bob", "tj_d", 2)...)
		}, jobs.Job{ID: "tj_d", Owner: "bob"}, "waiting for a worker: 2 workers train 4 folds, 1 fold of your own goes first"},
		{"a quota", func(w *world) { w.waiting.Shares[1].Limit = 4 }, jobs.Job{ID: "tj_c", Owner: "bob"}, "waiting: your quota of 4 folds is in use"},
		{"nobody", func(w *world) { w.workers = nil }, jobs.Job{ID: "tj_c", Owner: "bob"}, "waiting for a worker: none is alive; `go run ./worker` starts one"},
		{"one", func(w *world) { w.workers, w.waiting.Runs = w.workers[:1], nil }, jobs.Job{ID: "tj_c", Owner: "bob"}, "waiting for a worker: 1 worker trains no fold"},
		{"not enqueued yet", nil, jobs.Job{ID: "tj_x", Owner: "bob"}, ""},
	} {
		w := busy()
		if test.change != nil {
			test.change(w)
		}
		if got := w.service().Reason(t.Context(), &test.job); got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}

// Who is not an admin sees of others how much they train, and not what.
func TestVisible(t *testing.T) {
	s := busy().service()
	for _, test := range []struct {
		who                         access.Identity
		folds, other, waits, hidden int
	}{
		{access.Identity{Name: "root", Role: access.Admin}, 2, 0, 5, 0},
		{access.Identity{Name: "bob", Role: access.Member}, 2, 0, 3, 2},
		{access.Identity{Name: "alice", Role: access.Member}, 0, 2, 2, 3},
	} {
		ctx := access.With(t.Context(), test.who)
		workers, err := s.Workers(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range workers {
			if len(w.Folds) != test.folds || w.Other != test.other || w.Free != 0 {
				t.Errorf("%s sees %+v", test.who.Name, w)
			}
		}
		q, err := s.Waiting(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if len(q.Waiting) != test.waits || q.Others != test.hidden || q.Slots != 4 || q.Free != 0 {
			t.Errorf("%s sees %+v", test.who.Name, q)
		}
	}
	workers, err := s.Workers(t.Context())
	if err != nil || workers[1].Folds[1].StepsPerSecond != 50 {
		t.Errorf("%+v, %v", workers, err)
	}
}
