package train

import (
	"math"
	"strings"
	"testing"
)

// A training validates every so many epochs and after the last one, and its best
// epoch is one of those.
func TestValidateEvery(t *testing.T) {
	c := tinyFit()
	c.ValidateEvery = 3
	e := newFake(5)
	r := must[*Result](t)(Fit(t.Context(), e, tiny(), c, Options{}))
	var validated []int
	for _, h := range r.Progress.History {
		if h.Validated() {
			validated = append(validated, h.Epoch)
		}
		if len(h.ValMAE) != 2 || h.Validated() == math.IsNaN(float64(h.ValMAE[0])) {
			t.Errorf("epoch %d has errors %v", h.Epoch, h.ValMAE)
		}
	}
	if want := []int{3, 6, 7}; len(validated) != 3 || validated[0] != want[0] || validated[1] != want[1] || validated[2] != want[2] {
		t.Errorf("validated epochs %v, want %v", validated, want)
	}
	best, ok := r.Progress.Best()
	if !ok || !best.Validated() || r.Best == nil {
		t.Errorf("the best epoch is %+v", best)
	}
	if last, ok := r.Progress.LastValidated(); !ok || last.Epoch != 7 {
		t.Errorf("the last validation is of epoch %d", last.Epoch)
	}
}

// The averaged weights are the exponential moving average of the engine's, and
// they are what is validated.
func TestAverageWeights(t *testing.T) {
	decay := 0.9
	c := tinyFit()
	c.BatchSize, c.AverageWeights = polymersPerAverage, &decay
	e := newFake(5)
	want := append([]float32(nil), e.s.Weights.Slab...)
	n := 0
	l := log{onStep: func(Step) {
		n++
		part := float32(1 - min(decay, float64(1+n)/float64(10+n)))
		for i, w := range e.s.Weights.Slab {
			want[i] += part * (w - want[i])
		}
	}}
	r := must[*Result](t)(Fit(t.Context(), e, tiny(), c, Options{Recorder: &l}))
	for i, w := range r.Average.Slab {
		if w != want[i] {
			t.Fatalf("average %d is %v, want %v", i, w, want[i])
		}
	}
	live := append([]float32(nil), e.s.Weights.Slab...)
	if err := e.SetWeights(r.Average); err != nil {
		t.Fatal(err)
	}
	set := tiny().Validate
	got := must[[]float32](t)(Predict(t.Context(), e, set, 2))
	sum, rows := 0.0, 0
	for i := range set.Len() {
		_, target := set.Label(i)
		part, k := 0.0, 0
		for j, y := range target {
			if isFinite(y) {
				part, k = part+math.Abs(float64(got[2*i+j])-float64(y)), k+1
			}
		}
		if k > 0 {
			sum, rows = sum+part/float64(k), rows+1
		}
	}
	if last := r.Progress.History[len(r.Progress.History)-1]; math.Abs(float64(last.ValLoss)-sum/float64(rows)) > 1e-9 {
		t.Errorf("val_loss %v is not that of the averaged weights, %v", last.ValLoss, sum/float64(rows))
	}
	same := true
	for i, w := range live {
		same = same && w == r.Average.Slab[i]
	}
	if same {
		t.Error("the engine was left with the averaged weights")
	}
}

// One cycle rises from a 25th of the rate, is at the full rate after its rise and
// ends at almost nothing.
func TestOneCycle(t *testing.T) {
	s := Schedule{Name: OneCycle}.WithDefaults()
	rate := func(step int) float64 { return s.Rate(1, step/100, step%100, 100, 10, nil) }
	for _, x := range []struct {
		step int
		want float64
	}{{0, 0.04}, {150, 0.52}, {300, 1}, {650, 0.500002}, {999, 0}} {
		if got := rate(x.step); math.Abs(got-x.want) > 1e-4 {
			t.Errorf("rate %v at step %d, want %v", got, x.step, x.want)
		}
	}
	for step := range 999 {
		if up := rate(step+1) > rate(step); up != (step < 300) {
			t.Fatalf("rate goes from %v to %v at step %d", rate(step), rate(step+1), step)
		}
	}
	bad := Schedule{Name: OneCycle, WarmupEpochs: 2, Rise: 1.5}
	if err := bad.validate(); err == nil || !strings.Contains(err.Error(), "warmup_epochs") || !strings.Contains(err.Error(), "rise") {
		t.Errorf("%+v gives %v", bad, err)
	}
}

func TestOptionsOutOfRange(t *testing.T) {
	c := DefaultConfig()
	one, none := 1.0, 0.0
	c.AverageWeights, c.ClipNorm, c.ValidateEvery = &one, &none, -1
	err := c.Validate()
	for _, field := range []string{"average_weights: 1", "clip_norm: 0", "validate_every: -1"} {
		if err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("%v does not say %q", err, field)
		}
	}
}
