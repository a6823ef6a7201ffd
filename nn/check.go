package nn

import (
	"errors"
	"fmt"
)

// Check refuses an example that the network c with s cannot be run on.
func (e *Example) Check(c Config, s Sizes) error {
	p := e.Plan
	switch {
	case len(p.Blocks) != c.NumMessages:
		return fmt.Errorf("row %d: its plan has %d blocks, the network %d", e.Row, len(p.Blocks), c.NumMessages)
	case len(e.Atom) != len(p.AtomID) || len(e.Bond) != len(p.BondID):
		return fmt.Errorf("row %d: %d atom and %d bond tokens for %d and %d classes",
			e.Row, len(e.Atom), len(e.Bond), len(p.AtomID), len(p.BondID))
	case p.NumBonds == 0:
		return fmt.Errorf("row %d: no bonds, and a prediction is a mean over bonds", e.Row)
	}
	for _, token := range e.Atom {
		if token < 0 || int(token) >= s.AtomClasses {
			return fmt.Errorf("row %d: atom token %d, the embedding has %d", e.Row, token, s.AtomClasses)
		}
	}
	for _, token := range e.Bond {
		if token < 0 || int(token) >= s.BondClasses {
			return fmt.Errorf("row %d: bond token %d, the embedding has %d", e.Row, token, s.BondClasses)
		}
	}
	return nil
}

// CheckStep refuses a batch that a step cannot be made on, and returns how many
// of its targets are measured.
func (b *Batch) CheckStep(c Config, s Sizes) (measured int, err error) {
	for i := range b.Examples {
		ex := &b.Examples[i]
		if err := ex.Check(c, s); err != nil {
			return 0, err
		}
		if w := ex.Weight; !(w >= 0) || w-w != 0 {
			return 0, fmt.Errorf("row %d: its weight is %v", ex.Row, w)
		}
		if len(ex.Target) != s.Targets {
			return 0, fmt.Errorf("row %d: %d targets, want %d", ex.Row, len(ex.Target), s.Targets)
		}
		for _, y := range ex.Target {
			if Measured(y) {
				measured++
			}
		}
	}
	if measured == 0 {
		return 0, errors.New("step: no target of the batch is measured")
	}
	return measured, nil
}

// CheckPredict refuses a batch that cannot be predicted into room for n values.
func (b *Batch) CheckPredict(c Config, s Sizes, n int) error {
	if want := s.Targets * len(b.Examples); n != want {
		return fmt.Errorf("predict: room for %d values, want %d", n, want)
	}
	for i := range b.Examples {
		if err := b.Examples[i].Check(c, s); err != nil {
			return err
		}
	}
	return nil
}

// Measured reports whether a target is: whether it is finite.
func Measured(y float32) bool { return y-y == 0 }

// Check refuses a state that is not one of the network c with s.
func (st *State) Check(c Config, s Sizes) error {
	if st.Weights == nil {
		return errors.New("set state: no weights")
	}
	if (st.M == nil) != (st.V == nil) {
		return errors.New("set state: one Adam moment without the other")
	}
	for _, p := range []*Params{st.Weights, st.M, st.V} {
		if p != nil && !p.Fits(c, s) {
			return fmt.Errorf("set state: %d tensors of another network than %+v with %+v", p.Len(), c, s)
		}
	}
	return nil
}
