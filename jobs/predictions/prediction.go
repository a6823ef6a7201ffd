// Package predictions keeps the predictions that were asked for and are worked
// off by the queue: each a record that changes by compare-and-set, with the
// request and the results as objects beside it.
//
//	predictions/<id>/prediction.json        the record
//	predictions/<id>/request                the request's body
//	predictions/<id>/results/<n>.json, .csv the results of attempt n
//	index/predictions/<id>                  empty; those that are not at an end
//
// One that is answered while its request waits is stored when it is over, by Add:
// a record and results <0>, without the request.
//
// As with training jobs, the record is the truth: the queue only names it, and
// a task delivered twice finds it claimed or at an end.
package predictions

import (
	"fmt"
	"strings"
	"time"

	"polyid-trainer/jobs"
	"polyid-trainer/jobs/lease"
)

// Kept is how long a prediction is kept after it was asked for.
const Kept = 7 * 24 * time.Hour

// Status is where a prediction stands; the values are those of the API.
type Status string

// The statuses of a prediction.
const (
	Queued    Status = "queued"
	Running   Status = "running"
	Succeeded Status = "succeeded"
	Failed    Status = "failed"
)

// Ended reports whether the prediction is over.
func (s Status) Ended() bool { return s == Succeeded || s == Failed }

// Format is the form of a request and its results.
type Format string

// The formats.
const (
	JSON Format = "application/json"
	CSV  Format = "text/csv"
)

// extension is that of the objects that hold results in the format.
func (f Format) extension() string {
	if f == CSV {
		return "csv"
	}
	return "json"
}

// Model names the revision that predicts.
type Model struct {
	Repo     string `json:"repo"`
	Revision string `json:"revision"` // as asked for
	Commit   string `json:"commit"`   // what that was when the prediction was made; "" before
}

// Counts are how many inputs there are, and how they fared.
type Counts struct {
	Total  int `json:"total"`
	OK     int `json:"ok"`
	Failed int `json:"failed"`
}

// Prediction is the record.
type Prediction struct {
	ID    string `json:"id"`
	Owner string `json:"owner,omitempty"` // name of the token that asked
	Model Model  `json:"model"`

	Request Format        `json:"request"`
	Status  Status        `json:"status"`
	Counts  Counts        `json:"counts"`
	Failure *jobs.Failure `json:"failure,omitempty"`

	Claim lease.Lease `json:"claim"`

	CreatedAt  time.Time `json:"created_at"`
	FinishedAt time.Time `json:"finished_at,omitzero"`
	ExpiresAt  time.Time `json:"expires_at"`
}

// New is a prediction that was just asked for, of total inputs where that is
// known.
func New(now time.Time, owner string, m Model, f Format, total int) *Prediction {
	return &Prediction{
		ID: jobs.NewID(jobs.PredictionPrefix), Owner: owner, Model: m, Request: f, Status: Queued, Counts: Counts{Total: total},
		CreatedAt: now.UTC(), ExpiresAt: now.UTC().Add(Kept),
	}
}

// CheckRecord reports what cannot be true of a prediction read from key.
func (p *Prediction) CheckRecord(key string) error {
	if !jobs.ValidID(jobs.PredictionPrefix, p.ID) || !strings.Contains(key, p.ID) {
		return fmt.Errorf("it is the record of the prediction %q", p.ID)
	}
	switch p.Status {
	case Queued, Running, Succeeded, Failed:
		return nil
	}
	return fmt.Errorf("its status is %q, which no prediction has", p.Status)
}

// Begin gives the prediction to the worker that holds h. It is a conflict when
// there is nothing left to do, and a lease.HeldError while another worker has it.
func (p *Prediction) Begin(now time.Time, h *lease.Holder, worker string) error {
	if p.Status.Ended() {
		return &jobs.Error{Code: jobs.Conflict, Detail: fmt.Sprintf("the prediction has %s", p.Status)}
	}
	if err := h.Claim(&p.Claim, now, worker); err != nil {
		return err
	}
	p.Status = Running
	return nil
}

// Succeed ends the prediction under token, with the results of its attempt.
func (p *Prediction) Succeed(now time.Time, token string, m Model, c Counts) error {
	if err := p.Claim.Succeed(token); err != nil {
		return err
	}
	p.EndSucceeded(now, m, c)
	return nil
}

// EndSucceeded ends a prediction that nobody has claimed, by whoever made it.
func (p *Prediction) EndSucceeded(now time.Time, m Model, c Counts) {
	p.Status, p.Model, p.Counts, p.FinishedAt = Succeeded, m, c, now.UTC()
}

// EndFailed is EndSucceeded for one that there can be no results of.
func (p *Prediction) EndFailed(now time.Time, f jobs.Failure) {
	p.Status, p.Failure, p.FinishedAt = Failed, &f, now.UTC()
}

// FailAttempt ends the claim under token after an error. The prediction ends, with
// f or, if that has no code, with what the lease says, if no other attempt can do
// better (hopeless), or there were as many as there may be.
func (p *Prediction) FailAttempt(now time.Time, token string, cause error, f jobs.Failure, hopeless bool) error {
	giveUp, err := p.Claim.Fail(token, jobs.PolicyOf(jobs.Predict), cause)
	if err != nil {
		return err
	}
	p.Status = Queued
	if !giveUp && !hopeless {
		return nil
	}
	if f.Code == "" {
		f = jobs.GaveUp(jobs.Predict, &p.Claim, nil)
	}
	p.EndFailed(now, f)
	return nil
}

// loseWorker takes the prediction away from a worker that is dead, and ends it if
// too many died over it; see lease.Lease.Lose.
func (p *Prediction) loseWorker(now time.Time, seen *lease.Lease) error {
	giveUp, err := p.Claim.Lose(seen, jobs.PolicyOf(jobs.Predict))
	if err != nil {
		return err
	}
	p.Status = Queued
	if giveUp {
		p.EndFailed(now, jobs.GaveUp(jobs.Predict, &p.Claim, nil))
	}
	return nil
}

// Leave releases the prediction under token, for another worker.
func (p *Prediction) Leave(token string) error {
	if err := p.Claim.Release(token); err != nil {
		return err
	}
	p.Status = Queued
	return nil
}

// task is what works on the prediction next.
func (p *Prediction) task() jobs.Task {
	return jobs.Task{Kind: jobs.Predict, Job: p.ID, Attempt: p.Claim.Attempt}
}

// Needed is the task that the record calls for now, if any. A prediction that
// waits after a failure is left to Store.Reconcile.
func Needed(p *Prediction) (t jobs.Task, ok bool) {
	if p.Status.Ended() || p.Claim.Held() || p.Claim.Wait > 0 {
		return jobs.Task{}, false
	}
	return p.task(), true
}
