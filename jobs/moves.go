package jobs

import (
	"encoding/json"
	"fmt"
	"time"

	"polyid-trainer/jobs/lease"
)

// The moves of a job. Each checks that it may be made, changes the record and
// appends its event, so that record and history are always written together.
// Made again, a move changes nothing: stages are delivered twice.

// New is a job that was just asked for.
func New(now time.Time, owner string, spec Spec) (*Job, error) {
	j := &Job{ID: NewID(TrainingJobPrefix), Owner: owner, Details: Details{Name: spec.Name}, Spec: spec, State: Queued, CreatedAt: now.UTC()}
	return j, j.record(now, EventCreated, nil)
}

// Start begins the preparation.
func (j *Job) Start(now time.Time) error {
	if j.State == Preparing {
		return nil
	}
	if err := j.Advance(Preparing, ""); err != nil {
		return err
	}
	if !j.StartedAt.IsZero() {
		return nil
	}
	j.StartedAt = now.UTC()
	return j.record(now, EventStarted, nil)
}

// Train begins the folds, with what the preparation found.
func (j *Job) Train(p Prepared, warnings []Warning) error {
	if j.State == Training {
		return nil
	}
	if err := j.Advance(Training, ""); err != nil {
		return err
	}
	j.Data, j.Warnings = &p, append(j.Warnings, warnings...)
	return nil
}

// FoldClaimed records that a fold began or, if f has been checkpointed, goes on.
func (j *Job) FoldClaimed(now time.Time, f *Fold) error {
	type claim struct {
		Fold    int    `json:"fold"`
		Attempt int    `json:"attempt"`
		Worker  string `json:"worker"`
		Epoch   int    `json:"epoch"` // to rewind to
	}
	typ := EventFoldStarted
	if f.Attempt > 1 {
		typ = EventFoldResumed
		if len(j.Events) >= maxEvents {
			return nil // its fold says how often it was resumed, and by whom last
		}
	}
	return j.record(now, typ, claim{f.Index, f.Attempt, f.Worker, f.ResumedFrom})
}

// FoldFinished records the end of a fold's training, unless it is recorded
// already.
func (j *Job) FoldFinished(now time.Time, f *Fold) error {
	type result struct {
		Fold        int     `json:"fold"`
		Epochs      int     `json:"epochs"`
		BestEpoch   int     `json:"best_epoch"`
		BestValLoss float64 `json:"best_val_loss"`
	}
	if j.finished()[f.Index] {
		return nil
	}
	return j.record(now, EventFoldFinished, result{f.Index, f.Result.Epochs, f.Result.BestEpoch, f.Result.BestValLoss})
}

// finished is the folds whose end is recorded.
func (j *Job) finished() map[int]bool {
	folds := map[int]bool{}
	for _, e := range j.Events {
		var f struct {
			Fold int `json:"fold"`
		}
		if e.Type == EventFoldFinished && json.Unmarshal(e.Data, &f) == nil {
			folds[f.Fold] = true
		}
	}
	return folds
}

// Trained reports whether the end of every fold is recorded, so that the fold
// records need not be read to see what the job needs.
func (j *Job) Trained() bool { return j.Data != nil && len(j.finished()) == len(j.Data.Folds) }

// Finalize begins the assembly of the ensemble.
func (j *Job) Finalize(now time.Time) error {
	if j.State == Finalizing {
		return nil
	}
	if err := j.Advance(Finalizing, ""); err != nil {
		return err
	}
	return j.record(now, EventFinalizing, nil)
}

// PublishedAs records that the revision is on the Hub, and ends the job.
func (j *Job) PublishedAs(now time.Time, p Publication) error {
	if j.State == Succeeded {
		return nil
	}
	j.Published, j.Committing = &p, false
	if err := j.record(now, EventPublished, p); err != nil {
		return err
	}
	return j.Succeed(now)
}

// Succeed ends the job.
func (j *Job) Succeed(now time.Time) error {
	if j.State == Succeeded {
		return nil
	}
	if err := j.Advance(Succeeded, ""); err != nil {
		return err
	}
	j.FinishedAt = now.UTC()
	return j.record(now, EventSucceeded, nil)
}

// Fail ends the job; what it has done so far is kept, and Resume goes on from
// there.
func (j *Job) Fail(now time.Time, f Failure) error {
	if j.State == Failed {
		return nil
	}
	if err := j.Advance(Failed, f.Code); err != nil {
		return err
	}
	j.Failure, j.FinishedAt, j.Committing = &f, now.UTC(), false
	return j.record(now, EventFailed, f)
}

// Cancel ends the job for good, at its owner's request.
func (j *Job) Cancel(now time.Time) error { return j.CancelAs(now, "requested") }

// CancelAs ends the job for good, for a reason such as ReasonNotPromoted.
func (j *Job) CancelAs(now time.Time, reason string) error {
	if j.State == Cancelled {
		return nil
	}
	if err := j.stoppable(); err != nil {
		return err
	}
	if err := j.Advance(Cancelled, reason); err != nil {
		return err
	}
	j.FinishedAt = now.UTC()
	return j.record(now, EventCancelled, nil)
}

