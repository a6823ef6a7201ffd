package jobs

import (
	"math"
	"time"

	"polyid-trainer/jobs/fairshare"
)

// Priority says which of a token's own jobs goes first.
type Priority string

// The priorities.
const (
	PriorityLow    Priority = "low"
	PriorityNormal Priority = "normal"
	PriorityHigh   Priority = "high"
)

func (p Priority) known() bool {
	return p == "" || p == PriorityLow || p == PriorityNormal || p == PriorityHigh
}

func (p Priority) class() fairshare.Class {
	switch p {
	case PriorityLow:
		return fairshare.Low
	case PriorityHigh:
		return fairshare.High
	}
	return fairshare.Normal
}

// place is where a fold stands among the waiting work of its token; see
// fairshare.Place.
func (j *Job) place(fold int) float64 {
	return fairshare.Place(j.Spec.Priority.class(), j.CreatedAt, j.takes(), fold)
}

// perPolymer is a polymer's time in a step of PolyID's network on one core, see
// README. Only how jobs compare with each other counts.
const perPolymer = 25 * time.Millisecond

// takes is about how long all folds take one after another: by the polymers that
// they are shown, each of which costs in proportion to the network's weights. The
// trials of a search are taken for one job that grows by a trial each time.
func (j *Job) takes() time.Duration {
	if j.Data == nil {
		return 0
	}
	rows := 0
	for _, f := range j.Data.Folds {
		rows += f.Train
	}
	m := j.Spec.Model
	size := float64(m.AtomFeatures) / 128 * float64(m.BondFeatures) / 128 * float64(m.NumMessages) / 12
	epochs := j.Spec.Epochs
	if t := j.Trial; t != nil {
		if t.PauseAt > 0 {
			epochs = t.PauseAt
		}
		epochs *= t.Index + 1
	}
	seconds := float64(rows) * float64(epochs) * size * perPolymer.Seconds()
	return time.Duration(min(seconds, math.MaxInt32) * float64(time.Second))
}
