package screenings

import (
	"fmt"
	"time"

	"polyid-trainer/jobs"
	"polyid-trainer/jobs/lease"
)

// The moves of a screening. Each checks that it may be made, changes the record and
// appends its event. Made again, a move changes nothing.

func (s *Screening) refuse(move string) error {
	return &jobs.Error{Code: jobs.Conflict, Detail: fmt.Sprintf("a screening that is %s cannot be %s", s.Status, move)}
}

// start begins the work.
func (s *Screening) start(now time.Time) error {
	switch s.Status {
	case Running:
		return nil
	case Queued:
	default:
		return s.refuse("started")
	}
	s.Status, s.Reason = Running, ""
	if !s.StartedAt.IsZero() {
		return nil
	}
	s.StartedAt = now.UTC()
	return s.record(now, EventStarted, nil)
}

// complete notes that all shards are done.
func (s *Screening) complete(now time.Time) error {
	if s.Complete || !s.Status.Active() {
		return nil
	}
	s.Complete = true
	return s.record(now, EventAssembling, nil)
}

// Fail ends the screening; what is done is kept, and Resume goes on from there.
func (s *Screening) Fail(now time.Time, f jobs.Failure) error {
	if s.Status.Ended() {
		return nil
	}
	s.Status, s.Reason, s.Failure, s.FinishedAt = Failed, f.Code, &f, now.UTC()
	return s.record(now, EventFailed, f)
}

// Cancel ends the screening for good.
func (s *Screening) Cancel(now time.Time) error {
	switch {
	case s.Status == Cancelled:
		return nil
	case s.Status.Ended():
		return s.refuse("cancelled")
	}
	s.Status, s.Reason, s.FinishedAt = Cancelled, "requested", now.UTC()
	return s.record(now, EventCancelled, nil)
}

// Pause stops the work so that Resume goes on where it was; reason is "requested"
// or "budget".
func (s *Screening) Pause(now time.Time, reason string) error {
	switch {
	case s.Status == Paused:
		return nil
	case s.Status.Ended():
		return s.refuse("paused")
	}
	s.Status, s.Reason = Paused, reason
	return s.record(now, EventPaused, map[string]string{"reason": reason})
}

// Resume goes on with a screening that is paused or has failed. Failures and losses
// count anew.
func (s *Screening) Resume(now time.Time) error {
	switch s.Status {
	case Queued, Running:
		return nil
	case Paused, Failed:
	default:
		return s.refuse("resumed")
	}
	s.Status, s.Reason, s.Failure, s.FinishedAt = Queued, "", nil, time.Time{}
	s.Resumptions++
	s.Assembly.Reset()
	s.Assembly.Attempt++ // so that the queue does not take the task for the last one
	return s.record(now, EventResumed, nil)
}

// beginAssembly gives the assembly to the worker that holds h. It is a conflict when
// there is nothing to assemble.
func (s *Screening) beginAssembly(now time.Time, h *lease.Holder, worker string) error {
	if !s.Status.Active() || !s.Complete {
		return &jobs.Error{Code: jobs.Conflict, Detail: fmt.Sprintf("the screening is %s: there is nothing to assemble", s.Status)}
	}
	return h.Claim(&s.Assembly, now, worker)
}

// Succeed ends the screening under the token of its assembly.
func (s *Screening) Succeed(now time.Time, token string, r Result) error {
	if err := s.Assembly.Succeed(token); err != nil {
		return err
	}
	if !s.Status.Active() {
		return jobs.ErrLost
	}
	s.Status, s.Reason, s.Result, s.FinishedAt = Succeeded, "", &r, now.UTC()
	return s.record(now, EventSucceeded, map[string]int64{"rows": r.Rows, "bytes": r.Bytes})
}

// failAssembly ends the claim on the assembly under token after an error.
func (s *Screening) failAssembly(now time.Time, token string, cause error, hopeless *jobs.Failure) error {
	giveUp, err := s.Assembly.Fail(token, jobs.PolicyOf(jobs.Assemble), cause)
	switch {
	case err != nil:
		return err
	case hopeless != nil:
		return s.Fail(now, *hopeless)
	case giveUp:
		return s.Fail(now, jobs.GaveUp(jobs.Assemble, &s.Assembly, nil))
	}
	return nil
}

// loseAssembler takes the assembly away from a worker that is dead.
func (s *Screening) loseAssembler(now time.Time, seen *lease.Lease) error {
	giveUp, err := s.Assembly.Lose(seen, jobs.PolicyOf(jobs.Assemble))
	if err != nil || !giveUp {
		return err
	}
	return s.Fail(now, jobs.GaveUp(jobs.Assemble, &s.Assembly, nil))
}
