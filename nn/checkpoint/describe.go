package checkpoint

import (
	"fmt"
	"io"

	"polyid-trainer/nn/safetensors"
)

// Describe reads everything of a file but its tensors: what the model is, and
// how far its training has come. It reads no further than the header, so the
// checksum is not looked at, and the Model's parameters are empty.
func Describe(r io.Reader) (*Model, error) {
	h, err := safetensors.ReadHeader(r)
	if err != nil {
		return nil, fmt.Errorf("reading a model: %w", err)
	}
	m, err := parseMetadata(h.Meta)
	if err != nil {
		return nil, fmt.Errorf("reading a model: %w", err)
	}
	return m, nil
}
