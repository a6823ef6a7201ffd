package revision_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"polyid-trainer/data"
	"polyid-trainer/nn/ensemble"
	"polyid-trainer/nn/revision"
	"polyid-trainer/nn/train"
)

var nan = math.NaN()

// TestMeasure follows the definitions by hand: four rows in two folds, the
// fifth held out.
func TestMeasure(t *testing.T) {
	table := &data.Table{
		Structures: make([]data.Structure, 5),
		Targets:    []data.Target{{Name: "Tg", Units: "°C"}, {Name: "Tm", Units: "°C"}},
		Y:          []float64{10, nan, 20, 5, 30, nan, 50, 5, 100, nan},
	}
	folds := data.Folds{{Train: []int{2, 3}, Validate: []int{0, 1}}, {Train: []int{0, 1}, Validate: []int{2, 3}}}
	held := revision.HeldOut(4, 3, "e", table.Values(4), &ensemble.Prediction{Values: []ensemble.Value{
		{Mean: 90, Std: 2, Interval: &ensemble.Interval{Low: 80, High: 99}}, {Mean: 1, Std: 1}}})
	ps := []revision.Prediction{
		revision.OutOfFold(0, 0, 0, "a", table.Values(0), []float64{12, 0}),
		revision.OutOfFold(1, 0, 0, "b", table.Values(1), []float64{18, 0}),
		revision.OutOfFold(2, 1, 1, "c", table.Values(2), []float64{30, 0}),
		revision.OutOfFold(3, 1, 2, "d", table.Values(3), []float64{54, 5}),
		held,
	}
	m := revision.Measure(table, folds, ps, ensemble.Level)
	tg := m.OutOfFold["Tg"]
	// Errors 2, -2, 0, 4. Medians of the training rows: 40 and 15.
	near(t, "mae", float64(tg.MAE), 2)
	near(t, "rmse", float64(tg.RMSE), math.Sqrt(6))
	near(t, "r2", float64(tg.R2), 1-24/875.0)
	near(t, "baseline", float64(tg.Baseline), (30+20+15+35)/4.0)
	if tg.Rows != 4 || tg.Polymers != 3 || tg.Units != "°C" || tg.Intervals != nil {
		t.Errorf("%+v", tg)
	}
	tm := m.OutOfFold["Tm"]
	near(t, "Tm mae", float64(tm.MAE), 2.5)
	if !math.IsNaN(float64(tm.R2)) || tm.Rows != 2 {
		t.Errorf("R² of equal values: %+v", tm)
	}
	f := m.Folds[1]
	near(t, "fold 1", float64(f.OutOfFold["Tg"].MAE), 2)
	if f.Train != 2 || f.Validate != 2 || f.OutOfFold["Tg"].Rows != 2 {
		t.Errorf("%+v", f)
	}
	h := m.Holdout["Tg"]
	near(t, "hold-out", float64(h.MAE), 10)
	near(t, "hold-out baseline", float64(h.Baseline), 75) // the median of 10, 20, 30, 50
	if h.Intervals == nil || h.Intervals.Coverage != 0 || m.Holdout["Tm"].Rows != 0 || m.HoldoutID == "" {
		t.Errorf("hold-out %+v", m.Holdout)
	}
	body, err := json.Marshal(m)
	if err != nil || !strings.Contains(string(body), `"r2":null`) {
		t.Errorf("%s, %v", body, err)
	}
	var back revision.Metrics
	if err := json.Unmarshal(body, &back); err != nil || !math.IsNaN(float64(back.OutOfFold["Tm"].R2)) {
		t.Errorf("read back as %+v, %v", back, err)
	}
	if none := revision.Measure(table, folds, ps[:4], ensemble.Level); none.Holdout != nil || none.HoldoutID != "" {
		t.Errorf("without a hold-out set: %+v", none.Holdout)
	}
}

func near(t *testing.T, what string, got, want float64) {
	t.Helper()
	if math.Abs(got-want) > 1e-12*math.Abs(want) {
		t.Errorf("%s is %v, want %v", what, got, want)
	}
}

func TestBetter(t *testing.T) {
	of := func(id string, mae ...float64) revision.Metrics {
		m := revision.Metrics{HoldoutID: id, Holdout: revision.Scores{}}
		for i, x := range mae {
			m.Holdout[string(rune('a'+i))] = revision.Score{MAE: train.Measure(x)}
		}
		return m
	}
	for name, x := range map[string]struct {
		mine, theirs       revision.Metrics
		better, comparable bool
	}{
		"better":              {of("x", 1), of("x", 2), true, true},
		"equal":               {of("x", 2), of("x", 2), false, true},
		"worse":               {of("x", 3), of("x", 2), false, true},
		"on average, of two":  {of("x", 1, 12), of("x", 2, 10), true, true},
		"other rows":          {of("x", 1), of("y", 2), false, false},
		"no hold-out":         {of("", 1), of("x", 2), false, false},
		"none before":         {of("x", 1), of("", 2), false, false},
		"nothing measured":    {of("x", nan), of("x", 2), false, false},
		"perfection is equal": {of("x", 0), of("x", 0), false, true},
		"worse than it":       {of("x", 1), of("x", 0), false, true},
	} {
		better, comparable, reason := x.mine.Better(x.theirs)
		if better != x.better || comparable != x.comparable || reason == "" {
			t.Errorf("%s: %v, %v, %q", name, better, comparable, reason)
		}
	}
}
