package retention_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"polyid-trainer/data"
	"polyid-trainer/jobs"
	"polyid-trainer/jobs/records"
	"polyid-trainer/jobs/retention"
	"polyid-trainer/storage"
	"polyid-trainer/storage/file"
)

const day = 24 * time.Hour

// ended is long enough ago that no lease or lock of today is in the way.
var ended = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

// house is records in a directory, and a clock.
type house struct {
	*testing.T
	bucket storage.Bucket
	store  *records.Store
	now    time.Time
}

func newHouse(t *testing.T) *house {
	t.Helper()
	b, err := file.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return &house{t, b, records.New(b), ended}
}

func (h *house) service(p retention.Policy) *retention.Service {
	return &retention.Service{
		Policy: p, Jobs: h.store, Bucket: h.bucket,
		Now: func() time.Time { return h.now }, Log: slog.New(slog.DiscardHandler),
	}
}

// job creates one with objects of its own and moves it.
func (h *house) job(moves ...func(*jobs.Job) error) string {
	h.Helper()
	spec := jobs.DefaultSpec()
	spec.Dataset = data.Names{"x"}
	j, err := jobs.New(ended, "tester", spec)
	if err != nil {
		h.Fatal(err)
	}
	if err := h.store.Create(h.Context(), j); err != nil {
		h.Fatal(err)
	}
	for _, name := range []string{"folds/0/checkpoints/a", "folds/1/checkpoints/b", "folds/0/models/a", "folds/0/history.json", "model/config.json"} {
		if _, err := h.bucket.Put(h.Context(), "jobs/"+j.ID+"/"+name, strings.NewReader(""), 0, storage.Condition{}); err != nil {
			h.Fatal(err)
		}
	}
	for _, move := range moves {
		if _, err := h.store.UpdateJob(h.Context(), j.ID, move); err != nil {
			h.Fatal(err)
		}
	}
	return j.ID
}

// has counts a job's objects, and the checkpoints among them.
func (h *house) has(id string) (all, checkpoints int) {
	h.Helper()
	for e, err := range h.bucket.List(h.Context(), "jobs/"+id+"/") {
		if err != nil {
			h.Fatal(err)
		}
		all++
		if strings.Contains(e.Key, "/checkpoints/") {
			checkpoints++
		}
	}
	return all, checkpoints
}

var (
	start     = func(j *jobs.Job) error { return j.Start(ended) }
	fail      = func(j *jobs.Job) error { return j.Fail(ended, jobs.Failure{}) }
	cancel    = func(j *jobs.Job) error { return j.Cancel(ended) }
	pause     = func(j *jobs.Job) error { return j.Pause(ended, "requested") }
	train     = func(j *jobs.Job) error { return j.Train(jobs.Prepared{}, nil) }
	finalize  = func(j *jobs.Job) error { return j.Finalize(ended) }
	succeed   = func(j *jobs.Job) error { return j.Succeed(ended) }
	succeeded = []func(*jobs.Job) error{start, train, finalize, succeed}
)

func TestSweep(t *testing.T) {
	h := newHouse(t)
	kinds := map[string]string{
		"succeeded":  h.job(succeeded...),
		"published":  h.job(append(slices.Clone(succeeded), func(j *jobs.Job) error { return j.Advance(jobs.Publishing, "") })...),
		"failed":     h.job(start, fail),
		"cancelled":  h.job(cancel),
		"paused":     h.job(start, train, pause),
		"training":   h.job(start, train),
		"queued":     h.job(),
		"taken up":   h.job(start, fail, (*jobs.Job).Resume),
		"late start": h.job(start, func(j *jobs.Job) error { return j.Fail(ended.Add(200*day), jobs.Failure{}) }),
	}
	s := h.service(retention.Policy{})
	for _, step := range []struct {
		after time.Duration
		less  map[string][2]int // what kinds have left: objects, checkpoints
	}{
		{7*day - time.Second, nil},
		{7 * day, map[string][2]int{"succeeded": {5, 0}}},
		{365*day - time.Second, map[string][2]int{"succeeded": {5, 0}}},
		{365 * day, map[string][2]int{"succeeded": {}, "failed": {}, "cancelled": {}}},
		{565 * day, map[string][2]int{"succeeded": {}, "failed": {}, "cancelled": {}, "late start": {}}},
	} {
		h.now = ended.Add(step.after)
		for range 2 { // as often as one likes
			if err := s.Sweep(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		for kind, id := range kinds {
			want, ok := step.less[kind]
			if !ok {
				want = [2]int{7, 2}
			}
			if all, checkpoints := h.has(id); all != want[0] || checkpoints != want[1] {
				t.Errorf("after %s the %s job has %d objects, %d of them checkpoints; want %v", step.after, kind, all, checkpoints, want)
			}
		}
	}
}

func TestKeptForGood(t *testing.T) {
	h := newHouse(t)
	id := h.job(succeeded...)
	h.now = ended.Add(100 * 365 * day)
	if err := h.service(retention.Policy{Checkpoints: -1, Records: -1}).Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if all, _ := h.has(id); all != 7 {
		t.Errorf("%d objects are left", all)
	}
}

// expirer remembers what it was told, and fails at will.
type expirer struct {
	before []time.Time
	err    error
}

func (s *expirer) Expire(_ context.Context, before time.Time) (int, error) {
	s.before = append(s.before, before)
	return 1, s.err
}

// Everything is swept, whatever fails.
func TestOthers(t *testing.T) {
	h := newHouse(t)
	id := h.job(start, fail)
	broken := errors.New("broken")
	predictions, keys, forever := &expirer{err: broken}, &expirer{}, &expirer{}
	s := h.service(retention.Policy{Records: day})
	s.Predictions = predictions
	s.Others = []retention.Kept{{"keys", day, keys}, {"forever", -1, forever}}
	h.now = ended.Add(30 * day)
	if err := s.Sweep(t.Context()); !errors.Is(err, broken) {
		t.Errorf("Sweep = %v", err)
	}
	if all, _ := h.has(id); all != 0 {
		t.Errorf("the job has %d objects left", all)
	}
	if want := []time.Time{ended.Add(23 * day)}; !slices.Equal(predictions.before, want) {
		t.Errorf("predictions expired before %v, want %v", predictions.before, want)
	}
	if want := []time.Time{ended.Add(29 * day)}; !slices.Equal(keys.before, want) {
		t.Errorf("keys expired before %v, want %v", keys.before, want)
	}
	if len(forever.before) > 0 {
		t.Error("what is kept for good expired")
	}
}
