package nn

import "polyid-trainer/nn/plan"

// Example is one polymer bound to one fold's vocabulary.
type Example struct {
	Plan   *plan.Plan // shared by all folds and by all polymers with an equal graph
	Atom   []int32    // token of each layer-0 atom class
	Bond   []int32    // token of each layer-0 bond class
	Target []float32  // scaled; NaN = unmeasured; nil when only predicting
	Row    int        // names the row in errors and keys its dropout
	Weight float32    // what its errors count in the loss, > 0; 0 stands for 1
}

// Counts is what the example's errors count in the loss.
func (e *Example) Counts() float64 {
	if e.Weight == 0 {
		return 1
	}
	return float64(e.Weight)
}

// Bound is what is known of an unmeasured target: on which side of a value it lies.
type Bound struct {
	Target int
	Value  float32 // scaled
	Side   int8    // 1 if the target lies above Value, -1 if below
}

// Keeps reports whether a prediction is on the right side.
func (b Bound) Keeps(predicted float32) bool { return (predicted-b.Value)*float32(b.Side) >= 0 }

// Batch is the examples of one step, taken as one ragged batch.
type Batch struct {
	Examples []Example
	Epoch    int // with the engine's seed and each Row, keys dropout
}

// Adam holds the hyper-parameters of Keras' Adam with PolyID's decoupled decay.
type Adam struct {
	LearningRate, Decay, Beta1, Beta2, Epsilon float64
	// ClipNorm is the largest Euclidean norm of the whole gradient, which is
	// scaled down to it before the update; 0 bounds nothing.
	ClipNorm float64
}

// Engine owns one fold's weights and runs the network on one device. It is
// used by one goroutine at a time.
type Engine interface {
	// Step runs forward, backward and one Adam update on b and returns the
	// loss before it: the mean absolute error over the batch's finite targets,
	// each times its example's Weight. It is an error if there is none, or if an example does not fit the
	// network; nothing has changed then. A loss that is not finite is returned
	// as it is.
	Step(b *Batch, o Adam) (loss float64, err error)
	// Predict writes the scaled predictions of b, [len(b.Examples), Targets]
	// row-major, without dropout.
	Predict(b *Batch, dst []float32) error
	// State copies weights, Adam moments and step out, into the Params dst has
	// if they are of this network, into new ones otherwise. SetState copies
	// them in; moments that are nil become zero. An engine whose state was set
	// goes on as the one it was taken from, to the bit on one Path.
	State(dst *State) error
	SetState(src *State) error
	// Path names the kernels in use ("avx512", "avx2", "generic", "cuda"): results
	// are reproducible to the bit on one path only.
	Path() string
	Close() error
}

// Placed is an Engine that can say where it runs, beyond its Path.
type Placed interface {
	// Device is a device of this machine and its model: "cuda:0, NVIDIA A10G".
	Device() string
}

// Weighted is an Engine whose weights can be read and exchanged by themselves:
// Adam's moments and step stay as they are. A copy out and in again changes no
// bit.
type Weighted interface {
	// Weights copies the weights into dst if it is of this network, into new
	// Params otherwise, and returns them.
	Weights(dst *Params) (*Params, error)
	SetWeights(src *Params) error
}

// NewEngine makes an engine with freshly initialised weights; seed also keys
// dropout.
type NewEngine func(c Config, s Sizes, seed uint64) (Engine, error)

// State is everything a training needs to go on to the bit. Tensors are plain
// row-major, whatever layout the engine keeps.
type State struct {
	Step    int64
	Weights *Params
	M, V    *Params // Adam moments; nil in a published model
}
