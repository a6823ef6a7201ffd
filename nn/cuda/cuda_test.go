package cuda

import (
	"testing"

	"polyid-trainer/nn"
	"polyid-trainer/nn/enginetest"
)

// The whole suite, on the kernels as host code.
func TestEngine(t *testing.T) {
	t.Parallel()
	drv := newShim(t)
	drv.blocks = 1 // the fastest
	d := openOn(t, drv, 512)
	t.Run("Shim", func(t *testing.T) {
		enginetest.Exercise(t, func(c nn.Config, s nn.Sizes, seed uint64) (nn.Engine, error) {
			return d.NewEngine(c, s, seed)
		})
	})
}
