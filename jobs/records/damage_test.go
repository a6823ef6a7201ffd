package records_test

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"polyid-trainer/jobs"
	"polyid-trainer/jobs/lease"
	"polyid-trainer/jobs/records"
	"polyid-trainer/storage"
)

// damages are bodies that no record can have.
var damages = map[string]string{
	"empty": "", "cut": `{"schema":1,"version":3,"record":{"id":"tj_`, "zeros": "\x00\x00\x00", "newer": `{"schema":99,"record":{"id":1}}`,
	"no record": `{"schema":1,"version":1}`, "of no job": `{"schema":1,"version":1,"record":{}}`, "a list": `[1]`,
}

func overwrite(t *testing.T, b storage.Bucket, key, body string) {
	t.Helper()
	if _, err := b.Put(t.Context(), key, strings.NewReader(body), int64(len(body)), storage.Condition{}); err != nil {
		t.Fatal(err)
	}
}

// tasks is a jobs.Queue that remembers.
type tasks []string

func (q *tasks) Enqueue(_ context.Context, t jobs.Task) error {
	*q = append(*q, t.ID())
	return nil
}

// One damaged job is left out and counted; the others are listed and healed.
func TestDamagedJob(t *testing.T) {
	for name, body := range damages {
		t.Run(name, func(t *testing.T) {
			b := bucket(t)
			s := records.New(b)
			first, lost, last := create(t, s), create(t, s), create(t, s)
			overwrite(t, b, "jobs/"+lost.ID+"/job.json", body)
			if _, err := s.Job(t.Context(), lost.ID); jobs.ErrorCode(err) != jobs.Damaged {
				t.Errorf("Job = %v, want an error of code %s", err, jobs.Damaged)
			}
			if _, err := s.UpdateJob(t.Context(), lost.ID, func(*jobs.Job) error { return nil }); jobs.ErrorCode(err) != jobs.Damaged {
				t.Errorf("UpdateJob = %v", err)
			}
			for _, f := range []jobs.Filter{{}, {States: []jobs.State{jobs.Queued}}, {States: []jobs.State{jobs.Queued, jobs.Failed}}} {
				page, err := s.Jobs(t.Context(), f)
				if err != nil || len(page.Jobs) != 2 || page.Damaged != 1 {
					t.Errorf("Jobs(%v) = %+v, %v", f, page, err)
				}
			}
			var q tasks
			r := &jobs.Reconciler{Store: s, Queue: &q, Leases: &lease.Observer{}, Now: time.Now, Log: slog.New(slog.DiscardHandler)}
			if err := r.Reconcile(t.Context()); err != nil {
				t.Error(err)
			}
			for _, j := range []*jobs.Job{first, last} {
				if !slices.Contains(q, jobs.Task{Kind: jobs.Prepare, Job: j.ID}.ID()) {
					t.Errorf("%s was not healed: %v", j.ID, q)
				}
			}
			if _, err := s.CountEnded(t.Context()); err != nil {
				t.Error(err)
			}
			if _, err := s.Usage(t.Context(), "2026-01"); err != nil {
				t.Error(err)
			}
			if err := s.Sweep(t.Context(), noon.Add(48*time.Hour)); err != nil {
				t.Error(err)
			}
		})
	}
}

// training is a job whose folds are being trained.
func training(t *testing.T, s *records.Store, folds int) *jobs.Job {
	t.Helper()
	j := create(t, s)
	if err := s.CreateFolds(t.Context(), j.ID, folds); err != nil {
		t.Fatal(err)
	}
	j, err := s.UpdateJob(t.Context(), j.ID, func(j *jobs.Job) error {
		if err := j.Start(noon); err != nil {
			return err
		}
		return j.Train(jobs.Prepared{Folds: make([]jobs.Size, folds)}, nil)
	})
	if err != nil {
		t.Fatal(err)
	}
	return j
}

// A job of which a fold is damaged, or gone, fails with that reason; others go on.
func TestDamagedFold(t *testing.T) {
	for name, body := range damages {
		t.Run(name, func(t *testing.T) {
			b := bucket(t)
			s := records.New(b)
			lost, sound := training(t, s, 3), training(t, s, 3)
			overwrite(t, b, "jobs/"+lost.ID+"/folds/1.json", body)
			failsDamaged(t, s, lost, sound)
		})
	}
	for _, fold := range []string{"0", "2"} {
		t.Run("removed "+fold, func(t *testing.T) {
			b := bucket(t)
			s := records.New(b)
			lost, sound := training(t, s, 3), training(t, s, 3)
			if err := b.Delete(t.Context(), "jobs/"+lost.ID+"/folds/"+fold+".json"); err != nil {
				t.Fatal(err)
			}
			failsDamaged(t, s, lost, sound)
		})
	}
}

func failsDamaged(t *testing.T, s *records.Store, lost, sound *jobs.Job) {
	t.Helper()
	var q tasks
	r := &jobs.Reconciler{Store: s, Queue: &q, Leases: &lease.Observer{}, Now: time.Now, Log: slog.New(slog.DiscardHandler)}
	if err := r.Reconcile(t.Context()); err != nil {
		t.Error(err)
	}
	j, err := s.Job(t.Context(), lost.ID)
	if err != nil || j.State != jobs.Failed || j.Failure.Code != string(jobs.Damaged) || !strings.Contains(j.Failure.Detail, "doctor") {
		t.Errorf("the job with a damaged fold is %+v, %v", j, err)
	}
	if len(q) != 3 || !strings.HasPrefix(q[0], sound.ID) {
		t.Errorf("enqueued %v, want the three folds of %s", q, sound.ID)
	}
	if _, err := s.Active(t.Context()); err != nil { // its usage cannot be read
		t.Error(err)
	}
}

// A damaged ledger keeps nothing but itself from being read.
func TestDamagedLedger(t *testing.T) {
	b := bucket(t)
	s := records.New(b)
	overwrite(t, b, "usage/2026-01.json", "{")
	j := training(t, s, 1)
	charge(t, s, j.ID, 0, "w", noon, time.Hour)
	if _, err := s.UpdateJob(t.Context(), j.ID, func(j *jobs.Job) error { return j.Cancel(noon) }); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Usage(t.Context(), "2026-01"); jobs.ErrorCode(err) != jobs.Damaged {
		t.Errorf("Usage = %v", err)
	}
	other := create(t, s)
	found, err := s.Active(t.Context())
	if err != nil || len(found) != 1 || found[0].ID != other.ID {
		t.Errorf("Active = %v, %v", found, err)
	}
	if used, err := s.Usage(t.Context(), "2026-02"); err != nil || len(used) != 0 {
		t.Errorf("Usage of another month = %v, %v", used, err)
	}
}
