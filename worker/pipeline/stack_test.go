package pipeline_test

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"testing"

	"polyid-trainer/data"
	"polyid-trainer/jobs"
	"polyid-trainer/nn/ensemble"
	"polyid-trainer/nn/revision"
	"polyid-trainer/nn/stack"
	"polyid-trainer/worker/pipeline"
)

// A job that asks for a stack publishes one, scores its members beside the blend,
// and makes the same of it when every task is delivered twice.
func TestStack(t *testing.T) {
	t.Parallel()
	var stacks [2][]byte
	for i, times := range []int{1, 2} {
		p := newPlant(t)
		s := spec()
		s.Holdout = &data.Holdout{Fraction: 0.2}
		s.Stack = &stack.Config{Members: []stack.Member{stack.Network, stack.Trees, stack.Neighbours, stack.Linear}}
		s.Intervals = ensemble.Intervals{Method: ensemble.Local, Level: 0.8}
		j := p.ask(s, pipeline.DatasetKey, table(t, 120))
		p.run(j.ID, times)
		j = p.job(j.ID)
		if j.State != jobs.Publishing {
			t.Fatalf("the job is %s (%+v)", j.State, j.Failure)
		}
		r, dir := p.revision(j.ID)
		if r.Stack == nil || !r.Calibration.Local() || r.Calibration.Level != 0.8 {
			t.Fatalf("the revision has stack %v and calibration %q at %v", r.Stack, r.Calibration.Method, r.Calibration.Level)
		}
		var m revision.Metrics
		if err := json.Unmarshal(j.Metrics, &m); err != nil {
			t.Fatal(err)
		}
		for name, scores := range map[string]revision.Scores{"out of fold": m.OutOfFold, "hold-out": m.Holdout} {
			tg := scores["Tg"]
			if len(tg.Members) != 4 || !(tg.MAE > 0) {
				t.Errorf("%s: %+v", name, tg)
			}
			for member, score := range tg.Members {
				if !(score.MAE > 0) {
					t.Errorf("%s: %s is off by %v", name, member, score.MAE)
				}
			}
		}
		if network := m.OutOfFold["Tg"].Members[stack.Network].MAE; m.OutOfFold["Tg"].MAE > network {
			t.Errorf("the blend is off by %v, the barely trained network alone by %v", m.OutOfFold["Tg"].MAE, network)
		}
		body, err := fs.ReadFile(dir, revision.StackArrays)
		if err != nil {
			t.Fatal(err)
		}
		stacks[i] = body
	}
	if !bytes.Equal(stacks[0], stacks[1]) {
		t.Error("delivering twice changed the stack")
	}
}
