package runner_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"polyid-trainer/jobs"
	"polyid-trainer/jobs/records"
	"polyid-trainer/jobs/redisjobs"
	"polyid-trainer/storage"
	"polyid-trainer/storage/file"
	"polyid-trainer/worker/pipeline"
)

// claims is a bucket that counts its calls until a fold's record is written.
type claims struct {
	*counting
	once    sync.Once
	claimed chan int64 // calls by then
}

func (b *claims) begin() {
	b.gets.Store(0)
	b.puts.Store(0)
	b.lists.Store(0)
}

func (b *claims) calls() int64 { return b.gets.Load() + b.puts.Load() + b.lists.Load() }

// To choose a fold and to claim it costs as many requests of storage when ten
// thousand others wait as when none does.
func TestClaimCost(t *testing.T) {
	for _, waiting := range []int{1, 100, 10000} {
		t.Run(fmt.Sprint(waiting), func(t *testing.T) { claimCost(t, waiting) })
	}
}

func claimCost(t *testing.T, waiting int) {
	bucket, err := file.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	client := connect(t, startRedis(t))
	counted := &counting{Bucket: bucket}
	store, queue := records.New(counted), redisjobs.NewQueue(client)
	id := ask(t, bucket, store, queue, 2)
	p := &pipeline.Pipeline{Store: store, Queue: queue, Bucket: counted, NewEngine: newIdler, Worker: "host:1", Log: slog.New(slog.DiscardHandler)}
	if err := p.Handle(t.Context(), jobs.Task{Kind: jobs.Prepare, Job: id}); err != nil {
		t.Fatal(err)
	}
	for i := range waiting - 1 {
		task := jobs.Task{Kind: jobs.TrainFold, Job: fmt.Sprintf("tj_%d", i), Owner: fmt.Sprintf("token%d", i%50), Place: 1e12}
		if err := queue.Enqueue(t.Context(), task); err != nil {
			t.Fatal(err)
		}
	}
	b := &claims{counted, sync.Once{}, make(chan int64, 1)}
	p.Store = &foldStore{Store: store, claimed: func() { b.once.Do(func() { b.claimed <- b.calls() }) }}
	b.begin()
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	server := &redisjobs.Server{
		Redis: client, Grace: time.Minute, Log: slog.New(slog.DiscardHandler), Pools: []redisjobs.Pool{{Kinds: []jobs.Kind{jobs.TrainFold}, Concurrency: 1}},
		Handler: func(ctx context.Context, task jobs.Task) error {
			if !strings.HasPrefix(task.Job, id) {
				return nil
			}
			return p.Handle(ctx, task)
		},
	}
	go func() { served <- server.Serve(ctx) }()
	calls := <-b.claimed
	stop()
	if err := <-served; err != nil {
		t.Error(err)
	}
	t.Logf("%d folds wait: %d requests of storage until one is claimed", waiting, calls)
	if calls > 3 {
		t.Errorf("%d requests, want 3: the job's record, and the fold's read and written", calls)
	}
}

// foldStore is a store that tells when a fold's record is written.
type foldStore struct {
	jobs.Store
	claimed func()
}

func (s *foldStore) UpdateFold(ctx context.Context, job string, index int, change func(*jobs.Fold) error) (*jobs.Fold, error) {
	f, err := s.Store.UpdateFold(ctx, job, index, change)
	s.claimed()
	return f, err
}

var _ storage.Bucket = (*claims)(nil)
