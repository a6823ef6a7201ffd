package cuda

import "polyid-trainer/nn"

// State copies weights, moments and step out; see nn.Engine.
func (e *engine) State(dst *nn.State) error {
	if e.broken != nil {
		return e.broken
	}
	for _, t := range []struct {
		p    **nn.Params
		from buffer
		made bool
	}{{&dst.Weights, e.weights, true}, {&dst.M, e.m, e.moments()}, {&dst.V, e.v, e.moments()}} {
		if *t.p == nil || !(*t.p).Fits(e.config, e.sizes) {
			*t.p = nn.NewParams(e.config, e.sizes)
		}
		if !t.made {
			clear((*t.p).Slab)
			continue
		}
		if err := e.fail("read the state", e.stream.read(bytesOf((*t.p).Slab), t.from.at)); err != nil {
			return err
		}
	}
	dst.Step = e.steps
	return nil
}

// SetState copies weights, moments and step in; moments that are nil become
// zero. See nn.Engine.
func (e *engine) SetState(src *nn.State) error {
	if err := src.Check(e.config, e.sizes); err != nil {
		return err
	}
	if e.broken != nil {
		return e.broken
	}
	if src.M != nil { // what can be refused comes first
		for _, b := range []*buffer{&e.m, &e.v} {
			if err := e.room("place Adam's moments", b, 4*e.params); err != nil {
				return err
			}
		}
	}
	if err := e.write("place the weights", &e.weights, bytesOf(src.Weights.Slab)); err != nil {
		return err
	}
	if src.M == nil {
		for _, b := range []*buffer{&e.m, &e.v} {
			e.dev.give(b.at)
			*b = buffer{}
		}
	} else {
		if err := e.write("place Adam's moments", &e.m, bytesOf(src.M.Slab)); err != nil {
			return err
		}
		if err := e.write("place Adam's moments", &e.v, bytesOf(src.V.Slab)); err != nil {
			return err
		}
	}
	e.steps = src.Step
	return nil
}

var _ nn.Weighted = (*engine)(nil)

// Weights copies the weights out; see nn.Weighted.
func (e *engine) Weights(dst *nn.Params) (*nn.Params, error) {
	if e.broken != nil {
		return nil, e.broken
	}
	if dst == nil || !dst.Fits(e.config, e.sizes) {
		dst = nn.NewParams(e.config, e.sizes)
	}
	return dst, e.fail("read the weights", e.stream.read(bytesOf(dst.Slab), e.weights.at))
}

// SetWeights copies the weights in; see nn.Weighted.
func (e *engine) SetWeights(src *nn.Params) error {
	if err := (&nn.State{Weights: src}).Check(e.config, e.sizes); err != nil {
		return err
	}
	if e.broken != nil {
		return e.broken
	}
	return e.write("place the weights", &e.weights, bytesOf(src.Slab))
}
