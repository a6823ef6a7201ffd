package revision_test

import (
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"testing"

	"polyid-trainer/nn/checkpoint"
	"polyid-trainer/nn/ensemble"
	"polyid-trainer/nn/revision"
)

// On hold-out rows, coverage and width are told by difficulty: here every interval
// of an easy row holds and no other.
func TestIntervalsByDifficulty(t *testing.T) {
	targets := []checkpoint.Target{{Name: "Tg", Units: "°C"}}
	var ps []revision.Prediction
	for i := range 90 {
		y, width := 0.0, float64(1+i%3)
		if i%3 > 0 {
			y = 50
		}
		ps = append(ps, revision.Prediction{Row: i, Fold: revision.Holdout, Group: int32(i), Measured: []float64{y}, Predicted: []float64{0},
			Interval: []*ensemble.Interval{{Low: -width / 2, High: width / 2}}, Difficulty: []float64{float64(i % 3)}})
	}
	s := revision.Compare(targets, ps, 0.8)["Tg"]
	got := s.Intervals
	if got == nil || got.Level != 0.8 || math.Abs(got.Coverage-1.0/3) > 1e-9 || float64(got.Width) != 2 || len(got.ByDifficulty) != 3 {
		t.Fatalf("%+v", got)
	}
	for b, bin := range got.ByDifficulty {
		want := 0.0
		if b == 0 {
			want = 1
		}
		if bin.Rows != 30 || bin.Coverage != want || float64(bin.Width) != float64(b+1) || float64(bin.Difficulty[0]) != float64(b) {
			t.Errorf("part %d: %+v", b, bin)
		}
	}
	body, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	for _, field := range []string{`"interval80_coverage":0.333`, `"interval80_width":2`, `"interval80_by_difficulty":[{`} {
		if !strings.Contains(string(body), field) {
			t.Errorf("%s lacks %s", body, field)
		}
	}
	var again revision.Score
	if err := json.Unmarshal(body, &again); err != nil || again.Intervals == nil || !reflect.DeepEqual(again.Intervals.ByDifficulty, got.ByDifficulty) || again.Intervals.Level != 0.8 {
		t.Errorf("read back as %+v (%v)", again.Intervals, err)
	}
	if few := revision.Compare(targets, ps[:20], 0.8)["Tg"]; few.Intervals.ByDifficulty != nil {
		t.Error("20 rows were divided")
	}
}
