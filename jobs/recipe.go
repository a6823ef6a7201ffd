package jobs

import (
	"polyid-trainer/nn/ensemble"
	"polyid-trainer/nn/stack"
	"polyid-trainer/nn/train"
)

// The recipes: what a job takes where its request says nothing.
const (
	RecipePolyID   = "polyid"   // PolyID's published training
	RecipeAccurate = "accurate" // the least errors that this service knows to reach
)

// Recipes lists the recipes as the jobs that they stand for, without a dataset.
func Recipes() []Spec { return []Spec{DefaultSpec(), accurate()} }

// recipe is the job that a name stands for; ok is false if there is none.
func recipe(name string) (s Spec, ok bool) {
	for _, s := range Recipes() {
		if s.Recipe == name {
			return s, true
		}
	}
	return Spec{}, false
}

// accurate trains a smaller network in batches on rings, where a repeat unit costs
// what one unit costs, and blends it with members of other kinds. It was chosen by
// out-of-fold errors on the shipped tables.
func accurate() Spec {
	s := DefaultSpec()
	s.Recipe = RecipeAccurate
	s.Epochs, s.BatchSize, s.LearningRate = 60, 8, 1e-3
	s.Schedule = train.Schedule{Name: train.Cosine}
	average := 0.998
	s.AverageWeights = &average
	s.Model.AtomFeatures, s.Model.BondFeatures, s.Model.NumMessages = 64, 64, 6
	s.Chains.Periodic = true
	s.Stack = &stack.Config{Members: stack.Members()}
	s.Intervals = ensemble.Intervals{Method: ensemble.Local, Level: ensemble.Level}
	return s
}
