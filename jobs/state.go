package jobs

import (
	"fmt"
	"slices"
)

// State is where a job stands; the values are those of the API.
type State string

// The states of a job.
const (
	Queued     State = "queued"
	Preparing  State = "preparing"
	Training   State = "training"
	Finalizing State = "finalizing"
	Publishing State = "publishing"
	Succeeded  State = "succeeded"
	Failed     State = "failed"
	Cancelled  State = "cancelled"
	Paused     State = "paused"
)

// stages are the states in which work is done, in order.
var stages = []State{Queued, Preparing, Training, Finalizing, Publishing}

// Active reports whether the job still has work that the queue must know of.
func (s State) Active() bool { return slices.Contains(stages, s) }

// Ended reports whether the job is over; a failed or succeeded one can be taken
// up again by request.
func (s State) Ended() bool { return s == Succeeded || s == Failed || s == Cancelled }

// may reports whether a job in state s, which left the stage left when it was
// paused or failed, may move to state to.
func (s State) may(to, left State) bool {
	switch s {
	case Queued, Preparing, Training, Finalizing, Publishing:
		i := slices.Index(stages, s)
		switch to {
		case Failed, Cancelled, Paused:
			return true
		case Succeeded: // without publication there is no publishing
			return s == Publishing || s == Finalizing
		}
		return slices.Index(stages, to) == i+1
	case Paused:
		return to == left || to == Cancelled || to == Failed
	case Failed:
		return to == left || to == Publishing && left == Publishing
	case Succeeded:
		return to == Publishing
	}
	return false
}

// Advance moves the job to state to for the given reason, or refuses with a
// conflict. Moving to the state it is in changes nothing.
func (j *Job) Advance(to State, reason string) error {
	if j.State == to {
		return nil
	}
	if !j.State.may(to, j.Left) {
		return &Error{Code: Conflict, Detail: fmt.Sprintf("a job that is %s cannot become %s", j.State, to)}
	}
	if (to == Paused || to == Failed) && j.State.Active() {
		j.Left = j.State
	}
	j.State, j.Reason = to, reason
	return nil
}
