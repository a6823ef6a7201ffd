package checkpoint

import "polyid-trainer/nn/safetensors"

// A checkpoint's header remembers what every epoch measured. These are the bytes
// that one takes at most, as escaped JSON: what it has whatever the targets, and
// for each target.
const (
	epochBytes  = 220
	targetBytes = 50
	// otherBytes are left for the rest of the header: the vocabulary, the shapes.
	otherBytes = 16 << 20
)

// MaxEpochs is how many epochs a training of so many targets may last, so that its
// last checkpoint can be written and read back.
func MaxEpochs(targets int) int {
	return (safetensors.MaxHeader - otherBytes) / (epochBytes + targetBytes*targets)
}
