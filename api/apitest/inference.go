package apitest

import (
	"context"
	"log/slog"
	"net/http/httptest"
	"sync"
	"testing"

	"polyid-trainer/jobs"
	"polyid-trainer/jobs/predictions"
	"polyid-trainer/nn/cpu"
	"polyid-trainer/nn/revision/revisiontest"
	"polyid-trainer/storage"
	"polyid-trainer/storage/file"
	"polyid-trainer/storage/hub"
	"polyid-trainer/storage/hub/hubserver"
	"polyid-trainer/worker/predict"
)

// HubRepo is the repository that the services of this package publish to.
const HubRepo = "polyid/polyid-models"

// Tasks is a jobs.Queue that remembers.
type Tasks struct {
	sync.Mutex
	Held []jobs.Task
	Err  error
}

// Ready implements httpapi.Queue.
func (q *Tasks) Ready(context.Context) error { return nil }

// Enqueue implements jobs.Queue.
func (q *Tasks) Enqueue(_ context.Context, t jobs.Task) error {
	q.Lock()
	defer q.Unlock()
	if q.Err != nil {
		return q.Err
	}
	q.Held = append(q.Held, t)
	return nil
}

// Inference is what predicts, with a Hub of its own.
type Inference struct {
	Hub       *hub.Client
	Models    *predict.Models
	Predictor *predict.Predictor
	Store     *predictions.Store
	Queue     *Tasks
	Storage   storage.Bucket
	Default   jobs.Revision

	t *testing.T
}

// NewInference makes one that nothing has been published to.
func NewInference(t *testing.T) *Inference {
	t.Helper()
	handler, err := hubserver.New(hubserver.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	b, err := file.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	in := &Inference{t: t, Store: predictions.NewStore(b), Queue: &Tasks{}, Storage: b, Default: jobs.Revision{Repo: HubRepo, Revision: "main"}}
	if in.Hub, err = hub.New(hub.Config{Endpoint: server.URL, CacheDir: t.TempDir(), Client: server.Client(), Retries: -1}); err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	in.Models = predict.NewModels(predict.ModelsConfig{Hub: in.Hub, NewEngine: cpu.New, Default: in.Default, Log: log})
	in.Predictor = predict.New(predict.Config{Models: in.Models, Store: in.Store, Worker: "host:1", Log: log})
	return in
}

// Publish commits a revision to main and loads it.
func (in *Inference) Publish(seed uint64) (commit string) {
	in.t.Helper()
	commit = in.Commit(seed)
	in.Models.Refresh(in.t.Context())
	if err := in.Models.Ready(); err != nil {
		in.t.Fatal(err)
	}
	return commit
}

// Commit commits a revision to main, which nobody is told.
func (in *Inference) Commit(seed uint64) (commit string) {
	in.t.Helper()
	ctx := in.t.Context()
	if err := in.Hub.EnsureRepo(ctx, HubRepo, false); err != nil {
		in.t.Fatal(err)
	}
	var add []hub.File
	for path, body := range revisiontest.TinyFiles(in.t, 2, seed) {
		add = append(add, hub.Bytes(path, body))
	}
	commit, err := in.Hub.Commit(ctx, HubRepo, "main", hub.Commit{Summary: "trained", Add: add})
	if err != nil {
		in.t.Fatal(err)
	}
	return commit
}

// Work works off what is on the queue.
func (in *Inference) Work() {
	in.t.Helper()
	for _, task := range in.Queue.Held {
		if err := in.Predictor.Handle(in.t.Context(), task); err != nil {
			in.t.Fatal(err)
		}
	}
	in.Queue.Held = nil
}
