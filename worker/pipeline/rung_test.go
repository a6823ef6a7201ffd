package pipeline_test

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"math"
	"testing"
	"time"

	"polyid-trainer/jobs"
	"polyid-trainer/jobs/keys"
	"polyid-trainer/nn/revision"
	"polyid-trainer/nn/train"
)

// trial makes a trial of a search that waits at an epoch.
func (p *plant) trial(s jobs.Spec, pauseAt int) *jobs.Job {
	p.Helper()
	j, err := jobs.New(time.Now(), "tester", s)
	if err != nil {
		p.Fatal(err)
	}
	j.Trial = &jobs.Trial{Search: "se_01jzzzzzzzzzzzzzzzzzzzzzzz", Index: 3, PauseAt: pauseAt}
	p.write(keys.Dataset(j.ID), table(p.T, 60))
	if err := p.Store.Create(p.Context(), j); err != nil {
		p.Fatal(err)
	}
	return j
}

// work works off what a job needs, each task as often as times says, and counts
// the calls to look at its search.
func (p *plant) work(id string, times int) (calls int) {
	p.Helper()
	for _, t := range p.needed(id) {
		p.Queue.Enqueue(p.Context(), t)
	}
	for {
		t, ok := p.queue.pop()
		switch {
		case !ok:
			return calls
		case t.Kind == jobs.StepSearch:
			calls++
			continue
		}
		for range times {
			if err := p.Handle(p.Context(), t); err != nil {
				p.Fatalf("%s: %v", t.ID(), err)
			}
		}
	}
}

// A trial stops at its rungs, is scored there, and goes on: in the end it is, to
// the bit, a job that never stopped, with no epoch trained twice. Tasks that are
// delivered twice change nothing.
func TestRungs(t *testing.T) {
	t.Parallel()
	s := spec()
	s.Epochs, s.Publish = 4, nil
	s.Schedule = train.Schedule{Name: "cosine"}.WithDefaults()

	whole := newPlant(t)
	plain := whole.ask(s, keys.Dataset, table(t, 60))
	whole.run(plain.ID, 1)
	want := model(t, whole, plain.ID)

	p := newPlant(t)
	j := p.trial(s, 1)
	for _, rung := range []int{1, 3} {
		if calls := p.work(j.ID, 2); calls == 0 {
			t.Error("nobody looks at the search")
		}
		j = p.job(j.ID)
		if j.State != jobs.Paused || j.Reason != jobs.ReasonRung {
			t.Fatalf("at epoch %d the job is %s (%s): %+v", rung, j.State, j.Reason, j.Failure)
		}
		for i := range 2 {
			f := p.fold(j.ID, i)
			if f.Checkpoint == nil || f.Checkpoint.Epoch != rung || f.Score == nil || f.Score.Epoch != rung || f.Held() {
				t.Errorf("fold %d at epoch %d: %+v, score %+v", i, rung, f, f.Score)
			}
		}
		if err := j.Resume(); jobs.ErrorCode(err) != jobs.Conflict {
			t.Errorf("resuming a trial at its rung: %v", err)
		}
		next := 3
		if rung == 3 {
			next = 0
		}
		promote := func(j *jobs.Job) error { return j.Promote(next) }
		p.change(j.ID, promote)
		p.change(j.ID, promote) // again, it changes nothing
	}
	p.work(j.ID, 2)
	j = p.job(j.ID)
	if j.State != jobs.Succeeded {
		t.Fatalf("the job is %s: %+v", j.State, j.Failure)
	}
	if !bytes.Equal(model(t, p, j.ID), want) {
		t.Error("the weights are not those of a job that never stopped")
	}
	var m revision.Metrics
	if err := json.Unmarshal(j.Metrics, &m); err != nil {
		t.Fatal(err)
	}
	rows, off, base := 0, 0.0, 0.0
	for i := range 2 {
		s := p.fold(j.ID, i).Score
		if s.Epoch != 4 || s.Targets[0].Target != "Tg" {
			t.Fatalf("fold %d: %+v", i, s)
		}
		rows, off, base = rows+s.Targets[0].Rows, off+s.Targets[0].Absolute, base+s.Targets[0].Baseline
	}
	tg := m.OutOfFold["Tg"]
	if rows != tg.Rows || math.Abs(off/float64(rows)-float64(tg.MAE)) > 1e-9 || math.Abs(base/float64(rows)-float64(tg.Baseline)) > 1e-9 {
		t.Errorf("the folds score %v, %v of %d rows, the metrics have %+v", off/float64(rows), base/float64(rows), rows, tg)
	}
}

// A trial whose worker died between its last fold and its record is paused by the
// reconciler, as TestReconcileRung of package jobs says; one that is cancelled
// does not go on.
func TestCancelledTrial(t *testing.T) {
	t.Parallel()
	p := newPlant(t)
	s := spec()
	s.Publish = nil
	j := p.trial(s, 1)
	p.work(j.ID, 1)
	p.change(j.ID, func(j *jobs.Job) error { return j.CancelAs(time.Now(), jobs.ReasonNotPromoted) })
	j = p.job(j.ID)
	if err := j.Promote(0); jobs.ErrorCode(err) != jobs.Conflict || j.Reason != jobs.ReasonNotPromoted {
		t.Errorf("promoting a trial that is %s (%s): %v", j.State, j.Reason, err)
	}
	if tasks := p.needed(j.ID); len(tasks) > 0 {
		t.Errorf("a cancelled trial needs %v", tasks)
	}
}

func model(t *testing.T, p *plant, id string) []byte {
	t.Helper()
	_, dir := p.revision(id)
	body, err := fs.ReadFile(dir, revision.ModelPath(1))
	if err != nil {
		t.Fatal(err)
	}
	return body
}
