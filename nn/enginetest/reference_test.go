package enginetest

import (
	"math"
	"testing"

	"polyid-trainer/nn"
)

// TensorFlow's float64 is matched to rounding.
func TestReferenceIsPolyID(t *testing.T) {
	t.Parallel()
	const tolerance = 1e-10
	g := Small(t)
	r := NewReference(g.Config, g.Sizes, g.Params)
	for _, b := range g.Batches {
		var pred []float64
		for _, p := range b.Polymers {
			pred = append(pred, r.Predict(p)...)
		}
		if d := Apart(pred, b.F64.Pred); d > tolerance {
			t.Errorf("%s: predictions differ by %.1e", b.Name, d)
		}
		loss, grad := r.Loss(b.Polymers)
		if d := math.Abs(loss - b.F64.Loss); d > tolerance {
			t.Errorf("%s: loss differs by %.1e", b.Name, d)
		}
		worst := 0.0
		for _, s := range nn.Layout(g.Config, g.Sizes) {
			if Undetermined(s.Name) {
				continue
			}
			d := Apart(grad[s.Off:s.Off+s.Size()], b.F64.Grad[s.Name])
			worst = max(worst, d)
			if d > tolerance {
				t.Errorf("%s: gradient of %s differs by %.1e", b.Name, s.Name, d)
			}
		}
		t.Logf("%s: gradients within %.1e", b.Name, worst)
	}
}
