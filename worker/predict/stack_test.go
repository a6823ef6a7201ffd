package predict_test

import (
	"math"
	"testing"

	"polyid-trainer/nn/revision/revisiontest"
	"polyid-trainer/nn/stack"
	"polyid-trainer/worker/predict"
)

// Where a revision has a stack, the answer is the stack's: the blend of members
// that stand beside it, with what the network says as one of them or not at all.
func TestAnswerIsTheStacks(t *testing.T) {
	b := newBench(t)
	r := tiny(t, 1)
	r.Stack = revisiontest.Stack(t, r)
	b.commit("main", revisiontest.Files(t, r))
	b.restart(predict.ModelsConfig{})
	out := b.answer(&predict.Request{Inputs: []predict.Input{{RepeatUnit: lactide}}})
	got := out.Results[0].Predictions["Tg"]
	if len(got.Members) != 2 || len(got.PerFold) != r.Config.Folds {
		t.Fatalf("members %v, %d folds", got.Members, len(got.PerFold))
	}
	blend, folds := 0.0, 0.0
	for m, name := range r.Stack.Targets[0].Members {
		blend += r.Stack.Targets[0].Weights[m] * float64(got.Members[name])
	}
	for _, y := range got.PerFold {
		folds += float64(y) / float64(len(got.PerFold))
	}
	for name, want := range map[string]float64{"the blend of the members": blend, "the mean of the folds": folds} {
		if math.Abs(float64(got.Mean)-want) > 1e-6 {
			t.Errorf("the mean is %v, %s %v", got.Mean, name, want)
		}
	}
	if _, ok := got.Members[stack.Network]; ok {
		t.Error("the network is no member of this stack")
	}
	if got.Interval90 == nil || got.Interval90[0] > float64(got.Mean) || got.Interval90[1] < float64(got.Mean) {
		t.Errorf("the interval %v does not hold the mean %v", got.Interval90, got.Mean)
	}
	if got.Quality == "" {
		t.Error("the answer does not say how good the model is at it")
	}
}
