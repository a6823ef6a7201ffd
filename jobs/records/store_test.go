package records_test

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"polyid-trainer/data"
	"polyid-trainer/jobs"
	"polyid-trainer/jobs/lease"
	"polyid-trainer/jobs/records"
	"polyid-trainer/storage"
	"polyid-trainer/storage/file"
	"polyid-trainer/storage/storagetest"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

func bucket(t *testing.T) storage.Bucket {
	t.Helper()
	b, err := file.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func create(t *testing.T, s *records.Store) *jobs.Job {
	t.Helper()
	spec := jobs.DefaultSpec()
	spec.Dataset = data.Names{"x"}
	j, err := jobs.New(noon, "tester", spec)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Create(t.Context(), j); err != nil {
		t.Fatal(err)
	}
	return j
}

func TestJob(t *testing.T) {
	s := records.New(bucket(t))
	j := create(t, s)
	j2, err := s.Job(t.Context(), j.ID)
	if err != nil || j2.State != jobs.Queued || j2.Spec.Dataset[0] != "x" || len(j2.Events) != 1 {
		t.Fatalf("Job = %+v, %v", j2, err)
	}
	for _, id := range []string{"tj_nope", jobs.NewID(jobs.TrainingJobPrefix), "../../" + j.ID} {
		if _, err := s.Job(t.Context(), id); jobs.ErrorCode(err) != jobs.NotFound {
			t.Errorf("Job(%s) = %v, want not found", id, err)
		}
		if _, err := s.UpdateJob(t.Context(), id, func(*jobs.Job) error { return nil }); jobs.ErrorCode(err) != jobs.NotFound {
			t.Errorf("UpdateJob(%s) = %v, want not found", id, err)
		}
	}
	refused := errors.New("refused")
	if _, err := s.UpdateJob(t.Context(), j.ID, func(j *jobs.Job) error { j.State = jobs.Failed; return refused }); !errors.Is(err, refused) {
		t.Errorf("a refused update = %v", err)
	}
	if j2, _ := s.Job(t.Context(), j.ID); j2.State != jobs.Queued {
		t.Errorf("a refused update wrote state %s", j2.State)
	}
}

// A record of a later schema is refused, not misread.
func TestLaterSchema(t *testing.T) {
	b := bucket(t)
	s := records.New(b)
	j := create(t, s)
	body := `{"schema": 99, "record": {"state": ["queued"]}}`
	if _, err := b.Put(t.Context(), "jobs/"+j.ID+"/job.json", strings.NewReader(body), int64(len(body)), storage.Condition{}); err != nil {
		t.Fatal(err)
	}
	_, err := s.Job(t.Context(), j.ID)
	if err == nil || !strings.Contains(err.Error(), "schema 99") {
		t.Errorf("Job = %v, want a word about schema 99", err)
	}
}

func TestJobsNewestFirst(t *testing.T) {
	s := records.New(bucket(t))
	var ids []string
	for range 7 {
		ids = append(ids, create(t, s).ID)
	}
	slices.Sort(ids)
	slices.Reverse(ids)
	if _, err := s.UpdateJob(t.Context(), ids[3], func(j *jobs.Job) error { return j.Cancel(noon) }); err != nil {
		t.Fatal(err)
	}
	var have []string
	filter := jobs.Filter{Limit: 3}
	for {
		page, err := s.Jobs(t.Context(), filter)
		if err != nil || len(page.Jobs) > 3 {
			t.Fatalf("%d jobs, %v", len(page.Jobs), err)
		}
		for _, j := range page.Jobs {
			have = append(have, j.ID)
		}
		if !page.More {
			break
		}
		filter.After = have[len(have)-1]
	}
	if !slices.Equal(have, ids) {
		t.Errorf("listed %v, want %v", have, ids)
	}
	page, err := s.Jobs(t.Context(), jobs.Filter{States: []jobs.State{jobs.Cancelled}})
	if err != nil || page.More || len(page.Jobs) != 1 || page.Jobs[0].ID != ids[3] {
		t.Errorf("cancelled jobs: %v, more %v, %v", page.Jobs, page.More, err)
	}
}

// Trials of searches are listed only for those who ask for them.
func TestJobsWithoutTrials(t *testing.T) {
	s := records.New(bucket(t))
	plain, trial := create(t, s), create(t, s)
	_, err := s.UpdateJob(t.Context(), trial.ID, func(j *jobs.Job) error {
		j.Trial = &jobs.Trial{Search: "se_1"}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		trials bool
		want   []string
	}{{false, []string{plain.ID}}, {true, []string{trial.ID, plain.ID}}} {
		page, err := s.Jobs(t.Context(), jobs.Filter{Trials: c.trials})
		var have []string
		for _, j := range page.Jobs {
			have = append(have, j.ID)
		}
		slices.Sort(have)
		slices.Sort(c.want)
		if err != nil || !slices.Equal(have, c.want) {
			t.Errorf("with trials %v: %v, %v; want %v", c.trials, have, err, c.want)
		}
	}
}

func TestActive(t *testing.T) {
	s := records.New(bucket(t))
	keep, end := create(t, s), create(t, s)
	active := func(want ...string) {
		t.Helper()
		var have []string
		found, err := s.Active(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, j := range found {
			have = append(have, j.ID)
		}
		slices.Sort(have)
		slices.Sort(want)
		if !slices.Equal(have, want) {
			t.Errorf("active %v, want %v", have, want)
		}
	}
	change := func(move func(*jobs.Job) error) {
		t.Helper()
		if _, err := s.UpdateJob(t.Context(), end.ID, move); err != nil {
			t.Fatal(err)
		}
	}
	active(keep.ID, end.ID)
	change(func(j *jobs.Job) error { return j.Fail(noon, jobs.Failure{Code: "x"}) })
	active(keep.ID)
	change((*jobs.Job).Resume) // an ended job that is taken up again is active again
	active(keep.ID, end.ID)
}

// Many writers move one fold by compare-and-set; no change may be lost, though
// one storage call in three fails and some answers are lost.
func TestUpdateUnderFaults(t *testing.T) {
	const writers, steps = 4, 8
	faulty := &storagetest.Faulty{Bucket: bucket(t), Fail: func(call int, op, _ string) storagetest.Fault {
		switch {
		case call%3 == 1:
			return storagetest.Refused
		case call%7 == 2 && op == "put":
			return storagetest.LostAnswer
		}
		return storagetest.None
	}}
	s := records.New(faulty)
	job := jobs.NewID(jobs.TrainingJobPrefix)
	retry := func(try func() error) {
		for try() != nil {
		}
	}
	retry(func() error { return s.CreateFolds(t.Context(), job, 1) })

	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range steps {
				mark := fmt.Sprintf("%d.%d ", w, i)
				retry(func() error {
					_, err := s.UpdateFold(t.Context(), job, 0, func(f *jobs.Fold) error {
						if !strings.Contains(f.LastError, mark) { // a lost answer was written after all
							f.LastError += mark
						}
						return nil
					})
					return err
				})
			}
		})
	}
	wg.Wait()
	var folds []*jobs.Fold
	retry(func() (err error) { folds, err = s.Folds(t.Context(), job); return err })
	if n := len(strings.Fields(folds[0].LastError)); len(folds) != 1 || n != writers*steps {
		t.Errorf("%d of %d changes in the record: %s", n, writers*steps, folds[0].LastError)
	}
}

func TestCreateFoldsKeepsWhatIsThere(t *testing.T) {
	s := records.New(bucket(t))
	job := jobs.NewID(jobs.TrainingJobPrefix)
	if err := s.CreateFolds(t.Context(), job, 2); err != nil {
		t.Fatal(err)
	}
	if _, err := s.UpdateFold(t.Context(), job, 1, func(f *jobs.Fold) error {
		return f.Claim(noon, lease.NewHolder(lease.Terms{}, slog.New(slog.DiscardHandler)), "w", 0)
	}); err != nil {
		t.Fatal(err)
	}
	if err := s.CreateFolds(t.Context(), job, 3); err != nil { // prepare, delivered again
		t.Fatal(err)
	}
	folds, err := s.Folds(t.Context(), job)
	if err != nil || len(folds) != 3 || folds[1].Status != jobs.FoldRunning || folds[2].Status != jobs.FoldQueued {
		t.Errorf("folds %+v, %v", folds, err)
	}
}
