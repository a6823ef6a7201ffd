package nn

// Params is one set of the network's tensors in a single slab.
type Params struct {
	Slab []float32
}