// Pause stops the job so that Resume goes on where it was; reason is
// "requested", "budget" or, of a trial, ReasonRung or ReasonSearch.
func (j *Job) Pause(now time.Time, reason string) error {
	if j.State == Paused {
		return nil
	}
	if err := j.stoppable(); err != nil {
		return err
	}
	if err := j.Advance(Paused, reason); err != nil {
		return err
	}
	return j.record(now, EventPaused, map[string]string{"reason": reason})
}

// Resume re-enters the stage that a paused or failed job left. Resuming a job
// that is under way changes nothing.
func (j *Job) Resume() error {
	if j.State.Active() {
		return nil
	}
	if j.State != Paused && j.State != Failed {
		return &Error{Code: Conflict, Detail: fmt.Sprintf("a job that is %s cannot be resumed", j.State)}
	}
	if err := j.hasRoom(); err != nil {
		return err
	}
	if j.State == Paused && j.Reason == ReasonRung {
		return &Error{Code: Conflict, Detail: fmt.Sprintf("the job is a trial that waits for the others of %s, which decides whether it goes on; to train it anyway, submit a job of the same settings", j.Trial.Search)}
	}
	return j.resume()
}

// resume re-enters the stage that was left.
func (j *Job) resume() error {
	if err := j.Advance(j.Left, ""); err != nil {
		return err
	}
	j.Left, j.Failure, j.FinishedAt = "", nil, time.Time{}
	j.again()
	return nil
}

// Republish publishes a training that is done, again or elsewhere: of a job that
// succeeded, or that failed in publishing. What it was to publish is replaced.
func (j *Job) Republish(to Destination) error {
	if j.State == Publishing {
		if p := j.Spec.Publish; p != nil && p.Repo == to.Repo && p.Branch == to.Branch && p.Tag == to.Tag {
			return nil
		}
		return &Error{Code: Conflict, Detail: "the job is being published to another place: wait for it"}
	}
	if j.State != Succeeded && (j.State != Failed || j.Left != Publishing) {
		return &Error{Code: Conflict, Detail: fmt.Sprintf("a job that is %s has no finished training to publish", j.State)}
	}
	if err := j.hasRoom(); err != nil {
		return err
	}
	if err := j.Advance(Publishing, ""); err != nil {
		return err
	}
	j.Spec.Publish, j.Left, j.Failure, j.FinishedAt = &to, "", nil, time.Time{}
	j.again()
	return nil
}

// maxEvents is how many events a job may have before it is taken up again no more:
// the record, with a webhook and its attempts for each event, must stay one that
// can be read back, whatever ends it.
const maxEvents = 4000

// hasRoom is a conflict for a job with too many events to be taken up again.
func (j *Job) hasRoom() error {
	if len(j.Events) < maxEvents {
		return nil
	}
	return &Error{Code: Conflict, Detail: fmt.Sprintf("the job has had %d events, and is taken up again no more: submit a job of the same settings", len(j.Events))}
}

// again counts failures and losses anew, since a user asked for the work.
func (j *Job) again() {
	j.Resumptions++
	j.Stage.Reset()
	j.Stage.Attempt++ // so that the queue does not take the task for the last one
}

// FailStage ends the claim on the job's stage under token after an error. The job
// fails if no other attempt can do better (hopeless), or there were as many as
// there may be: with f, or with what the lease says where f has no code.
func (j *Job) FailStage(now time.Time, k Kind, token string, cause error, f Failure, hopeless bool) error {
	giveUp, err := j.Stage.Fail(token, PolicyOf(k), cause)
	if err != nil {
		return err
	}
	if !giveUp && !hopeless {
		return nil
	}
	switch {
	case f.Code == "":
		f = GaveUp(k, &j.Stage, nil)
	case !hopeless:
		f.Detail += fmt.Sprintf(" (It was tried %d times.)", j.Stage.Failures)
	}
	return j.Fail(now, f)
}

// loseWorker takes the job's stage away from a worker that is dead; see
// lease.Lease.Lose.
func (j *Job) loseWorker(now time.Time, seen *lease.Lease) error {
	k, active := stageKind[j.State]
	giveUp, err := j.Stage.Lose(seen, PolicyOf(k))
	if err != nil || !giveUp || !active {
		return err
	}
	return j.Fail(now, GaveUp(k, &j.Stage, nil))
}

// Delete marks a job that is over as one whose objects may go. Work on it is a
// conflict, even of a worker that has not yet noticed that the job was stopped;
// folds are its fold records.
func (j *Job) Delete(now time.Time, folds []*Fold) error {
	if !j.DeletedAt.IsZero() {
		return nil
	}
	if !j.State.Ended() {
		return &Error{Code: Conflict, Detail: fmt.Sprintf("a job that is %s cannot be deleted: cancel it first", j.State)}
	}
	held := j.Stage.Held()
	for _, f := range folds {
		held = held || f.Held()
	}
	if held {
		return &Error{Code: Conflict, Detail: "a worker is still stopping its work on the job: try again in half a minute"}
	}
	j.DeletedAt = now.UTC()
	return nil
}

// stoppable refuses while the Hub commit is under way: it cannot be taken back.
func (j *Job) stoppable() error {
	if j.Committing {
		return &Error{Code: Conflict, Detail: "the revision is being committed to the Hub: wait for the job to end"}
	}
	return nil
}
