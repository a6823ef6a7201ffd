package pipeline_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"polyid-trainer/jobs"
	"polyid-trainer/jobs/keys"
	"polyid-trainer/storage/storagetest"
)

// A stage that always fails plainly ends its job after the stated number of times,
// with a reason that says what failed, how often, how the last time, and what to
// do. Resumed after it was mended, the job ends well.
func TestStageGivesUp(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		kind   jobs.Kind
		broken string // keys that cannot be written
		state  jobs.State
		code   string
		what   string
	}{
		"prepare":  {jobs.Prepare, "/prepared.json", jobs.Preparing, "prepare_failed", "preparing the data"},
		"finalize": {jobs.Finalize, "/model/metrics.json", jobs.Finalizing, "finalize_failed", "assembling the ensemble"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlant(t)
			sound := p.Bucket
			j := p.ask(spec(), keys.Dataset, table(t, 40))
			if c.kind == jobs.Finalize {
				for _, kind := range []jobs.Task{{Kind: jobs.Prepare}, {Kind: jobs.TrainFold}, {Kind: jobs.TrainFold, Fold: 1}} {
					kind.Job = j.ID
					if err := p.Handle(t.Context(), kind); err != nil {
						t.Fatal(err)
					}
				}
			}
			p.Bucket = &storagetest.Faulty{Bucket: sound, Fail: func(_ int, op, key string) storagetest.Fault {
				if op == "put" && strings.HasSuffix(key, c.broken) {
					return storagetest.Refused
				}
				return storagetest.None
			}}
			most := jobs.PolicyOf(c.kind).Failures
			for n := 1; n <= most; n++ {
				if err := p.Handle(t.Context(), jobs.Task{Kind: c.kind, Job: j.ID}); err != nil {
					t.Fatal(err)
				}
				j := p.job(j.ID)
				if j.Stage.Failures != n || j.Stage.Held() || (j.State == jobs.Failed) != (n == most) || n < most && j.State != c.state {
					t.Fatalf("after failure %d the job is %s: %+v", n, j.State, j.Stage)
				}
				if tasks := jobs.Needed(time.Now(), j, nil); len(tasks) > 0 {
					t.Errorf("after failure %d, at once: %+v", n, tasks)
				}
			}
			f := p.job(j.ID).Failure
			for _, want := range []string{c.what, fmt.Sprintf("failed %d times", most), storagetest.ErrFault.Error(), "resume the job"} {
				if f.Code != c.code || !strings.Contains(f.Detail, want) {
					t.Errorf("the reason is %+v, which lacks %q", f, want)
				}
			}
			p.Bucket = sound
			p.change(j.ID, (*jobs.Job).Resume)
			p.run(j.ID, 1)
			if j := p.job(j.ID); j.State != jobs.Publishing || j.Stage.Failures != 0 {
				t.Errorf("resumed, the job is %s: %+v", j.State, j.Failure)
			}
		})
	}
}
