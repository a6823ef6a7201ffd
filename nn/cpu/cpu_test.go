package cpu_test

import (
	"testing"

	"polyid-trainer/nn/cpu"
	"polyid-trainer/nn/enginetest"
	"polyid-trainer/nn/kernel"
)

func TestEngine(t *testing.T) {
	t.Parallel()
	for _, path := range kernel.Available() {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			newEngine, err := cpu.NewPath(path)
			if err != nil {
				t.Fatal(err)
			}
			enginetest.Exercise(t, newEngine)
		})
	}
}
