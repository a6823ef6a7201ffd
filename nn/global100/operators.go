package global100

// Operators are the network's fused operators as one backend runs them, on the
// batch it is bound to and in its own memory. Each forward operator comes
// with its backward operator, which is called after all forward ones.
//
// A backward operator has two results: the gradient of the states it read, and
// that of its weights. What becomes of the second is the backend's choice: it
// may keep it, add it up over a batch, or spend it at once on an update of the
// weights, which nothing later in the run reads.
type Operators interface {
	Embed()      // weights → states of layer 0: embeddings, initial pooling
	Block(j int) // weights, states of layer j → states of layer j+1
	Heads()      // weights, states of the last layer → predictions, loss

	EmbedBackward()
	BlockBackward(j int)
	HeadsBackward()
}
