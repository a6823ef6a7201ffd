package jobs

import (
	"fmt"
	"time"
)

// Lease is how long a claim holds without being renewed. Short enough that a
// dead worker's fold goes on within a minute, long enough that one slow write
// to object storage loses nothing.
const (
	Lease      = 20 * time.Second
	RenewEvery = 5 * time.Second
)

// MaxFoldFailures is how often a fold may fail by an error that another try may
// mend before its job fails. Lost workers, shutdowns and pauses do not count.
const MaxFoldFailures = 5

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

// Ended reports whether no worker will take the fold any more.
func (s FoldStatus) Ended() bool {
	return s == FoldSucceeded || s == FoldFailed || s == FoldCancelled
}

// Fold is the record of one fold's training.
type Fold struct {
	Job    string     `json:"job"`
	Index  int        `json:"index"`
	Status FoldStatus `json:"status"`

	Attempt    int       `json:"attempt"`          // claims so far
	Token      string    `json:"token,omitempty"`  // fencing token of the claim in force; "" is none
	Worker     string    `json:"worker,omitempty"` // who claimed it last, "host:pid"
	ClaimedAt  time.Time `json:"claimed_at,omitzero"`
	LeaseUntil time.Time `json:"lease_until,omitzero"`

	Checkpoint  *Checkpoint `json:"checkpoint,omitempty"` // the newest
	ResumedFrom int         `json:"resumed_from_epoch"`   // where the claim in force began
	Seconds     float64     `json:"worker_seconds"`       // of all attempts, up to the last write
	Failures    int         `json:"failures,omitempty"`
	LastError   string      `json:"last_error,omitempty"`
	Result      *FoldResult `json:"result,omitempty"`
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
	BestEpoch   int       `json:"best_epoch"`
}

// FoldResult names what a finished fold left in object storage.
type FoldResult struct {
	Model       string   `json:"model"`       // key of the best weights, as published
	Predictions string   `json:"predictions"` // key of the validation rows' predictions
	History     string   `json:"history"`     // key of the epochs
	Epochs      int      `json:"epochs"`      // trained
	BestEpoch   int      `json:"best_epoch"`  // whose weights these are
	BestValLoss float64  `json:"best_val_loss"`
	KernelPaths []string `json:"kernel_paths"`
	Hardware    string   `json:"hardware"`
}

// Claim gives the fold to a worker, under a new fencing token, until the lease
// runs out. It is a conflict while another's lease holds.
func (f *Fold) Claim(now time.Time, worker, token string) error {
	switch {
	case f.Status.Ended():
		return &Error{Code: Conflict, Detail: fmt.Sprintf("fold %d has %s", f.Index, f.Status)}
	case f.Held(now) && f.Token != token:
		return &Error{Code: Conflict, Detail: fmt.Sprintf("fold %d is held by %s until %s", f.Index, f.Worker, f.LeaseUntil.Format(time.RFC3339))}
	}
	if f.Token != token {
		f.Attempt++
	}
	f.Status, f.Token, f.Worker = FoldRunning, token, worker
	f.ClaimedAt, f.LeaseUntil = now, now.Add(Lease)
	f.ResumedFrom = 0
	if f.Checkpoint != nil {
		f.ResumedFrom = f.Checkpoint.Epoch
	}
	return nil
}

// Held reports whether a claim is in force.
func (f *Fold) Held(now time.Time) bool {
	return f.Status == FoldRunning && f.Token != "" && now.Before(f.LeaseUntil)
}

// Renew extends the lease of the claim under token and adds the time worked
// since the last write; ErrLost if the claim is another's.
func (f *Fold) Renew(now time.Time, token string, worked time.Duration) error {
	if f.Token != token || f.Status != FoldRunning {
		return ErrLost
	}
	f.LeaseUntil = now.Add(Lease)
	f.Seconds += worked.Seconds()
	return nil
}

// Release ends the claim under token and leaves the fold as status says:
// queued for another worker, paused, or at an end.
func (f *Fold) Release(token string, status FoldStatus) error {
	if f.Token != token {
		return ErrLost
	}
	f.Status, f.Token, f.LeaseUntil = status, "", time.Time{}
	return nil
}
