package jobs

import "polyid-trainer/nn/train"

// Words of a training's settings and results that records and answers hold as
// they are, so that whoever only shows them need not know the network.
type (
	// Measure is a measured value, null in JSON where nothing was measured.
	Measure = train.Measure
	// Schedule is how the learning rate goes.
	Schedule = train.Schedule
)

// Schedules are the names of the schedules.
func Schedules() []string {
	return []string{train.Constant, train.Cosine, train.Exponential, train.ReduceOnPlateau, train.OneCycle}
}
