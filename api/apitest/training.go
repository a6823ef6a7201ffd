package apitest

import (
	"context"
	"encoding/json"
	"slices"
	"sync"
	"testing"
	"time"

	"polyid-trainer/api/datasets"
	"polyid-trainer/api/training"
	"polyid-trainer/jobs"
	"polyid-trainer/jobs/idempotency"
	"polyid-trainer/jobs/records"
	"polyid-trainer/storage"
	"polyid-trainer/storage/file"
)

// Training is a service of training jobs over a directory, a queue and a Live in
// memory.
type Training struct {
	*training.Service
	Records  *records.Store
	Storage  storage.Bucket
	Enqueued *Queue
	Told     *Live
}

// NewTraining makes a service whose clock stands at now.
func NewTraining(t *testing.T, now time.Time) *Training {
	t.Helper()
	b, err := file.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	clock := func() time.Time { return now }
	f := &Training{Records: records.New(b), Storage: b, Enqueued: &Queue{}, Told: &Live{}}
	f.Service = &training.Service{
		Store: f.Records, Queue: f.Enqueued, Live: f.Told, Bucket: b, Library: datasets.New(b, datasets.Limits{}, clock),
		Keys: idempotency.New(b, clock), HubRepo: HubRepo, Now: clock,
	}
	return f
}

// Queue is a jobs.Queue in memory.
type Queue struct {
	mu    sync.Mutex
	Tasks []string // ids
	Down  bool     // takes nothing
	Away  bool     // and says so beforehand
}

// Enqueue implements jobs.Queue.
func (q *Queue) Enqueue(_ context.Context, t jobs.Task) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.Down {
		return &jobs.Error{Code: jobs.Unavailable, Detail: "Redis is away"}
	}
	if !slices.Contains(q.Tasks, t.ID()) {
		q.Tasks = append(q.Tasks, t.ID())
	}
	return nil
}

// Ready implements training.Queue.
func (q *Queue) Ready(context.Context) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.Away {
		return &jobs.Error{Code: jobs.Unavailable, Detail: "Redis is away"}
	}
	return nil
}

// All are the ids of the tasks that were enqueued.
func (q *Queue) All() []string {
	q.mu.Lock()
	defer q.mu.Unlock()
	return slices.Clone(q.Tasks)
}

// Live is a Live in memory.
type Live struct {
	mu       sync.Mutex
	Told     []string
	Reported []json.RawMessage
	watchers map[chan jobs.Update]bool
}

// Progress implements training.Live.
func (l *Live) Progress(context.Context, string, int) ([]json.RawMessage, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.Reported, nil
}

// Tell implements training.Live.
func (l *Live) Tell(_ context.Context, job string, c jobs.Control) error {
	l.mu.Lock()
	l.Told = append(l.Told, string(c))
	l.mu.Unlock()
	l.Send(jobs.Update{Changed: true})
	return nil
}

// Subscribe implements training.Live.
func (l *Live) Subscribe(ctx context.Context, _ string) <-chan jobs.Update {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := make(chan jobs.Update, 100)
	if l.watchers == nil {
		l.watchers = map[chan jobs.Update]bool{}
	}
	l.watchers[c] = true
	context.AfterFunc(ctx, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.watchers, c)
	})
	c <- jobs.Update{Changed: true}
	return c
}

// Send tells whoever watches.
func (l *Live) Send(u jobs.Update) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.watchers {
		c <- u
	}
}

// Offer tells whoever watches and has room for it, and reports whether somebody
// had.
func (l *Live) Offer(u jobs.Update) (taken bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.watchers {
		select {
		case c <- u:
			taken = true
		default:
		}
	}
	return taken
}
