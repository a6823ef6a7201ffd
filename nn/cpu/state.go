package cpu

import "polyid-trainer/nn"

// State copies weights, moments and step out, row-major; see nn.Engine.
func (e *engine[T]) State(dst *nn.State) error {
	dst.Step = e.steps
	e.copyOut(&dst.Weights, e.weights)
	e.copyOut(&dst.M, e.m)
	e.copyOut(&dst.V, e.v)
	return nil
}

var _ nn.Weighted = (*engine[float32])(nil)

// Weights copies the weights out; see nn.Weighted.
func (e *engine[T]) Weights(dst *nn.Params) (*nn.Params, error) {
	e.copyOut(&dst, e.weights)
	return dst, nil
}

// SetWeights copies the weights in; see nn.Weighted.
func (e *engine[T]) SetWeights(src *nn.Params) error {
	if err := (&nn.State{Weights: src}).Check(e.config, e.sizes); err != nil {
		return err
	}
	e.pack(e.weights, src)
	return nil
}

// copyOut sets *p, made anew unless it is of this network, from t; nil is
// zeros.
func (e *engine[T]) copyOut(p **nn.Params, t *tensors[T]) {
	if *p == nil || !(*p).Fits(e.config, e.sizes) {
		*p = nn.NewParams(e.config, e.sizes)
	}
	if t == nil {
		clear((*p).Slab)
		return
	}
	e.unpack(*p, t)
}

// SetState copies weights, moments and step in; moments that are nil become
// zero. See nn.Engine.
func (e *engine[T]) SetState(src *nn.State) error {
	if err := src.Check(e.config, e.sizes); err != nil {
		return err
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
