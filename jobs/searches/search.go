package searches

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"polyid-trainer/jobs"
	"polyid-trainer/jobs/search"
)

// Search is the record of a search.
type Search struct {
	ID    string `json:"id"`
	Owner string `json:"owner,omitempty"` // name of the token that made it
	jobs.Details
	Spec   Spec           `json:"spec"`
	Base   jobs.Spec      `json:"base"`             // the job as it was checked, with the hold-out of all trials
	Memory int64          `json:"memory,omitempty"` // bytes that a worker needs for a fold of any trial; 0 is not known
	Warned []jobs.Warning `json:"warnings,omitempty"`

	State  jobs.State `json:"state"`          // queued, training, finalizing, or how it ended
	Left   jobs.State `json:"left,omitempty"` // what to resume in, when paused or failed
	Reason string     `json:"reason,omitempty"`

	Trials []Trial `json:"trials"` // by index
	Rungs  []int   `json:"rungs"`  // epochs; the last is the end of the training
	Rung   int     `json:"rung"`   // the first one that is not decided

	Best  *Best  `json:"best,omitempty"`  // so far
	Final string `json:"final,omitempty"` // the job that trains the best settings in full
	// FinalClosed says that the final job has ended and is not looked at any more.
	FinalClosed bool          `json:"final_closed,omitempty"`
	Failure     *jobs.Failure `json:"failure,omitempty"`

	Events     []jobs.Event    `json:"events"`
	Deliveries []jobs.Delivery `json:"deliveries,omitempty"`

	CreatedAt  time.Time `json:"created_at"`
	StartedAt  time.Time `json:"started_at,omitzero"`
	PausedAt   time.Time `json:"paused_at,omitzero"`   // the last time
	PausedFor  float64   `json:"paused_for,omitempty"` // seconds, in all until it was last resumed
	FinishedAt time.Time `json:"finished_at,omitzero"`
	DeletedAt  time.Time `json:"deleted_at,omitzero"` // its trials and objects are going
}

// Trial is one point of the space and what has become of it.
type Trial struct {
	Index  int           `json:"index"`
	At     search.Point  `json:"at"`
	Values search.Values `json:"values"`
	Job    string        `json:"job"`               // the training job, decided before it is made
	SameAs *int          `json:"same_as,omitempty"` // an earlier trial with equal settings, whose job this is

	Rung    int       `json:"rung"`             // the rung it trains to, or waits at
	Scores  []float64 `json:"scores,omitempty"` // at the rungs it has reached
	Status  Status    `json:"status"`
	Made    bool      `json:"made,omitempty"`   // the job was there when last looked for
	Closed  bool      `json:"closed,omitempty"` // the trial and its job have ended: there is nothing more to see
	Epochs  int       `json:"epochs"`           // finished by all folds, when last looked at
	Seconds float64   `json:"seconds"`          // of workers
	USD     float64   `json:"usd"`
	Swept   bool      `json:"swept,omitempty"` // its checkpoints are gone
	Failure string    `json:"failure,omitempty"`
}

// Status is where a trial stands; the values are those of the API.
type Status string

// The statuses of a trial.
const (
	TrialQueued    Status = "queued"
	TrialRunning   Status = "running"
	TrialPaused    Status = "paused"    // waits at its rung, or with its search
	TrialSucceeded Status = "succeeded" // trained in full
	TrialStopped   Status = "stopped"   // not promoted, or out of time
	TrialFailed    Status = "failed"
	TrialCancelled Status = "cancelled" // with its search, or by its owner
)

// Ended reports whether the trial goes no further.
func (s Status) Ended() bool {
	return s == TrialSucceeded || s == TrialStopped || s == TrialFailed || s == TrialCancelled
}

// Score is the trial's score where it stands; ok is false before its first rung.
func (t *Trial) Score() (score float64, ok bool) {
	if n := len(t.Scores); n > 0 {
		return t.Scores[n-1], true
	}
	return 0, false
}

// Best is the best trial.
type Best struct {
	Trial     int             `json:"trial"`
	Score     float64         `json:"score"`         // out of fold
	OutOfFold json.RawMessage `json:"out_of_fold"`   // metrics of each property; null unless it was trained in full
	Holdout   json.RawMessage `json:"holdout"`       // the same, of the rows that no trial saw
	HeldOut   *float64        `json:"holdout_score"` // the objective on them
}

// New is a search that was just asked for, of a job that was checked as base.
func New(now time.Time, owner string, spec Spec, base jobs.Spec) (*Search, error) {
	s := &Search{
		ID: jobs.NewID(jobs.SearchPrefix), Owner: owner, Details: jobs.Details{Name: spec.Name}, Spec: spec, Base: base,
		State: jobs.Queued, Rungs: spec.rungs(&base), Trials: []Trial{}, CreatedAt: now.UTC(),
	}
	return s, s.record(now, EventCreated, nil)
}

