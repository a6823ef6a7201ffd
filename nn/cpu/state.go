package cpu

import (
	"errors"
	"fmt"

	"polyid-trainer/nn"
)

// State copies weights, moments and step out, row-major; see nn.Engine.
func (e *engine[T]) State(dst *nn.State) error {
	dst.Step = e.steps
	e.copyOut(&dst.Weights, e.weights)
	e.copyOut(&dst.M, e.m)
	e.copyOut(&dst.V, e.v)
	return nil
}

// copyOut sets *p, made anew unless it has the layout, from t; nil is zeros.
func (e *engine[T]) copyOut(p **nn.Params, t *tensors[T]) {
	fresh := nn.NewParams(e.config, e.sizes)
	if *p == nil || (*p).CopyFrom(fresh) != nil {
		*p = fresh
	}
	if t != nil {
		e.unpack(*p, t)
	}
}

// SetState copies weights, moments and step in; moments that are nil become
// zero. See nn.Engine.
func (e *engine[T]) SetState(src *nn.State) error {
	if src.Weights == nil {
		return errors.New("set state: no weights")
	}
	if (src.M == nil) != (src.V == nil) {
		return errors.New("set state: one Adam moment without the other")
	}
	want := nn.NewParams(e.config, e.sizes)
	for _, p := range []*nn.Params{src.Weights, src.M, src.V} {
		if p == nil {
			continue
		}
		if err := want.CopyFrom(p); err != nil {
			return fmt.Errorf("set state: %w", err)
		}
	}
	e.steps = src.Step
	e.pack(e.weights, src.Weights)
	e.m, e.v = nil, nil
	if src.M != nil {
		e.makeMoments()
		e.pack(e.m, src.M)
		e.pack(e.v, src.V)
	}
	return nil
}
