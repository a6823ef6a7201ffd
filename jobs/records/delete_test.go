package records_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"polyid-trainer/jobs"
	"polyid-trainer/jobs/records"
	"polyid-trainer/storage"
	"polyid-trainer/storage/storagetest"
)

// later is when every deletion may be swept.
var later = time.Now().Add(24 * time.Hour)

// finished creates a job that has failed and left objects of all kinds.
func finished(t *testing.T, b storage.Bucket, s *records.Store) *jobs.Job {
	t.Helper()
	j := create(t, s)
	if err := s.CreateFolds(t.Context(), j.ID, 2); err != nil {
		t.Fatal(err)
	}
	charge(t, s, j.ID, 1, "w", noon, time.Hour)
	for _, name := range []string{"dataset.csv", "prepared.json", "folds/0/checkpoints/0001.safetensors", "model/config.json", "webhooks/evt_x.json"} {
		put(t, b, "jobs/"+j.ID+"/"+name)
	}
	if _, err := s.UpdateJob(t.Context(), j.ID, func(j *jobs.Job) error { return j.Fail(noon, jobs.Failure{Code: "x"}) }); err != nil {
		t.Fatal(err)
	}
	return j
}

func put(t *testing.T, b storage.Bucket, key string) {
	t.Helper()
	if _, err := b.Put(t.Context(), key, strings.NewReader("x"), 1, storage.Condition{}); err != nil {
		t.Fatal(err)
	}
}

// of lists the keys that have to do with a job, except what remembers it.
func of(t *testing.T, b storage.Bucket, id string) []string {
	t.Helper()
	var keys []string
	for e, err := range b.List(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		inverted := strings.HasPrefix(e.Key, "index/jobs/") || strings.HasPrefix(e.Key, "index/ended/")
		if strings.Contains(e.Key, id) && !strings.HasPrefix(e.Key, "index/deleted/") || inverted {
			keys = append(keys, e.Key)
		}
	}
	return keys
}

func TestDeleteJob(t *testing.T) {
	b := bucket(t)
	s := records.New(b)
	j := finished(t, b, s)
	if err := s.DeleteJob(t.Context(), j.ID); err != nil {
		t.Fatal(err)
	}
	if keys := of(t, b, j.ID); len(keys) > 0 {
		t.Errorf("left behind: %v", keys)
	}
	if _, err := s.Job(t.Context(), j.ID); jobs.ErrorCode(err) != jobs.NotFound {
		t.Errorf("the job is still there: %v", err)
	}
	if err := s.DeleteJob(t.Context(), j.ID); jobs.ErrorCode(err) != jobs.NotFound {
		t.Errorf("deleting again = %v, want not found", err)
	}
	// A worker that had not noticed writes once more.
	put(t, b, "jobs/"+j.ID+"/folds/0/checkpoints/0002.safetensors")
	if err := s.Sweep(t.Context(), time.Now()); err != nil || len(of(t, b, j.ID)) != 1 {
		t.Errorf("swept too early: %v", err)
	}
	if err := s.Sweep(t.Context(), later); err != nil {
		t.Fatal(err)
	}
	for e, err := range b.List(t.Context(), "") {
		if err != nil || strings.Contains(e.Key, j.ID) {
			t.Errorf("left after the sweep: %s, %v", e.Key, err)
		}
	}
}

func TestDeleteIsRefused(t *testing.T) {
	b := bucket(t)
	s := records.New(b)
	active := create(t, s)
	held := finished(t, b, s)
	// The worker has not let go of the fold.
	if _, err := s.UpdateFold(t.Context(), held.ID, 1, func(f *jobs.Fold) error { return f.Lease.Claim(time.Now(), "w", "t", time.Minute) }); err != nil {
		t.Fatal(err)
	}
	for _, j := range []*jobs.Job{active, held} {
		before := len(of(t, b, j.ID))
		if err := s.DeleteJob(t.Context(), j.ID); jobs.ErrorCode(err) != jobs.Conflict {
			t.Errorf("DeleteJob = %v, want a conflict", err)
		}
		if after := len(of(t, b, j.ID)); after != before {
			t.Errorf("a refused deletion left %d of %d objects", after, before)
		}
	}
	if err := s.DeleteJob(t.Context(), jobs.NewID(jobs.TrainingJobPrefix)); jobs.ErrorCode(err) != jobs.NotFound {
		t.Errorf("DeleteJob of none = %v", err)
	}
}

