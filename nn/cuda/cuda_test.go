package cuda

import (
	"os"
	"testing"

	"polyid-trainer/nn"
	"polyid-trainer/nn/enginetest"
)

// The suite, on the kernels as host code. Dropout's distribution is left to
// TestLongEngine: its draws are nn/cpu's to the bit, which
// TestDropoutIsTheSameStream shows in a second.
func TestEngine(t *testing.T) {
	t.Parallel()
	exercise(t, enginetest.Long)
}

// All of the suite.
func TestLongEngine(t *testing.T) {
	t.Parallel()
	long(t)
	exercise(t)
}

// long skips a test unless the long ones were asked for.
func long(t *testing.T) {
	t.Helper()
	if os.Getenv("LONG") == "" {
		t.Skip("set LONG=1 to run this")
	}
}

func exercise(t *testing.T, except ...string) {
	drv := newShim(t)
	drv.blocks = 1 // the fastest
	d := openOn(t, drv, 512)
	t.Run("Shim", func(t *testing.T) {
		enginetest.Exercise(t, func(c nn.Config, s nn.Sizes, seed uint64) (nn.Engine, error) {
			return d.NewEngine(c, s, seed)
		}, except...)
	})
}
