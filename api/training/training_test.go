package training_test

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"polyid-trainer/api/datasets"
	"polyid-trainer/api/estimate"
	"polyid-trainer/api/training"
	"polyid-trainer/data"
	"polyid-trainer/jobs"
	"polyid-trainer/jobs/idempotency"
	"polyid-trainer/jobs/keys"
	"polyid-trainer/jobs/records"
	"polyid-trainer/nn/cpu"
	"polyid-trainer/nn/train"
	"polyid-trainer/storage"
	"polyid-trainer/storage/file"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

// queue is a Queue that remembers.
type queue struct {
	mu    sync.Mutex
	tasks []string
}

func (q *queue) Ready(context.Context) error { return nil }

func (q *queue) Enqueue(_ context.Context, t jobs.Task) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.tasks = append(q.tasks, t.ID())
	return nil
}

// live is a Live without any folds.
type live struct{}

func (live) Progress(context.Context, string, int) ([]json.RawMessage, error) { return nil, nil }
func (live) Tell(context.Context, string, jobs.Control) error                 { return nil }
func (live) Subscribe(context.Context, string) <-chan jobs.Update             { return nil }

func newService(t *testing.T) (*training.Service, storage.Bucket, *queue) {
	t.Helper()
	b, err := file.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	now, q := func() time.Time { return noon }, &queue{}
	return &training.Service{
		Store: records.New(b), Queue: q, Live: live{}, Bucket: b, Library: datasets.New(b, datasets.Limits{}, now),
		Keys: idempotency.New(b, now), Estimator: &estimate.Estimator{NewEngine: cpu.New, Parallel: 1},
		HubRepo: "polyid/polyid-models", Now: now,
	}, b, q
}

// request asks for a job of the shipped table; change may alter it.
func request(change func(*jobs.Spec)) training.Request {
	s := jobs.DefaultSpec()
	s.Dataset = data.Names{"stereopolymer_input_nopush"}
	if change != nil {
		change(&s)
	}
	return training.Request{Owner: "ann", Spec: s}
}

func pointers(ps []jobs.Problem) []string {
	var at []string
	for _, p := range ps {
		at = append(at, p.Pointer)
	}
	slices.Sort(at)
	return slices.Compact(at)
}

// A job is stored with its table before its record, and its first task enqueued;
// what it can be told follows its state.
func TestSubmit(t *testing.T) {
	t.Parallel()
	s, b, q := newService(t)
	j, err := s.Submit(t.Context(), request(nil))
	if err != nil {
		t.Fatal(err)
	}
	if j.Owner != "ann" || j.Spec.Publish.Repo != "polyid/polyid-models" || j.Memory == 0 {
		t.Errorf("the job is %+v", j)
	}
	if want := []string{j.ID + ":prepare:0"}; !slices.Equal(q.tasks, want) {
		t.Errorf("enqueued %v, want %v", q.tasks, want)
	}
	o, err := b.Get(t.Context(), keys.Dataset(j.ID))
	if err != nil {
		t.Fatal(err)
	}
	o.Close()
	if err := s.Delete(t.Context(), j.ID); jobs.ErrorCode(err) != jobs.Conflict {
		t.Errorf("an active job is deleted: %v", err)
	}
	if j, err = s.Pause(t.Context(), j.ID); err != nil || j.State != jobs.Paused {
		t.Errorf("paused: %v, %v", j, err)
	}
	budget := 5.0
	if _, err := s.Resume(t.Context(), j.ID, &budget); jobs.ErrorCode(err) != jobs.Invalid {
		t.Errorf("a budget without a price: %v", err)
	}
	if j, err = s.Resume(t.Context(), j.ID, nil); err != nil || j.State != jobs.Queued {
		t.Errorf("resumed: %v, %v", j, err)
	}
	if j, err = s.Cancel(t.Context(), j.ID); err != nil || j.State != jobs.Cancelled {
		t.Errorf("cancelled: %v, %v", j, err)
	}
	if err := s.Delete(t.Context(), j.ID); err != nil {
		t.Errorf("deleted: %v", err)
	}
}

