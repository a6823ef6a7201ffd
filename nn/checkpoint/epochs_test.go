package checkpoint

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"testing"

	"polyid-trainer/data"
	"polyid-trainer/nn"
	"polyid-trainer/nn/train"
)

// longest is an epoch whose every number takes the most room.
func longest(n, targets int) train.Epoch {
	const most = train.Measure(-math.MaxFloat64)
	e := train.Epoch{Epoch: n, Loss: most, ValLoss: most, LearningRate: -math.MaxFloat64, Seconds: -math.MaxFloat64}
	for range targets {
		e.ValMAE, e.ValMAEScaled = append(e.ValMAE, most), append(e.ValMAEScaled, most)
	}
	return e
}

// No epoch takes more room than MaxEpochs counts with.
func TestEpochBytes(t *testing.T) {
	for _, targets := range []int{1, 7, 64} {
		inner, err := json.Marshal([]train.Epoch{longest(1_000_000, targets), longest(1_000_000, targets)})
		if err != nil {
			t.Fatal(err)
		}
		outer, err := json.Marshal(string(inner)) // as the header has it
		if err != nil {
			t.Fatal(err)
		}
		if n, most := len(outer)/2, epochBytes+targetBytes*targets; n > most {
			t.Errorf("an epoch of %d targets takes %d bytes, more than %d", targets, n, most)
		}
	}
}

// The longest training that is allowed can be written and read back.
func TestLongMaxEpochsCanBeReadBack(t *testing.T) {
	if os.Getenv("LONG") == "" {
		t.Skip("48 MB of epochs take a minute: set LONG=1")
	}
	m := example(t)
	const targets = 64
	m.Targets, m.Scaler = nil, data.Scaler{}
	for i := range targets {
		m.Targets = append(m.Targets, Target{Name: string(rune('A'+i%26)) + string(rune('a'+i/26))})
		m.Scaler.Center, m.Scaler.Scale = append(m.Scaler.Center, 0), append(m.Scaler.Scale, 1)
	}
	n := MaxEpochs(targets)
	m.Training.Progress.History = nil
	for i := range n {
		m.Training.Progress.History = append(m.Training.Progress.History, longest(i+1, targets))
	}
	m.Training.Config.Epochs = n + 1
	for _, p := range []**nn.Params{&m.Weights, &m.Training.M, &m.Training.V, &m.Training.Best, &m.Training.Average} {
		if *p != nil {
			*p = nn.NewParams(m.Config, m.Sizes())
		}
	}
	var b bytes.Buffer
	if err := Write(&b, m); err != nil {
		t.Fatalf("%d epochs: %v", n, err)
	}
	got, err := Read(&b)
	if err != nil {
		t.Fatalf("%d epochs: %v", n, err)
	}
	if len(got.Training.Progress.History) != n {
		t.Errorf("%d epochs are read back as %d", n, len(got.Training.Progress.History))
	}
}
