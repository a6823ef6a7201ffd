package predict_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"polyid-trainer/jobs"
	"polyid-trainer/nn/ensemble"
	"polyid-trainer/nn/revision"
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
	if got.Interval == nil || got.Interval[0] > float64(got.Mean) || got.Interval[1] < float64(got.Mean) {
		t.Errorf("the interval %v does not hold the mean %v", got.Interval, got.Mean)
	}
	if got.Quality == "" {
		t.Error("the answer does not say how good the model is at it")
	}
}

// The conditions that an input states change what is predicted; what it leaves out
// is the training rows' median, which it is told; a condition that the model does not
// know fails that input alone.
func TestConditions(t *testing.T) {
	b := newBench(t)
	r := *tiny(t, 1)
	r.Stack = revisiontest.StackWith(t, &r, []string{"temperature_c"})
	r.Config.Columns.Conditions = []string{"temperature_c"}
	b.commit("main", revisiontest.Files(t, &r))
	b.restart(predict.ModelsConfig{})
	at := func(v float64) map[string]*float64 { return map[string]*float64{"temperature_c": &v} }
	median := float64(r.Stack.Space.Medians[0])
	out := b.answer(&predict.Request{Inputs: []predict.Input{
		{RepeatUnit: lactide, Conditions: at(median)}, {RepeatUnit: lactide}, {RepeatUnit: lactide, Conditions: at(median + 5)},
		{RepeatUnit: lactide, Conditions: map[string]*float64{"temprature_c": nil}},
	}}).Results
	mean := func(i int) float64 { return float64(out[i].Predictions["Tg"].Mean) }
	if mean(0) != mean(1) || mean(0) == mean(2) {
		t.Errorf("at the median %v, unstated %v, elsewhere %v", mean(0), mean(1), mean(2))
	}
	told := func(i int) bool {
		return slices.ContainsFunc(out[i].Warnings, func(w jobs.Warning) bool { return w.Code == "condition_missing" })
	}
	if told(0) || !told(1) {
		t.Errorf("warnings %v and %v", out[0].Warnings, out[1].Warnings)
	}
	if e := out[3].Error; e == nil || e.Code != "unknown_condition" {
		t.Errorf("an unknown condition: %+v", out[3])
	}
	var file bytes.Buffer
	in := "smiles_repeat_unit,temperature_c\n" + lactide + "," + fmt.Sprint(median+5) + "\n" + lactide + ",\n"
	if _, err := b.AnswerCSV(t.Context(), jobs.Revision{}, strings.NewReader(in), &file); err != nil {
		t.Fatal(err)
	}
	lines, err := csv.NewReader(&file).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	column := slices.Index(lines[0], "Tg_pred_mean")
	if got := []string{lines[1][column], lines[2][column]}; got[0] != fmt.Sprint(mean(2)) || got[1] != fmt.Sprint(mean(0)) {
		t.Errorf("in a CSV %v, in JSON %v and %v", got, mean(2), mean(0))
	}
}

// Intervals at another level than 90 % are named by it, in JSON and in CSV.
func TestIntervalNamedByLevel(t *testing.T) {
	b := newBench(t)
	r := *tiny(t, 1)
	var err error
	r.Config.Intervals = ensemble.Intervals{Method: ensemble.CVPlus, Level: 0.8}
	if r.Calibration, err = ensemble.Calibrate(r.Config.Targets, len(r.Models), revision.CalibrationRows(r.Predictions), r.Config.Intervals); err != nil {
		t.Fatal(err)
	}
	b.commit("main", revisiontest.Files(t, &r))
	b.restart(predict.ModelsConfig{})
	got := b.answer(one).Results[0].Predictions["Tg"]
	body, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(body), `"interval80":[`) || strings.Contains(string(body), "interval90") {
		t.Errorf("%s", body)
	}
	var again predict.Property
	if err := json.Unmarshal(body, &again); err != nil || *again.Interval != *got.Interval {
		t.Errorf("read back as %+v (%v)", again, err)
	}
	var file bytes.Buffer
	if _, err := b.AnswerCSV(t.Context(), jobs.Revision{}, strings.NewReader("smiles_repeat_unit\n"+lactide+"\n"), &file); err != nil {
		t.Fatal(err)
	}
	if head, _, _ := strings.Cut(file.String(), "\n"); !strings.Contains(head, "Tg_pred_lo80,Tg_pred_hi80") || strings.Contains(head, "90") {
		t.Errorf("columns %s", head)
	}
}
