package cuda

import (
	"slices"
	"testing"

	"polyid-trainer/nn"
	"polyid-trainer/nn/enginetest"
	"polyid-trainer/nn/internal/dropout"
)

// Each factor of dropout is the one that nn/cpu draws, to the bit: for widths
// that segments of draws do and do not divide, and classes of one and of many.
func TestDropoutIsTheSameStream(t *testing.T) {
	t.Parallel()
	d := openShim(t, 64)
	for _, c := range []nn.Config{
		{AtomFeatures: 16, MolFeatures: 2, NumMessages: 2, Dropout: 0.05},
		{AtomFeatures: 13, MolFeatures: 2, NumMessages: 1, Dropout: 0.6},
	} {
		c = c.WithDefaults()
		s := enginetest.ShippedSizes
		const seed, epoch = 1, 7
		e := newEngine(t, d.NewEngine, c, s)
		for _, ex := range polymers(t, c)[:3] {
			step(t, e, &nn.Batch{Examples: []nn.Example{ex}, Epoch: epoch}, enginetest.DefaultAdam)
			counts := ex.Plan.BondMembers(c.NumMessages)
			var want []float32
			sampler := dropout.Sampler{P: c.Dropout}
			sampler.Seed(seed, epoch, ex.Row)
			for range s.Targets {
				for _, k := range counts {
					row := make([]float32, c.AtomFeatures)
					dropout.Fill(&sampler, row, float64(k))
					want = append(want, row...)
				}
			}
			a := assembler{config: c, sizes: s, plan: newPlanImage(ex.Plan)}
			a.carve()
			got := make([]float32, len(want))
			e := e.(*engine)
			if err := e.stream.read(bytesOf(got), e.states.at+address(4*(a.mask&(spaceWords-1)))); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got, want) {
				t.Errorf("%d features, row %d: other factors were drawn", c.AtomFeatures, ex.Row)
			}
		}
	}
}
