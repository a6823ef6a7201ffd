package cpu

import (
	"polyid-trainer/nn/internal/dropout"
	"polyid-trainer/nn/kernel"
)

// fillDropout draws the factors of classes with count members into mask, a row
// per class.
func fillDropout[T kernel.Float](d *dropout.Sampler, mask kernel.View[T], count []T) {
	for r, k := range count {
		dropout.Fill(d, mask.Row(r), float64(k))
	}
}
