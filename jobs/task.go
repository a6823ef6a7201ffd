package jobs

import "fmt"

// Kind is a kind of task.
type Kind string

// The kinds. Workers serve the first three; api serves the rest, because the
// Hub token and the webhook secret never leave it.
const (
	Prepare   Kind = "prepare"
	TrainFold Kind = "fold"
	Finalize  Kind = "finalize"
	Publish   Kind = "publish"
	Notify    Kind = "notify"
	Predict   Kind = "predict"
	// StepSearch looks at a search after one of its trials has moved. It is only a
	// call to look: the search is looked at now and then without it.
	StepSearch Kind = "search"

	// Workers serve these too. A Screen task is for one block of a screening's
	// shards, whichever is next.
	Screen   Kind = "screen"
	Assemble Kind = "assemble"
)

// Task is what the queue carries: names, never data or secrets, since every
// payload is shown on the dashboard.
type Task struct {
	Kind    Kind   `json:"-"`
	Job     string `json:"job"`               // a training job, a prediction for Predict, a search for StepSearch, a screening for Screen and Assemble
	Fold    int    `json:"fold,omitempty"`    // of TrainFold
	Attempt int    `json:"attempt,omitempty"` // a new one is a new task

	// What a fold waits by, see package fairshare: whose share it counts to, and
	// its place within that.
	Owner string  `json:"-"`
	Place float64 `json:"-"`
}

// ID names the task. The queue refuses a second one of the same ID, so that
// whoever finds a task missing may enqueue it.
func (t Task) ID() string {
	switch t.Kind {
	case TrainFold:
		return fmt.Sprintf("%s:%s:%d:%d", t.Job, t.Kind, t.Fold, t.Attempt)
	default:
		return fmt.Sprintf("%s:%s:%d", t.Job, t.Kind, t.Attempt)
	}
}
