package cpu

import (
	"math"
	"testing"

	"polyid-trainer/nn"
	"polyid-trainer/nn/enginetest"
	"polyid-trainer/nn/kernel"
	"polyid-trainer/nn/plan"
)

// The engine's own code, run in float64, against TensorFlow in float64 and
// against the textbook form. What the float32 engine adds is rounding.

// exact is an engine in float64 with given weights.
func exact(t *testing.T, c nn.Config, s nn.Sizes, p *nn.Params) *engine[float64] {
	t.Helper()
	e, err := newEngine(kernel.Reference[float64](), c, s, 0)
	if err != nil {
		t.Fatal(err)
	}
	e.pack(e.weights, p)
	return e
}

// gradient is the loss and the gradient of a batch, in nn.Layout's order: with
// β1 = 0, Adam's first moment is the gradient.
func gradient(t *testing.T, e *engine[float64], b *nn.Batch) (loss float64, grad []float64) {
	t.Helper()
	loss, err := e.Step(b, nn.Adam{Beta2: 0.5, Epsilon: 1})
	if err != nil {
		t.Fatal(err)
	}
	grad = make([]float64, nn.NumParams(e.config, e.sizes))
	e.unpackSlab(grad, e.m)
	return loss, grad
}

// predict is the unrounded predictions of one example.
func predict(t *testing.T, e *engine[float64], ex nn.Example) []float64 {
	t.Helper()
	dst := make([]float32, e.sizes.Targets)
	if err := e.Predict(&nn.Batch{Examples: []nn.Example{ex}}, dst); err != nil {
		t.Fatal(err)
	}
	return e.pred
}

type build func(*enginetest.Polymer) *plan.Plan

func plans(c nn.Config) map[string]build {
	var b plan.Builder
	return map[string]build{
		"quotient": func(p *enginetest.Polymer) *plan.Plan { return b.Build(p.Graph(), c.NumMessages) },
		"plain":    func(p *enginetest.Polymer) *plan.Plan { return b.Plain(p.Graph(), c.NumMessages) },
	}
}

func TestFloat64IsTensorFlows(t *testing.T) {
	t.Parallel()
	const tolerance = 1e-10
	g := enginetest.Small(t)
	for form, build := range plans(g.Config) {
		for _, b := range g.Batches {
			e := exact(t, g.Config, g.Sizes, g.Params)
			var batch nn.Batch
			var pred []float64
			for i, p := range b.Polymers {
				ex := p.Example(build(p), i)
				batch.Examples = append(batch.Examples, ex)
				pred = append(pred, predict(t, e, ex)...)
			}
			if d := enginetest.Apart(pred, b.F64.Pred); d > tolerance {
				t.Errorf("%s, %s: predictions differ by %.1e", b.Name, form, d)
			}
			loss, grad := gradient(t, e, &batch)
			// Targets reach the engine in float32, as they reached TensorFlow.
			if d := math.Abs(loss - b.F64.Loss); d > tolerance {
				t.Errorf("%s, %s: loss differs by %.1e", b.Name, form, d)
			}
			for _, s := range nn.Layout(g.Config, g.Sizes) {
				if enginetest.Undetermined(s.Name) {
					continue
				}
				if d := enginetest.Apart(grad[s.Off:s.Off+s.Size()], b.F64.Grad[s.Name]); d > tolerance {
					t.Errorf("%s, %s: gradient of %s differs by %.1e", b.Name, form, s.Name, d)
				}
			}
		}
	}
}

// On every shipped polymer, at the default depth, quotient rows, split
// concatenations and moved Dense layers give the textbook's numbers.
func TestSavingsAreExact(t *testing.T) {
	t.Parallel()
	const tolerance = 1e-12
	c := nn.Config{AtomFeatures: 8, MolFeatures: 3}.WithDefaults()
	s := nn.Sizes{AtomClasses: 9, BondClasses: 14, Targets: 3}
	params := enginetest.RandomParams(c, s, 1)
	ref := enginetest.NewReference(c, s, params)
	worst := 0.0
	for i, p := range enginetest.ReadShipped(t).Distinct {
		p.Target = []float64{-0.5, math.NaN(), 0.25}
		wantLoss, want := ref.Loss([]*enginetest.Polymer{p})
		e := exact(t, c, s, params)
		ex := p.Example(plans(c)["quotient"](p), i)
		if d := enginetest.Apart(predict(t, e, ex), ref.Predict(p)); d > tolerance {
			t.Errorf("polymer %d: predictions differ by %.1e", i, d)
		}
		loss, grad := gradient(t, e, &nn.Batch{Examples: []nn.Example{ex}})
		if d := math.Abs(loss - wantLoss); d > tolerance {
			t.Errorf("polymer %d: loss differs by %.1e", i, d)
		}
		// Over the largest element of all: a saturated softmax leaves its query a
		// gradient of rounding only.
		d := enginetest.Apart(grad, want)
		if worst = max(worst, d); d > tolerance {
			t.Errorf("polymer %d: the gradient differs by %.1e", i, d)
		}
	}
	t.Logf("gradients within %.1e", worst)
}

// With dropout, loss and gradient are the textbook's under the factors that
// were drawn: one per bond and feature on a plain plan.
func TestDropoutGradient(t *testing.T) {
	t.Parallel()
	const tolerance = 1e-12
	c := nn.Config{AtomFeatures: 6, MolFeatures: 3, NumMessages: 2, Dropout: 0.3}.WithDefaults()
	s := nn.Sizes{AtomClasses: 9, BondClasses: 14, Targets: 2}
	params := enginetest.RandomParams(c, s, 1)
	p := enginetest.ReadShipped(t).Distinct[5]
	p.Target = []float64{-0.5, 0.25}
	e := exact(t, c, s, params)
	loss, grad := gradient(t, e, &nn.Batch{Examples: []nn.Example{p.Example(plans(c)["plain"](p), 3)}})
	dropped := 0
	for _, mask := range e.made[0].mask {
		var keep []float64
		for r := range mask.Rows {
			for _, k := range mask.Row(r) {
				if k == 0 {
					dropped++
				} else if math.Abs(k-1/0.7) > 1e-15 {
					t.Fatalf("a kept feature is scaled by %v", k)
				}
				keep = append(keep, k)
			}
		}
		p.Keep = append(p.Keep, keep)
	}
	if dropped == 0 {
		t.Fatal("nothing was dropped")
	}
	wantLoss, want := enginetest.NewReference(c, s, params).Loss([]*enginetest.Polymer{p})
	if math.Abs(loss-wantLoss) > tolerance {
		t.Errorf("loss %v, want %v", loss, wantLoss)
	}
	if d := enginetest.Apart(grad, want); d > tolerance {
		t.Errorf("the gradient differs by %.1e", d)
	}
}
