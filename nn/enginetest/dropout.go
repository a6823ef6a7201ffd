package enginetest

import (
	"math"
	"testing"

	"polyid-trainer/nn"
)

// A step that changes nothing: its loss is that of one draw of dropout.
var frozen = nn.Adam{Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-7}

// dropoutDistribution compares mean, variance and fourth moment of a head's
// output over many epochs with what dropping features from every single bond
// gives.
func (x exerciser) dropoutDistribution(t *testing.T) {
	const draws, p = 4000, 0.3
	c := nn.Config{AtomFeatures: 4, MolFeatures: 2, NumMessages: 2, Dropout: p}.WithDefaults()
	s := nn.Sizes{AtomClasses: 9, BondClasses: 14, Targets: 1}
	params := RandomParams(c, s, 5)
	polymer := *ReadShipped(t).Distinct[3]
	const below = -1000 // so that the loss is the prediction less this
	polymer.Target = []float64{below}
	ref := NewReference(c, s, params)
	_, layers := ref.States(&polymer)
	bonds, w := layers[c.NumMessages], nn.View(c, s, ref.Weights).Head[0].Kernel

	// The output is a sum of independent terms, one per bond and feature: a
	// term a/(1−p) with probability 1−p, else 0. Its cumulants add up.
	var variance, fourth float64
	n := float64(len(polymer.Bond))
	for i, b := range bonds {
		a := b * w[i%c.AtomFeatures] / n / (1 - p)
		variance += a * a * p * (1 - p)
		fourth += a * a * a * a * p * (1 - p) * (1 - 6*p*(1-p))
	}
	mean := ref.Predict(&polymer)[0]

	e := x.engine(t, c, s, params)
	in := batch(c, &polymer)
	var sum, sum2 float64
	for epoch := range draws {
		in.Epoch = epoch
		d := step(t, e, in, frozen) + below - mean
		sum += d
		sum2 += d * d
	}
	gotMean, gotVariance := sum/draws, sum2/draws
	const sigmas = 5
	if limit := sigmas * math.Sqrt(variance/draws); math.Abs(gotMean) > limit {
		t.Errorf("dropout moves the mean by %.2e, more than %.2e", gotMean, limit)
	}
	if limit := sigmas * math.Sqrt((fourth+2*variance*variance)/draws); math.Abs(gotVariance-variance) > limit {
		t.Errorf("variance %.3e, want %.3e ± %.1e", gotVariance, variance, limit)
	}
	t.Logf("mean off by %.1e ± %.1e, variance %.4e of %.4e", gotMean, math.Sqrt(variance/draws), gotVariance, variance)
}

// dropoutKey checks that a draw depends on epoch and row, and on no history.
func (x exerciser) dropoutKey(t *testing.T) {
	tr := newTraining(t)
	ex := tr.examples[0]
	e := x.engine(t, tr.config, tr.sizes, nil)
	draw := func(epoch, row int) float64 {
		ex.Row = row
		return step(t, e, &nn.Batch{Examples: []nn.Example{ex}, Epoch: epoch}, frozen)
	}
	first := draw(3, 7)
	if draw(4, 7) == first || draw(3, 8) == first || draw(7, 3) == first {
		t.Error("another epoch or row draws the same dropout")
	}
	if draw(3, 7) != first {
		t.Error("a draw depends on what was drawn before")
	}
	other, err := x.newEngine(tr.config, tr.sizes, 2)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if err := other.SetState(state(t, e)); err != nil {
		t.Fatal(err)
	}
	e = other
	if draw(3, 7) == first {
		t.Error("another seed draws the same dropout")
	}
}