// Cut short at every single call, a deletion leaves the job whole or gone for
// its readers, and a sweep takes the rest away.
func TestDeleteCutShort(t *testing.T) {
	for at := 0; ; at++ {
		b := bucket(t)
		j := finished(t, b, records.New(b))
		calls := 0
		dying := &storagetest.Faulty{Bucket: b, Fail: func(call int, _, _ string) storagetest.Fault {
			calls = call + 1
			if call >= at {
				return storagetest.Refused
			}
			return storagetest.None
		}}
		err := records.New(dying).DeleteJob(t.Context(), j.ID)
		if err == nil {
			if calls != at {
				t.Fatalf("deleting took %d calls, %d were allowed", calls, at)
			}
			break
		}
		s := records.New(b)
		_, findErr := s.Job(t.Context(), j.ID)
		if err := s.Sweep(t.Context(), later); err != nil {
			t.Fatalf("at call %d: %v", at, err)
		}
		if used, err := s.Usage(t.Context(), "2026-01"); err != nil || findErr != nil && (len(used) != 1 || used[0].Seconds != 3600) {
			t.Errorf("at call %d: the job's usage is %v, %v", at, used, err)
		}
		left := of(t, b, j.ID)
		page, err := s.Jobs(t.Context(), jobs.Filter{States: []jobs.State{jobs.Failed}})
		switch whole := findErr == nil; {
		case err != nil:
			t.Fatal(err)
		case whole && (len(left) < 9 || len(page.Jobs) != 1):
			t.Errorf("at call %d: the job is there, but only %v", at, left)
		case !whole && (jobs.ErrorCode(findErr) != jobs.NotFound || len(left) > 0 || len(page.Jobs) > 0):
			t.Errorf("at call %d: the job is gone (%v), but %v", at, findErr, left)
		}
	}
}

func TestJobsByState(t *testing.T) {
	b := bucket(t)
	s := records.New(b)
	moves := map[jobs.State]func(*jobs.Job) error{
		jobs.Queued:    func(*jobs.Job) error { return nil },
		jobs.Failed:    func(j *jobs.Job) error { return j.Fail(noon, jobs.Failure{}) },
		jobs.Cancelled: func(j *jobs.Job) error { return j.Cancel(noon) },
		jobs.Paused:    func(j *jobs.Job) error { return j.Pause(noon, "requested") },
	}
	order := []jobs.State{jobs.Failed, jobs.Queued, jobs.Cancelled, jobs.Failed, jobs.Paused, jobs.Failed, jobs.Queued}
	var ids []string
	state := map[string]jobs.State{}
	for range order {
		ids = append(ids, create(t, s).ID)
	}
	slices.Sort(ids) // within a millisecond, ids are in no order
	slices.Reverse(ids)
	for i, st := range order {
		if _, err := s.UpdateJob(t.Context(), ids[i], moves[st]); err != nil {
			t.Fatal(err)
		}
		state[ids[i]] = st
	}
	for _, want := range [][]jobs.State{
		{jobs.Failed}, {jobs.Queued}, {jobs.Paused, jobs.Cancelled}, {jobs.Failed, jobs.Queued, jobs.Failed}, {jobs.Succeeded},
		{jobs.Queued, jobs.Failed, jobs.Cancelled, jobs.Paused},
	} {
		t.Run(fmt.Sprint(want), func(t *testing.T) {
			var have, expect []string
			for _, id := range ids {
				if slices.Contains(want, state[id]) {
					expect = append(expect, id)
				}
			}
			f := jobs.Filter{Limit: 2, States: want}
			for {
				page, err := s.Jobs(t.Context(), f)
				if err != nil || len(page.Jobs) > 2 || page.More && len(page.Jobs) < 2 {
					t.Fatalf("%d jobs, more %v, %v", len(page.Jobs), page.More, err)
				}
				for _, j := range page.Jobs {
					have = append(have, j.ID)
				}
				if !page.More {
					break
				}
				f.After = have[len(have)-1]
			}
			if !slices.Equal(have, expect) {
				t.Errorf("listed %v, want %v", have, expect)
			}
		})
	}
}

// A job that failed and was taken up again has entries of both states.
func TestJobsByStateAfterResume(t *testing.T) {
	b := bucket(t)
	s := records.New(b)
	j := finished(t, b, s)
	if _, err := s.UpdateJob(t.Context(), j.ID, (*jobs.Job).Resume); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		states []jobs.State
		want   int
	}{{[]jobs.State{jobs.Failed}, 0}, {[]jobs.State{jobs.Queued}, 1}, {[]jobs.State{jobs.Failed, jobs.Queued}, 1}} {
		page, err := s.Jobs(t.Context(), jobs.Filter{Limit: 1, States: c.states})
		if err != nil || page.More || len(page.Jobs) != c.want {
			t.Errorf("%v: %d jobs, more %v, %v", c.states, len(page.Jobs), page.More, err)
		}
	}
}

func TestCountEnded(t *testing.T) {
	b := bucket(t)
	s := records.New(b)
	want := func(when string, failed, cancelled int) {
		t.Helper()
		have, err := s.CountEnded(t.Context())
		if err != nil || have[jobs.Failed] != failed || have[jobs.Cancelled] != cancelled || have[jobs.Succeeded] != 0 {
			t.Errorf("%s: %v, %v", when, have, err)
		}
	}
	create(t, s)
	want("one is queued", 0, 0)
	finished(t, b, s)
	again := finished(t, b, s)
	want("two failed", 2, 0)
	active(t, s)
	want("both at rest", 2, 0)
	if _, err := s.UpdateJob(t.Context(), again.ID, (*jobs.Job).Resume); err != nil {
		t.Fatal(err)
	}
	want("one was taken up again", 1, 0)
	if _, err := s.UpdateJob(t.Context(), again.ID, func(j *jobs.Job) error { return j.Cancel(noon) }); err != nil {
		t.Fatal(err)
	}
	want("and cancelled", 1, 1)
	active(t, s)
	want("and at rest", 1, 1)
	if err := s.DeleteJob(t.Context(), again.ID); err != nil {
		t.Fatal(err)
	}
	want("and deleted", 1, 0)
}