// Whatever numbers a job holds, it is answered with problems, at once and in the
// memory of a small request.
func TestEstimateOfAbsurdNumbers(t *testing.T) {
	t.Parallel()
	s, _, _ := newService(t)
	const huge = 1_000_000_000_000
	for name, c := range map[string]struct {
		change func(*jobs.Spec)
		at     string
	}{
		"folds":    {func(s *jobs.Spec) { s.KFolds = huge }, "/kfolds"},
		"epochs":   {func(s *jobs.Spec) { s.Epochs = huge }, "/epochs"},
		"batch":    {func(s *jobs.Spec) { s.BatchSize = huge }, "/batch_size"},
		"negative": {func(s *jobs.Spec) { s.BatchSize, s.KFolds = -huge, -huge }, "/batch_size /kfolds"},
		"network":  {func(s *jobs.Spec) { s.Model.AtomFeatures, s.Model.NumMessages = huge, huge }, "/model/atom_features /model/num_messages"},
		"chains":   {func(s *jobs.Spec) { s.Chains.DP, s.Chains.Replicates = huge, huge }, "/chains/dp /chains/replicates"},
		"holdout":  {func(s *jobs.Spec) { s.Holdout = &data.Holdout{Fraction: huge} }, "/holdout/fraction"},
		"rows":     {func(s *jobs.Spec) { s.Holdout = &data.Holdout{Rows: []int{huge}} }, "/holdout"},
		"patience": {func(s *jobs.Spec) { s.EarlyStopping.Patience = huge }, "/early_stopping/patience"},
		"budget":   {func(s *jobs.Spec) { s.MaxUSD = 1e300 }, "/max_cost_usd"},
	} {
		r := request(nil)
		r.Spec.EarlyStopping = &train.EarlyStopping{Patience: 20}
		c.change(&r.Spec)
		e, err := s.Estimate(t.Context(), r)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if have := strings.Join(pointers(e.Problems), " "); have != c.at {
			t.Errorf("%s: problems %+v, want them at %q", name, e.Problems, c.at)
		}
		if e.Spec != nil || e.MS != nil {
			t.Errorf("%s: it was measured", name)
		}
	}
}

// A network that does not fit is refused with what it needs and what there is,
// where this process trains; elsewhere its steps are not measured here.
func TestMemoryLimit(t *testing.T) {
	t.Parallel()
	s, _, _ := newService(t)
	s.MemoryLimit, s.TrainsHere = 1e9, true
	large := request(func(s *jobs.Spec) { s.Model.AtomFeatures, s.Model.NumMessages = 1024, 64 })
	_, err := s.Submit(t.Context(), large)
	if jobs.ErrorCode(err) != jobs.Invalid || !strings.Contains(err.Error(), "/model") || !strings.Contains(err.Error(), "1.0 GB") || !strings.Contains(err.Error(), "MEMORY_LIMIT") {
		t.Errorf("a network of a billion weights: %v", err)
	}
	if _, err := s.Submit(t.Context(), request(nil)); err != nil {
		t.Errorf("the default job in 1 GB: %v", err)
	}
	s.TrainsHere = false
	e, err := s.Estimate(t.Context(), large)
	if err != nil || len(e.Problems) > 0 || e.MS != nil || e.MemoryMB == nil || *e.MemoryMB < 10_000 {
		t.Errorf("for workers elsewhere: %+v, %v", e, err)
	}
}

// A name that the Hub would refuse after training is refused before it.
func TestNames(t *testing.T) {
	t.Parallel()
	s, _, _ := newService(t)
	for name, at := range map[string]string{
		"refs/pr/1": "/publish/branch", "x/": "/publish/branch", "a//b": "/publish/branch", "HEAD": "/publish/branch", "v1.0.0": "/publish/branch",
		"datasets/x": "/publish/repo", "api/x": "/publish/repo", "acme/a--b": "/publish/repo", "acme/x.git": "/publish/repo",
	} {
		r := request(func(s *jobs.Spec) {
			d := &jobs.Destination{Repo: "acme/tg", Branch: name, Promote: jobs.PromoteAlways}
			if at == "/publish/repo" {
				d.Repo, d.Branch = name, "main"
			}
			s.Publish = d
		})
		_, err := s.Submit(t.Context(), r)
		if jobs.ErrorCode(err) != jobs.Invalid || !strings.Contains(err.Error(), at) {
			t.Errorf("%s: %v, want a problem at %s", name, err, at)
		}
	}
}
