package jobs

import (
	"fmt"
	"time"
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

	Claim

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

// FoldResult is what a finished fold left in object storage. Its history is in
// its last checkpoint.
type FoldResult struct {
	Model       string   `json:"model"`      // key of the best weights, as published
	Epochs      int      `json:"epochs"`     // trained
	BestEpoch   int      `json:"best_epoch"` // whose weights these are
	BestValLoss float64  `json:"best_val_loss"`
	KernelPaths []string `json:"kernel_paths"`
}

// Take gives the fold to a worker under a new fencing token, until the claim
// lapses. It is a conflict while another's is in force, and when no work is
// left.
func (f *Fold) Take(now time.Time, worker, token string) error {
	if f.Status.Ended() {
		return &Error{Code: Conflict, Detail: fmt.Sprintf("fold %d has %s", f.Index, f.Status)}
	}
	if err := f.Claim.Take(now, worker, token); err != nil {
		return fmt.Errorf("fold %d: %w", f.Index, err)
	}
	f.Status, f.ResumedFrom = FoldRunning, 0
	if f.Checkpoint != nil {
		f.ResumedFrom = f.Checkpoint.Epoch
	}
	return nil
}

// Renew extends the claim under token and adds the time worked since the last
// write.
func (f *Fold) Renew(now time.Time, token string, worked time.Duration) error {
	if err := f.Claim.Renew(now, token); err != nil {
		return err
	}
	f.Seconds += worked.Seconds()
	return nil
}

// Release ends the claim under token and leaves the fold as status says: queued
// for another worker, paused, or at an end.
func (f *Fold) Release(token string, status FoldStatus) error {
	if err := f.Claim.Release(token); err != nil {
		return err
	}
	f.Status = status
	return nil
}
