package schedules_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"polyid-trainer/jobs"
	"polyid-trainer/jobs/access"
	"polyid-trainer/jobs/schedules"
	"polyid-trainer/storage/file"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

// world is a service whose time is what a test says, and whose jobs are names.
type world struct {
	t     *testing.T
	store *schedules.Store

	mu   sync.Mutex
	now  time.Time
	made []string // jobs, each once
	fail error    // of making the next
}

func newWorld(t *testing.T) *world {
	bucket, err := file.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return &world{t: t, store: &schedules.Store{Bucket: bucket}, now: noon}
}

func (w *world) add(expression string) *schedules.Schedule {
	w.t.Helper()
	s, err := schedules.New(w.now, "alice", "member", expression, json.RawMessage(`{"epochs": 5}`), "mine")
	if err != nil {
		w.t.Fatal(err)
	}
	if err := w.store.Create(w.t.Context(), s); err != nil {
		w.t.Fatal(err)
	}
	return s
}

// runner is one process.
func (w *world) runner() *schedules.Runner {
	return &schedules.Runner{Store: w.store, Now: func() time.Time { return w.now }, Log: slog.New(slog.DiscardHandler), Make: func(_ context.Context, _ *schedules.Schedule, id string) error {
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.fail != nil {
			return w.fail
		}
		if !slices.Contains(w.made, id) {
			w.made = append(w.made, id)
		}
		return nil
	}}
}

func (w *world) run(at time.Time) error {
	w.now = at
	return w.runner().Run(w.t.Context())
}

func (w *world) expect(at time.Time, jobs int) {
	w.t.Helper()
	if err := w.run(at); err != nil || len(w.made) != jobs {
		w.t.Fatalf("at %s %d jobs were made, want %d, %v", at, len(w.made), jobs, err)
	}
}

// A job is made when it is due, and not before, and once.
func TestDue(t *testing.T) {
	w := newWorld(t)
	s := w.add("0 3 1 */3 *") // on the first of every quarter
	w.expect(noon.Add(24*time.Hour), 0)
	first := time.Date(2026, 4, 1, 3, 0, 0, 0, time.UTC)
	if !s.NextAt.Equal(first) {
		t.Errorf("next at %s", s.NextAt)
	}
	w.expect(first.Add(-time.Second), 0)
	w.expect(first, 1)
	w.expect(first.Add(time.Second), 1)
	w.expect(first.AddDate(0, 3, 0), 2)
	got, err := w.store.Get(t.Context(), s.ID)
	if err != nil || got.Last == nil || got.Last.Job != w.made[1] || !got.Last.At.Equal(first.AddDate(0, 3, 0)) || got.Due != nil {
		t.Errorf("%+v, %v", got, err)
	}
}

// What was due while no process ran is made up for by one job.
func TestDown(t *testing.T) {
	w := newWorld(t)
	s := w.add("@daily")
	w.expect(noon.AddDate(0, 0, 30), 1)
	w.expect(noon.AddDate(0, 0, 30).Add(time.Minute), 1)
	if got, err := w.store.Get(t.Context(), s.ID); err != nil || !got.NextAt.Equal(time.Date(2026, 2, 2, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("%+v, %v", got, err)
	}
}

// A process that dies, or has no storage, at any point leaves one job.
func TestOnce(t *testing.T) {
	w := newWorld(t)
	s := w.add("@daily")
	at := noon.AddDate(0, 0, 1)
	w.fail = &jobs.Error{Code: jobs.Unavailable, Detail: "away"}
	for range 3 {
		if err := w.run(at); !errors.Is(err, w.fail) {
			t.Fatalf("while the service is away: %v", err)
		}
	}
	due, err := w.store.Get(t.Context(), s.ID)
	if err != nil || due.Due == nil {
		t.Fatalf("%+v, %v", due, err)
	}
	w.fail = nil
	w.made = []string{due.Due.Job} // it was made, and the process died before it could say so
	w.expect(at, 1)
	w.expect(at.Add(time.Hour), 1)
}

// Processes that run at once make one job.
func TestTogether(t *testing.T) {
	w := newWorld(t)
	w.add("@daily")
	w.now = noon.AddDate(0, 0, 1)
	var running sync.WaitGroup
	for range 8 {
		running.Go(func() {
			if err := w.runner().Run(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	running.Wait()
	w.expect(w.now, 1)
}

// A job that cannot be made is noted, and the next one tried at its time.
func TestProblem(t *testing.T) {
	w := newWorld(t)
	s := w.add("@daily")
	w.fail = &jobs.Error{Code: jobs.Invalid, Detail: "there is no dataset"}
	w.expect(noon.AddDate(0, 0, 1), 0)
	got, err := w.store.Get(t.Context(), s.ID)
	if err != nil || got.Last == nil || got.Last.Error != "there is no dataset" {
		t.Errorf("%+v, %v", got, err)
	}
	w.fail = nil
	w.expect(noon.AddDate(0, 0, 1).Add(time.Hour), 0)
	w.expect(noon.AddDate(0, 0, 2), 1)
}

func TestExpressions(t *testing.T) {
	for expression, want := range map[string]string{
		"tomorrow": "not a cron expression", "* * * *": "not a cron expression", "@every 5s": "less than a minute apart", "0 0 30 2 *": "never comes", "61 * * * *": "not a cron expression",
	} {
		_, err := schedules.New(noon, "", "", expression, nil, "x")
		if jobs.ErrorCode(err) != jobs.Invalid || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", expression, err, want)
		}
	}
}

// The list is newest first, in pages, and holds what who asks may see.
func TestList(t *testing.T) {
	w := newWorld(t)
	var ids []string
	for range 3 {
		ids = append([]string{w.add("@daily").ID}, ids...)
	}
	list := func(ctx context.Context, after string) (got []string, more bool) {
		page, err := w.store.List(ctx, after, 2)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range page.Schedules {
			got = append(got, s.ID)
		}
		return got, page.More
	}
	first, more := list(t.Context(), "")
	rest, end := list(t.Context(), first[1])
	if !slices.Equal(append(first, rest...), ids) || !more || end {
		t.Errorf("%v %t, %v %t, want %v", first, more, rest, end, ids)
	}
	bob := access.With(t.Context(), access.Identity{Name: "bob", Role: access.Member})
	if got, _ := list(bob, ""); len(got) != 0 {
		t.Errorf("another sees %v", got)
	}
	if err := w.store.Delete(bob, ids[0]); jobs.ErrorCode(err) != jobs.NotFound {
		t.Errorf("another deletes: %v", err)
	}
	if err := w.store.Delete(t.Context(), ids[0]); err != nil {
		t.Fatal(err)
	}
	if got, _ := list(t.Context(), ""); !slices.Equal(got, ids[1:]) {
		t.Errorf("after deletion %v", got)
	}
}
