package jobs

import (
	"fmt"
	"slices"
	"time"

	"polyid-trainer/jobs/lease"
)

// FoldStatus is where a fold stands; the values are those of the API.
type FoldStatus string

// The statuses of a fold.
const (
	FoldQueued    FoldStatus = "queued"
	FoldRunning   FoldStatus = "running"
	FoldPaused    FoldStatus = "paused"
	FoldSucceeded FoldStatus = "succeeded"
	FoldFailed    FoldStatus = "failed"
	FoldCancelled FoldStatus = "cancelled"
)

// Ended reports whether no worker will claim the fold any more. One that failed
// is claimed again when its job is resumed.
func (s FoldStatus) Ended() bool { return s == FoldSucceeded || s == FoldCancelled }

// Fold is the record of one fold's training.
type Fold struct {
	Job    string     `json:"job"`
	Index  int        `json:"index"`
	Status FoldStatus `json:"status"`

	lease.Lease

	Checkpoint  *Checkpoint `json:"checkpoint,omitempty"` // the newest
	ResumedFrom int         `json:"resumed_from_epoch"`   // where the claim in force began
	Resumption  int         `json:"resumption,omitempty"` // of the job, when failures and losses were last counted from zero
	Usage       []Usage     `json:"usage,omitempty"`      // of all attempts, up to the last write
	Score       *FoldScore  `json:"score,omitempty"`      // of a trial, at its newest rung or its end
	Result      *FoldResult `json:"result,omitempty"`
}

// Usage is what one worker spent on a fold in one month: its process time,
// divided among the folds it trained at once, and what that cost.
type Usage struct {
	Month   string  `json:"month"` // "2026-01", UTC
	Worker  string  `json:"worker"`
	Seconds float64 `json:"seconds"`
	USD     float64 `json:"usd"`
}

// Checkpoint is a snapshot in object storage and what it measured.
type Checkpoint struct {
	Key         string    `json:"key"`
	Time        time.Time `json:"time"`
	Epoch       int       `json:"epoch"` // finished epochs
	Step        int       `json:"step"`  // of the next
	Loss        float64   `json:"loss"`
	ValLoss     float64   `json:"val_loss"`
	BestValLoss float64   `json:"best_val_loss"`
	BestEpoch   int       `json:"best_epoch"` // 0 before the first validation, and then there are no validation losses
}

// FoldResult is what a finished fold left in object storage. Its history is in
// its last checkpoint.
type FoldResult struct {
	Model       string   `json:"model"`      // key of the best weights, as published
	Epochs      int      `json:"epochs"`     // trained
	BestEpoch   int      `json:"best_epoch"` // whose weights these are
	BestValLoss float64  `json:"best_val_loss"`
	KernelPaths []string `json:"kernel_paths"`
}

// Claim gives the fold to the worker that holds h, as part of a job that was
// resumed so often. It is a conflict when no work is left, and a lease.HeldError
// while another worker has the fold.
func (f *Fold) Claim(now time.Time, h *lease.Holder, worker string, resumption int) error {
	if f.Status.Ended() {
		return &Error{Code: Conflict, Detail: fmt.Sprintf("fold %d has %s", f.Index, f.Status)}
	}
	if err := h.Claim(&f.Lease, now, worker); err != nil {
		return fmt.Errorf("fold %d: %w", f.Index, err)
	}
	if f.Status == FoldFailed || f.Resumption != resumption {
		f.Reset()
	}
	f.Status, f.Resumption, f.ResumedFrom = FoldRunning, resumption, 0
	if f.Checkpoint != nil {
		f.ResumedFrom = f.Checkpoint.Epoch
	}
	return nil
}

// Charge adds process time worked, up to now, to the usage of the worker that
// has the fold, at its price in USD per hour.
func (f *Fold) Charge(now time.Time, worked time.Duration, perHour float64) {
	if worked <= 0 {
		return
	}
	month := now.UTC().Format("2006-01")
	i := slices.IndexFunc(f.Usage, func(u Usage) bool { return u.Month == month && u.Worker == f.Worker })
	if i < 0 {
		i = len(f.Usage)
		f.Usage = append(f.Usage, Usage{Month: month, Worker: f.Worker})
	}
	f.Usage[i].Seconds += worked.Seconds()
	f.Usage[i].USD += worked.Hours() * perHour
}

// Spent sums up the fold's usage: process time in seconds, and USD.
func (f *Fold) Spent() (seconds, usd float64) {
	for _, u := range f.Usage {
		seconds += u.Seconds
		usd += u.USD
	}
	return seconds, usd
}

// Checkpointed names a new checkpoint, which is progress.
func (f *Fold) Checkpointed(c *Checkpoint) {
	f.Checkpoint = c
	f.Progress()
}

// Leave ends the claim under token and leaves the fold as status says: queued
// for another worker, paused or cancelled.
func (f *Fold) Leave(token string, status FoldStatus) error {
	if err := f.Release(token); err != nil {
		return err
	}
	f.Status = status
	return nil
}

// Finish ends the fold under token with its result.
func (f *Fold) Finish(token string, r *FoldResult) error {
	if err := f.Succeed(token); err != nil {
		return err
	}
	f.Status, f.Result = FoldSucceeded, r
	return nil
}

// FailAttempt ends the claim under token after an error. The fold has failed if
// no other attempt can do better, or there were as many as there may be.
func (f *Fold) FailAttempt(token string, cause error, hopeless bool) error {
	giveUp, err := f.Fail(token, PolicyOf(TrainFold), cause)
	if err != nil {
		return err
	}
	f.requeue(giveUp || hopeless)
	return nil
}

// LoseWorker takes the fold away from a worker that is dead; see lease.Lease.Lose.
func (f *Fold) LoseWorker(seen *lease.Lease) error {
	giveUp, err := f.Lose(seen, PolicyOf(TrainFold))
	if err != nil {
		return err
	}
	f.requeue(giveUp)
	return nil
}

func (f *Fold) requeue(giveUp bool) {
	f.Status = FoldQueued
	if giveUp {
		f.Status = FoldFailed
	}
}
