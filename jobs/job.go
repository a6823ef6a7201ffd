package jobs

import (
	"encoding/json"
	"time"

	"polyid-trainer/jobs/lease"
)

// Job is the record of a training job.
type Job struct {
	ID    string `json:"id"`
	Owner string `json:"owner,omitempty"` // name of the token that made it
	Details
	Spec  Spec   `json:"spec"`
	Trial *Trial `json:"trial,omitempty"` // of a search; nil of every other job

	State       State       `json:"state"`
	Left        State       `json:"left,omitempty"` // the stage to resume in, when paused or failed
	Reason      string      `json:"reason,omitempty"`
	Stage       lease.Lease `json:"stage"`                 // on the work of the state it is in, folds excepted
	Resumptions int         `json:"resumptions,omitempty"` // how often it was taken up again

	Data       *Prepared       `json:"data,omitempty"` // once prepared
	Warnings   []Warning       `json:"warnings,omitempty"`
	Memory     int64           `json:"memory,omitempty"`     // bytes that a worker needs to train one fold; 0 is not known
	Metrics    json.RawMessage `json:"metrics,omitempty"`    // once finalized
	Published  *Publication    `json:"published,omitempty"`  // the newest
	Committing bool            `json:"committing,omitempty"` // the Hub commit has begun: too late to cancel
	Failure    *Failure        `json:"failure,omitempty"`

	Events     []Event    `json:"events"`
	Deliveries []Delivery `json:"deliveries,omitempty"`

	CreatedAt  time.Time `json:"created_at"`
	StartedAt  time.Time `json:"started_at,omitzero"`
	FinishedAt time.Time `json:"finished_at,omitzero"`
	DeletedAt  time.Time `json:"deleted_at,omitzero"` // its objects are going, and no move brings it back
}

// Prepared is what preparing found in the dataset.
type Prepared struct {
	Name    string   `json:"name"`
	Hash    string   `json:"hash"` // of the content
	Licence string   `json:"licence,omitempty"`
	Rows    int      `json:"rows"`
	Targets []Target `json:"targets"`
	Folds   []Size   `json:"folds"`
}

// Target is a property the job learns.
type Target struct {
	Name   string `json:"name"`
	Units  string `json:"units"`
	Values int    `json:"values"` // measured rows
}

// Size is the rows of one fold.
type Size struct {
	Train    int `json:"train"`
	Validate int `json:"validate"`
}

// Warning is something the user should know that stops nothing.
type Warning struct {
	Code   string `json:"code"`
	Detail string `json:"detail"`
}

// Failure is why a job failed.
type Failure struct {
	Code   string `json:"code"`
	Detail string `json:"detail"`
	Fold   *int   `json:"fold,omitempty"`
	Epoch  *int   `json:"epoch,omitempty"`
	Row    *int   `json:"row,omitempty"`
}

// Publication is a revision on the Hub.
type Publication struct {
	Repo   string    `json:"repo"`
	Branch string    `json:"branch"`
	Commit string    `json:"commit"`
	Tag    string    `json:"tag,omitempty"`
	URL    string    `json:"url"`
	Reason string    `json:"reason,omitempty"` // why it is not on the branch that the job names; "" if it is
	Time   time.Time `json:"time"`
}

// Owes reports whether a webhook is still to be delivered.
func (j *Job) Owes() bool {
	for _, d := range j.Deliveries {
		if d.NextAttemptAt != nil {
			return true
		}
	}
	return false
}
