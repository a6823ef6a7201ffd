package nn

import (
	"fmt"
	"iter"
	"slices"
)

// Tensor is a named view into a slab.
type Tensor struct {
	Shape []int     // one or two dimensions; a kernel is [in, out]
	Data  []float32 // row-major
}

// Params is one value for each of the network's parameters, in a single slab:
// weights, gradients or Adam moments.
type Params struct {
	Slab  []float32 // every tensor, row-major, in Layout's order
	specs []Spec
}

// NewParams makes Params of zeros.
func NewParams(c Config, s Sizes) *Params {
	return &Params{Slab: make([]float32, NumParams(c, s)), specs: Layout(c, s)}
}

// Len is the number of tensors.
func (p *Params) Len() int { return len(p.specs) }

// Tensors yields every tensor with its name, in the order Keras keeps them.
func (p *Params) Tensors() iter.Seq2[string, Tensor] {
	return func(yield func(string, Tensor) bool) {
		for _, s := range p.specs {
			if !yield(s.Name, p.view(s)) {
				return
			}
		}
	}
}

// Tensor finds a tensor by name.
func (p *Params) Tensor(name string) (Tensor, bool) {
	for _, s := range p.specs {
		if s.Name == name {
			return p.view(s), true
		}
	}
	return Tensor{}, false
}

// Clone makes an independent copy.
func (p *Params) Clone() *Params {
	return &Params{Slab: slices.Clone(p.Slab), specs: p.specs}
}

// Fits reports whether p has the tensors of a network.
func (p *Params) Fits(c Config, s Sizes) bool { return sameSpecs(p.specs, Layout(c, s)) }

func sameSpecs(a, b []Spec) bool {
	return slices.EqualFunc(a, b, func(a, b Spec) bool {
		return a.Name == b.Name && slices.Equal(a.Shape, b.Shape)
	})
}

// CopyFrom copies q's values; q must have p's layout.
func (p *Params) CopyFrom(q *Params) error {
	if !sameSpecs(p.specs, q.specs) {
		return fmt.Errorf("parameters differ: %d values in %d tensors, want %d in %d of the same names and shapes",
			len(q.Slab), len(q.specs), len(p.Slab), len(p.specs))
	}
	copy(p.Slab, q.Slab)
	return nil
}

func (p *Params) view(s Spec) Tensor {
	end := s.Off + s.Size()
	return Tensor{Shape: s.Shape, Data: p.Slab[s.Off:end:end]}
}
