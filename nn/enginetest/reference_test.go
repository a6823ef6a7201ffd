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

// The gradient is the slope of the loss: central differences, in directions
// that mix all weights of a tensor.
func TestReferenceGradientIsTheSlope(t *testing.T) {
	t.Parallel()
	const h, tolerance = 1e-5, 1e-7
	c := nn.Config{AtomFeatures: 4, MolFeatures: 3, NumMessages: 2}.WithDefaults()
	s := nn.Sizes{AtomClasses: 9, BondClasses: 14, Targets: 2}
	p := *ReadShipped(t).Distinct[1]
	p.Target = []float64{0.5, -0.5}
	// Dropout's factors are constants of the loss.
	for range s.Targets {
		keep := make([]float64, len(p.Bond)*c.AtomFeatures)
		for i := range keep {
			keep[i] = 1 + 0.5*math.Cos(float64(i))
		}
		p.Keep = append(p.Keep, keep)
	}
	r := NewReference(c, s, RandomParams(c, s, 7))
	batch := []*Polymer{&p}
	_, grad := r.Loss(batch)
	for _, spec := range nn.Layout(c, s) {
		w, g := r.Weights[spec.Off:spec.Off+spec.Size()], grad[spec.Off:spec.Off+spec.Size()]
		direction := make([]float64, len(w))
		want := 0.0
		for i := range direction {
			direction[i] = math.Sin(float64(i + 1))
			want += g[i] * direction[i]
		}
		move := func(by float64) float64 {
			for i, d := range direction {
				w[i] += by * d
			}
			loss, _ := r.Loss(batch)
			return loss
		}
		up := move(h)
		down := move(-2 * h)
		move(h)
		if slope := (up - down) / (2 * h); math.Abs(slope-want) > tolerance*max(1, math.Abs(want)) {
			t.Errorf("%s: slope %.9f, gradient %.9f", spec.Name, slope, want)
		}
	}
}
