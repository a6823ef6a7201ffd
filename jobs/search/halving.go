package search

import (
	"cmp"
	"math"
	"slices"
)

// Defaults of successive halving.
const (
	DefaultReduction = 3 // of every so many trials one goes on
	DefaultRungs     = 3
	MaxReduction     = 10
	MaxRungs         = 10
)

// Rungs are the epochs at which the trials of a search wait for each other,
// ascending; the last is the full number. There are at most n, each a reduction
// factor below the next, and none below one epoch.
func Rungs(epochs, n, factor int) []int {
	rungs := []int{epochs}
	for len(rungs) < n {
		below := rungs[0] / factor
		if below < 1 {
			break
		}
		rungs = slices.Insert(rungs, 0, below)
	}
	return rungs
}

// Candidate is a trial that has reached a rung.
type Candidate struct {
	Index int     // of the trial
	Score float64 // the lower the better; NaN of one that failed
}

// Promote lists the trials that go on from a rung, best first: one of factor, at
// least one, and none that failed. Equal scores go by the number of the trial.
func Promote(reached []Candidate, factor int) []int {
	n := max(1, len(reached)/factor)
	var promoted []int
	for _, c := range Ranked(reached) {
		if len(promoted) < n {
			promoted = append(promoted, c.Index)
		}
	}
	return promoted
}

// Ranked are the candidates that have a score, best first.
func Ranked(of []Candidate) []Candidate {
	ranked := slices.DeleteFunc(slices.Clone(of), func(c Candidate) bool { return math.IsNaN(c.Score) })
	slices.SortFunc(ranked, func(a, b Candidate) int {
		return cmp.Or(cmp.Compare(a.Score, b.Score), cmp.Compare(a.Index, b.Index))
	})
	return ranked
}
