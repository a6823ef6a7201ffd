package records_test

import (
	"reflect"
	"testing"
	"time"

	"polyid-trainer/jobs"
	"polyid-trainer/jobs/records"
)

// charge lets a worker spend time, ending at a moment, on a fold.
func charge(t *testing.T, s *records.Store, job string, fold int, worker string, at time.Time, worked time.Duration) {
	t.Helper()
	_, err := s.UpdateFold(t.Context(), job, fold, func(f *jobs.Fold) error {
		f.Worker = worker
		f.Charge(at, worked, 2)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// active makes s put the jobs that have ended to rest.
func active(t *testing.T, s *records.Store) {
	t.Helper()
	if _, err := s.Active(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestUsage(t *testing.T) {
	b := bucket(t)
	s := records.New(b)
	feb := time.Date(2026, 2, 1, 0, 30, 0, 0, time.UTC)
	move := func(id string, change func(*jobs.Job) error) {
		t.Helper()
		if _, err := s.UpdateJob(t.Context(), id, change); err != nil {
			t.Fatal(err)
		}
	}
	started := func() string {
		j := create(t, s)
		move(j.ID, func(j *jobs.Job) error { return j.Start(noon) })
		if err := s.CreateFolds(t.Context(), j.ID, 2); err != nil {
			t.Fatal(err)
		}
		return j.ID
	}
	want := func(when, month string, want ...records.Charge) {
		t.Helper()
		have, err := s.Usage(t.Context(), month)
		if err != nil || !reflect.DeepEqual(have, want) {
			t.Errorf("%s: usage of %s is %+v, %v; want %+v", when, month, have, err, want)
		}
	}
	want("before any job", "2026-01")

	id := started()
	charge(t, s, id, 0, "b:2", noon, time.Hour)
	charge(t, s, id, 1, "b:2", noon, time.Hour)
	charge(t, s, id, 1, "a:1", noon, 30*time.Minute)
	charge(t, s, id, 0, "b:2", feb, time.Hour)
	january := []records.Charge{
		{Job: id, Owner: "tester", Worker: "a:1", Seconds: 1800, USD: 1},
		{Job: id, Owner: "tester", Worker: "b:2", Seconds: 7200, USD: 4},
	}
	february := records.Charge{Job: id, Owner: "tester", Worker: "b:2", Seconds: 3600, USD: 2}
	want("while it trains", "2026-01", january...)
	want("while it trains", "2026-02", february)
	want("while it trains", "2026-03")

	move(id, func(j *jobs.Job) error { return j.Fail(noon, jobs.Failure{}) })
	want("when it has ended", "2026-01", january...)
	active(t, s)
	want("at rest", "2026-01", january...)

	// Taken up again, it goes on spending.
	move(id, (*jobs.Job).Resume)
	charge(t, s, id, 0, "b:2", feb, time.Hour)
	february.Seconds, february.USD = 7200, 4
	want("taken up again", "2026-02", february)
	move(id, func(j *jobs.Job) error { return j.Fail(noon, jobs.Failure{}) })
	active(t, s)

	// A newer job comes first, and deleting takes nothing off the bill.
	next := started()
	charge(t, s, next, 0, "c:3", feb, time.Hour)
	if err := s.DeleteJob(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	both := []records.Charge{{Job: next, Owner: "tester", Worker: "c:3", Seconds: 3600, USD: 2}, february}
	if next < id { // within a millisecond, ids are in no order
		both[0], both[1] = both[1], both[0]
	}
	want("deleted", "2026-02", both...)
	want("deleted", "2026-01", january...)

	for _, month := range []string{"", "2026", "2026-13", "2026-00", "../../x", "2026-01-01"} {
		if _, err := s.Usage(t.Context(), month); jobs.ErrorCode(err) != jobs.Invalid {
			t.Errorf("Usage(%q) = %v", month, err)
		}
	}
}

// A job that has ended stays active until its worker has let go of it, or what
// the worker still adds would be lost.
func TestRestWaitsForWorkers(t *testing.T) {
	s := records.New(bucket(t))
	j := create(t, s)
	if err := s.CreateFolds(t.Context(), j.ID, 1); err != nil {
		t.Fatal(err)
	}
	fold := func(change func(*jobs.Fold) error) {
		t.Helper()
		if _, err := s.UpdateFold(t.Context(), j.ID, 0, change); err != nil {
			t.Fatal(err)
		}
	}
	fold(func(f *jobs.Fold) error { return f.Lease.Claim(time.Now(), "w", "token", time.Minute) })
	if _, err := s.UpdateJob(t.Context(), j.ID, func(j *jobs.Job) error { return j.Cancel(noon) }); err != nil {
		t.Fatal(err)
	}
	active(t, s)
	charge(t, s, j.ID, 0, "w", noon, time.Hour)
	fold(func(f *jobs.Fold) error { return f.Leave("token", jobs.FoldCancelled) })
	active(t, s)
	if used, err := s.Usage(t.Context(), "2026-01"); err != nil || len(used) != 1 || used[0].Seconds != 3600 {
		t.Errorf("usage %+v, %v", used, err)
	}
}
