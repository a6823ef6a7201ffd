package jobs

import (
	"fmt"
	"time"
)

// Trial marks a job as a trial of a search, which decides how far it goes. Its
// folds train with the schedule of all of the job's epochs and stop at a rung;
// promoted, they go on from their checkpoints, so that a trial that reaches the
// end has taken the steps of a job that never stopped, to the bit.
type Trial struct {
	Search  string `json:"search"`
	Index   int    `json:"index"`
	PauseAt int    `json:"pause_at_epoch,omitempty"` // the rung: finished epochs at which folds wait; 0 is none
}

// Reasons of trials that are paused or cancelled by their search.
const (
	ReasonRung        = "rung"         // paused: every fold waits at the rung
	ReasonSearch      = "search"       // paused or cancelled with its search
	ReasonNotPromoted = "not_promoted" // cancelled: others were better at the rung
)

// FoldScore is how far a fold's best weights were off on its validation rows when
// the fold reached a rung or its end. Sums of folds that saw disjoint rows add up
// to the scores of the ensemble out of fold.
type FoldScore struct {
	Epoch   int           `json:"epoch"` // finished epochs
	Targets []TargetScore `json:"targets"`
}

// TargetScore are sums over the measured validation rows of a fold, in the
// target's own units.
type TargetScore struct {
	Target   string  `json:"target"`
	Rows     int     `json:"rows"`
	Absolute float64 `json:"absolute"` // of the errors
	Squares  float64 `json:"squares"`  // of the errors
	Baseline float64 `json:"baseline"` // of the absolute errors of the training rows' median
}

// AtRung reports whether a fold of the job waits at the job's rung.
func (j *Job) AtRung(f *Fold) bool {
	t := j.Trial
	return t != nil && t.PauseAt > 0 && f.Result == nil && f.Score != nil && f.Score.Epoch >= t.PauseAt
}

// ReachRung pauses a trial whose folds all wait at its rung, or have ended before.
// Otherwise it changes nothing.
func (j *Job) ReachRung(now time.Time, folds []*Fold) error {
	if !j.rungReached(folds) {
		return nil
	}
	return j.Pause(now, ReasonRung)
}

func (j *Job) rungReached(folds []*Fold) bool {
	if j.State != Training || j.Trial == nil || j.Data == nil || len(folds) != len(j.Data.Folds) {
		return false
	}
	waiting := false
	for _, f := range folds {
		switch {
		case j.AtRung(f):
			waiting = true
		case f.Result == nil:
			return false
		}
	}
	return waiting
}

// Promote lets a trial that waits at its rung go on to a later one, or to its end
// if that is 0. Promoting it again changes nothing.
func (j *Job) Promote(pauseAt int) error {
	switch {
	case j.Trial == nil:
		return &Error{Code: Conflict, Detail: "the job is no trial of a search"}
	case j.Trial.PauseAt == 0 || pauseAt > 0 && pauseAt <= j.Trial.PauseAt:
		return nil
	case j.State != Paused || j.Reason != ReasonRung:
		return &Error{Code: Conflict, Detail: fmt.Sprintf("a trial that is %s does not wait at a rung", j.State)}
	}
	j.Trial.PauseAt = pauseAt
	return j.resume()
}