// CheckRecord reports what cannot be true of a search read from key.
func (s *Search) CheckRecord(key string) error {
	if !jobs.ValidID(jobs.SearchPrefix, s.ID) || !strings.Contains(key, s.ID) {
		return fmt.Errorf("it is the record of the search %q", s.ID)
	}
	switch s.State {
	case jobs.Queued, jobs.Training, jobs.Finalizing, jobs.Succeeded, jobs.Failed, jobs.Cancelled, jobs.Paused:
	default:
		return fmt.Errorf("its state is %q, which no search has", s.State)
	}
	for i, t := range s.Trials {
		if t.Index != i || len(t.At) != len(s.Spec.Space) || !jobs.ValidID(jobs.TrainingJobPrefix, t.Job) {
			return fmt.Errorf("its trial %d makes no sense", i)
		}
		if t.SameAs != nil && (*t.SameAs < 0 || *t.SameAs >= i) {
			return fmt.Errorf("its trial %d is the same as trial %d", i, *t.SameAs)
		}
	}
	for i, e := range s.Events {
		if e.Seq != i+1 {
			return fmt.Errorf("its event %d has the number %d", i+1, e.Seq)
		}
	}
	if len(s.Rungs) == 0 {
		return fmt.Errorf("it has no rungs")
	}
	return nil
}

// own are the trials that have a job of their own.
func (s *Search) own() []*Trial {
	var out []*Trial
	for i := range s.Trials {
		if s.Trials[i].SameAs == nil {
			out = append(out, &s.Trials[i])
		}
	}
	return out
}

// Spent is what the trials have cost: seconds of workers, and USD.
func (s *Search) Spent() (seconds, usd float64) {
	for _, t := range s.own() {
		seconds += t.Seconds
		usd += t.USD
	}
	return seconds, usd
}

// inLine reports whether nothing is left to do for a search that has ended.
func (s *Search) inLine() bool {
	return s.State.Ended() && !s.owes() && !slices.ContainsFunc(s.own(), func(t *Trial) bool { return !t.Closed }) && (s.Final == "" || s.FinalClosed) && len(s.sweepable()) == 0
}

// The moves. Made again, each changes nothing.

// Pause stops the search and its trials, so that Resume goes on where they were.
func (s *Search) Pause(now time.Time, reason string) error {
	switch {
	case s.State == jobs.Paused:
		return nil
	case !s.State.Active():
		return conflict("a search that has %s cannot be paused", s.State)
	}
	s.Left, s.State, s.Reason, s.PausedAt = s.State, jobs.Paused, reason, now.UTC()
	return s.record(now, EventPaused, map[string]string{"reason": reason})
}

// Resume goes on with a search that is paused, or that failed in training its best
// settings.
func (s *Search) Resume(now time.Time) error {
	if s.State == jobs.Paused {
		s.PausedFor += now.Sub(s.PausedAt).Seconds()
	}
	switch {
	case s.State.Active():
		return nil
	case s.State == jobs.Paused, s.State == jobs.Failed && s.Left == jobs.Finalizing:
		s.State, s.Left, s.Reason, s.Failure, s.FinishedAt, s.FinalClosed = s.Left, "", "", nil, time.Time{}, false
		return nil
	case s.State == jobs.Failed:
		return conflict("no trial of the search succeeded, so that there is nothing to resume: start another")
	}
	return conflict("a search that is %s cannot be resumed", s.State)
}

// Cancel ends the search and its trials for good.
func (s *Search) Cancel(now time.Time) error {
	switch s.State {
	case jobs.Cancelled:
		return nil
	case jobs.Succeeded, jobs.Failed:
		return conflict("the search has %s already", s.State)
	}
	s.State, s.Left, s.Reason, s.FinishedAt = jobs.Cancelled, "", "requested", now.UTC()
	return s.record(now, EventCancelled, nil)
}

// StopTrial ends a trial for good, as if it had not been promoted.
func (s *Search) StopTrial(now time.Time, index int) error {
	if index < 0 || index >= len(s.Trials) {
		return &jobs.Error{Code: jobs.NotFound, Detail: fmt.Sprintf("the search has no trial %d", index)}
	}
	t := &s.Trials[index]
	if t.SameAs != nil {
		t = &s.Trials[*t.SameAs]
	}
	if t.Status.Ended() {
		return nil
	}
	s.end(t, TrialStopped)
	return s.record(now, EventTrialEnded, trialEvent(t))
}

func (s *Search) succeed(now time.Time) error {
	s.State, s.FinishedAt = jobs.Succeeded, now.UTC()
	return s.record(now, EventSucceeded, nil)
}

func (s *Search) fail(now time.Time, f jobs.Failure) error {
	s.Left, s.State, s.Reason, s.Failure, s.FinishedAt = s.State, jobs.Failed, f.Code, &f, now.UTC()
	return s.record(now, EventFailed, f)
}

func conflict(format string, args ...any) error {
	return &jobs.Error{Code: jobs.Conflict, Detail: fmt.Sprintf(format, args...)}
}
