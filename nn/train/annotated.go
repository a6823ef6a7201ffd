package train

import (
	"polyid-trainer/nn"
)

// Annotated is a Set whose examples count differently in the loss, or know bounds of
// targets that were not measured.
type Annotated interface {
	Set
	// Weight is what example i counts; 0 is nothing.
	Weight(i int) float64
	// Bounds are what is known of targets that example i has no value of. A
	// prediction on the right side of a bound is no error.
	Bounds(i int) []nn.Bound
}

func weightOf(s Set, i int) float64 {
	if a, ok := s.(Annotated); ok {
		return a.Weight(i)
	}
	return 1
}

func boundsOf(s Set, i int) []nn.Bound {
	if a, ok := s.(Annotated); ok {
		return a.Bounds(i)
	}
	return nil
}

var _ Annotated = part{}

// Weight implements Annotated.
func (p part) Weight(i int) float64 { return weightOf(p.Set, int(p.at[i])) }

// Bounds implements Annotated.
func (p part) Bounds(i int) []nn.Bound { return boundsOf(p.Set, int(p.at[i])) }

// bounds is what annotate works with.
type bounds struct {
	at        []int // examples of the batch that have some
	batch     nn.Batch
	predicted []float32
	targets   []float32
}

// annotate gives the examples of the batch their weights, and makes targets of the
// bounds that are not kept: those pull like values, the others not at all. Which
// are kept is told by a prediction without dropout before the step. It reports
// whether the batch has a target. Cost: a forward pass of the examples with bounds.
func (f *fit) annotate(order []int) (some bool, err error) {
	x := &f.bounds
	x.at, x.batch.Examples = x.at[:0], x.batch.Examples[:0]
	for k, i := range order {
		ex := &f.batch.Examples[k]
		ex.Weight = float32(weightOf(f.train, i))
		if len(boundsOf(f.train, i)) > 0 {
			x.at, x.batch.Examples = append(x.at, k), append(x.batch.Examples, *ex)
		} else {
			some = true
		}
	}
	if len(x.at) == 0 {
		return some, nil
	}
	n := len(f.scale)
	x.predicted = append(x.predicted[:0], make([]float32, n*len(x.at))...)
	if err := f.engine.Predict(&x.batch, x.predicted); err != nil {
		return false, err
	}
	x.targets = append(x.targets[:0], make([]float32, n*len(x.at))...)
	for j, k := range x.at {
		ex := &f.batch.Examples[k]
		target := x.targets[j*n : (j+1)*n : (j+1)*n]
		copy(target, ex.Target)
		for _, b := range boundsOf(f.train, order[k]) {
			if !b.Keeps(x.predicted[j*n+b.Target]) {
				target[b.Target] = b.Value
			}
		}
		ex.Target = target
		some = some || finite(target) > 0
	}
	return some, nil
}
