package jobs

import (
	"encoding/json"
	"time"

	"polyid-trainer/nn/train"
)

// Heartbeat is what a running fold tells between checkpoints: its live progress.
type Heartbeat struct {
	Epoch  int `json:"epoch"`  // finished epochs
	Epochs int `json:"epochs"` // of the job
	Step   int `json:"step"`   // steps done of the epoch in progress
	Steps  int `json:"steps"`  // of an epoch

	Loss        train.Measure `json:"loss"`     // of the epoch in progress so far, or of the last one
	ValLoss     train.Measure `json:"val_loss"` // of the last finished epoch
	BestValLoss train.Measure `json:"best_val_loss"`
	BestEpoch   int           `json:"best_epoch"` // 0 before the first epoch's end

	ETASeconds float64   `json:"eta_seconds"` // until the fold's last epoch
	MSPerStep  float64   `json:"ms_per_step"`
	Seconds    float64   `json:"seconds"`          // worker seconds since the record was last written
	Worker     string    `json:"worker"`           // "host:pid"
	Path       string    `json:"path,omitempty"`   // what it trains on, see nn.Engine: "cuda", "avx512"
	Device     string    `json:"device,omitempty"` // of its worker, if it is on one: "cuda:0, NVIDIA A10G"
	Attempt    int       `json:"attempt"`          // of the claim it is told under
	Time       time.Time `json:"time"`
}

// heartbeatOf reads a fold's live progress. It counts only while it is told under
// the claim in force and is ahead of the newest checkpoint: what a worker told
// before it died is of epochs that are trained again.
func heartbeatOf(f *Fold, live json.RawMessage) (b Heartbeat, ok bool) {
	if len(live) == 0 || f.Status != FoldRunning || !f.Held() {
		return Heartbeat{}, false
	}
	if json.Unmarshal(live, &b) != nil || b.Attempt != f.Attempt {
		return Heartbeat{}, false
	}
	if c := f.Checkpoint; c != nil && (b.Epoch < c.Epoch || b.Epoch == c.Epoch && b.Step < c.Step) {
		return Heartbeat{}, false
	}
	return b, true
}

// Update is one message to whoever watches a job.
type Update struct {
	Changed  bool            `json:"changed,omitempty"` // the record is worth reading; there is no more to it
	Fold     int             `json:"fold,omitempty"`
	Progress json.RawMessage `json:"progress,omitempty"` // a Heartbeat
}
