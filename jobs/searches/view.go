package searches

import (
	"encoding/json"
	"math"
	"time"

	"polyid-trainer/jobs"
	"polyid-trainer/jobs/search"
)

// View is a search as the API, webhooks and pages show it: what was asked for and
// where it stands.
type View struct {
	ID           string          `json:"id"`
	Object       string          `json:"object"` // "search"
	Owner        string          `json:"owner"`
	Name         string          `json:"name"`
	Notes        string          `json:"notes"`
	Tags         []string        `json:"tags"`
	SharedWith   []string        `json:"shared_with"`
	Job          json.RawMessage `json:"job"` // as it was sent
	Space        search.Space    `json:"space"`
	Method       Method          `json:"method"`
	Objective    Objective       `json:"objective"`
	MaxTrials    int             `json:"max_trials"`
	MaxHours     *float64        `json:"max_hours"`
	MaxUSD       *float64        `json:"max_cost_usd"`
	Seed         uint64          `json:"seed"`
	TrainBest    bool            `json:"train_best"`
	Reduction    int             `json:"reduction_factor"`
	Rungs        []int           `json:"rungs"` // epochs at which trials are compared
	Holdout      any             `json:"holdout"`
	Status       jobs.State      `json:"status"`
	StatusReason *string         `json:"status_reason"`
	Warnings     []jobs.Warning  `json:"warnings"`
	Progress     Progress        `json:"progress"`
	Best         *BestView       `json:"best"`         // null before the first score
	TrainingJob  *string         `json:"training_job"` // which trains the best settings; null before
	Cost         Cost            `json:"cost"`
	Error        *jobs.Failure   `json:"error"`
	CreatedAt    time.Time       `json:"created_at"`
	StartedAt    *time.Time      `json:"started_at"`
	FinishedAt   *time.Time      `json:"finished_at"`
}

// Progress is how far a search has come.
type Progress struct {
	Fraction     float64  `json:"fraction"` // of the epochs that its trials take
	TrialsDone   int      `json:"trials_done"`
	TrialsTotal  int      `json:"trials_total"`
	TrialsFailed int      `json:"trials_failed"`
	Rung         int      `json:"rung"` // the one that is being decided
	ETASeconds   *float64 `json:"eta_seconds"`
}

// Cost is what the trials have cost so far. That of the job that trains the best
// settings is its own.
type Cost struct {
	WorkerSeconds float64 `json:"worker_seconds"`
	USD           float64 `json:"usd"`
}

// BestView is the best trial so far.
type BestView struct {
	TrialView
	OutOfFold    json.RawMessage `json:"out_of_fold"`   // metrics; null unless it was trained in full
	Holdout      json.RawMessage `json:"holdout"`       // the same, of the rows that no trial saw
	HoldoutScore *float64        `json:"holdout_score"` // the objective on them
}

// TrialView is a trial as the API shows it.
type TrialView struct {
	Index       int           `json:"index"`
	Spec        search.Values `json:"spec"` // what differs
	Rung        int           `json:"rung"`
	Epochs      int           `json:"epochs"`
	Score       *float64      `json:"score"` // null before its first rung
	Scores      []RungScore   `json:"scores"`
	Status      Status        `json:"status"`
	TrainingJob string        `json:"training_job"`
	SameAs      *int          `json:"same_as"` // an earlier trial of equal settings
	Error       *string       `json:"error"`
}

// RungScore is a score after so many epochs.
type RungScore struct {
	Epochs int     `json:"epochs"`
	Score  float64 `json:"score"`
}

// NewView shows a search at a time.
func NewView(now time.Time, s *Search) View {
	seconds, usd := s.Spent()
	v := View{
		ID: s.ID, Object: "search", Owner: s.Owner, Name: s.Name, Notes: s.Notes, Tags: orEmpty(s.Tags), SharedWith: orEmpty(s.SharedWith),
		Job: s.Spec.Job, Space: s.Spec.Space, Method: s.Spec.Method, Objective: s.Spec.Objective, MaxTrials: s.Spec.MaxTrials,
		MaxHours: s.Spec.MaxHours, MaxUSD: s.Spec.MaxUSD, Seed: s.Spec.Seed, TrainBest: s.Spec.TrainBest, Reduction: s.Spec.Reduction,
		Rungs: s.Rungs, Holdout: s.Base.Holdout, Status: s.State, StatusReason: orNil(s.Reason), Warnings: orEmpty(s.Warned),
		Progress: s.progress(now), TrainingJob: orNil(s.Final), Cost: Cost{round(seconds, 1e3), round(usd, 1e6)}, Error: s.Failure,
		CreatedAt: s.CreatedAt, StartedAt: timeOrNil(s.StartedAt), FinishedAt: timeOrNil(s.FinishedAt),
	}
	if b := s.Best; b != nil {
		v.Best = &BestView{TrialView: s.ViewTrial(b.Trial), OutOfFold: orNull(b.OutOfFold), Holdout: orNull(b.Holdout), HoldoutScore: b.HeldOut}
	}
	return v
}

// ViewTrial shows the trial with an index.
func (s *Search) ViewTrial(index int) TrialView {
	t := &s.Trials[index]
	v := TrialView{
		Index: t.Index, Spec: t.Values, Rung: t.Rung, Epochs: t.Epochs, Scores: []RungScore{}, Status: t.Status,
		TrainingJob: t.Job, SameAs: t.SameAs, Error: orNil(t.Failure),
	}
	for i, score := range t.Scores {
		v.Scores = append(v.Scores, RungScore{s.Rungs[i], score})
	}
	if score, ok := t.Score(); ok {
		v.Score = &score
	}
	return v
}

// progress counts epochs: those of trials that trained, of all that will.
func (s *Search) progress(now time.Time) Progress {
	p := Progress{TrialsTotal: s.Spec.MaxTrials, Rung: s.Rung}
	done := 0
	for _, t := range s.own() {
		done += t.Epochs
	}
	for _, t := range s.Trials {
		if t.Status.Ended() {
			p.TrialsDone++
		}
		if t.Status == TrialFailed {
			p.TrialsFailed++
		}
	}
	total, before, trials := 0, 0, s.Spec.MaxTrials
	for _, epochs := range s.Rungs {
		total += trials * (epochs - before)
		before, trials = epochs, max(1, trials/s.Spec.Reduction)
	}
	p.Fraction = round(min(1, float64(done)/float64(max(1, total))), 1e4)
	switch {
	case s.State == jobs.Finalizing || s.State == jobs.Succeeded:
		p.Fraction = 1
	case s.State == jobs.Training && p.Fraction > 0:
		eta := round((now.Sub(s.StartedAt).Seconds()-s.PausedFor)*(1-p.Fraction)/p.Fraction, 1)
		p.ETASeconds = &eta
	}
	return p
}

func round(x, parts float64) float64 { return math.Round(x*parts) / parts }

func orNil(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func orNull(raw json.RawMessage) json.RawMessage {
	if len(raw) == 0 {
		return json.RawMessage("null")
	}
	return raw
}

func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

func timeOrNil(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
