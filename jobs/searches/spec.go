package searches

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"polyid-trainer/data"
	"polyid-trainer/jobs"
	"polyid-trainer/jobs/search"
)

// Method is how trials are proposed and how far they go.
type Method string

// The methods.
const (
	Random Method = "random" // independent points, trained in full
	TPE    Method = "tpe"    // a tree-structured Parzen estimator, in batches
	ASHA   Method = "asha"   // independent points by successive halving
)

// Defaults and limits of a Spec.
const (
	DefaultTrials  = 40
	MaxTrials      = 500
	MaxHours       = 24 * 365
	DefaultHoldout = 0.1 // of the groups, which no trial sees
)

// Spec is what a search is asked to do: the body of the request.
type Spec struct {
	Name      string          `json:"name,omitempty"`
	Job       json.RawMessage `json:"job"` // a training job's body
	Space     search.Space    `json:"space"`
	Method    Method          `json:"method"`
	Objective Objective       `json:"objective"`
	MaxTrials int             `json:"max_trials"`
	MaxHours  *float64        `json:"max_hours"`    // after which no trial goes on
	MaxUSD    *float64        `json:"max_cost_usd"` // at which the search pauses
	Seed      uint64          `json:"seed"`
	TrainBest bool            `json:"train_best"`
	Webhook   *jobs.Webhook   `json:"webhook,omitempty"`
	// Of ASHA: one of Reduction trials goes on from each of Rungs rungs, the last of
	// which is the end of the training.
	Reduction int `json:"reduction_factor"`
	Rungs     int `json:"rungs"`
}

// Objective is what trials are compared by: the lower, the better.
type Objective struct {
	// Target is one property, whose metric counts in its own units. Without one it
	// is the mean over the properties of the metric over the MAE of the median.
	Target string `json:"target,omitempty"`
	Metric Metric `json:"metric"`
}

// Metric is an error out of fold.
type Metric string

// The metrics.
const (
	MAE  Metric = "mae"
	RMSE Metric = "rmse"
)

// ReadSpec reads a request's body and lists every problem that can be told without
// the dataset, except those of the job itself. What could not be read has its
// default.
func ReadSpec(body []byte) (Spec, []jobs.Problem) {
	s := Spec{
		Method: ASHA, Objective: Objective{Metric: MAE}, MaxTrials: DefaultTrials, TrainBest: true,
		Reduction: search.DefaultReduction, Rungs: search.DefaultRungs,
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(body, &fields); err != nil || fields == nil {
		return s, []jobs.Problem{{Detail: "the body is not a JSON object"}}
	}
	var problems []jobs.Problem
	add := func(pointer, format string, args ...any) {
		problems = append(problems, jobs.Problem{Pointer: pointer, Detail: fmt.Sprintf(format, args...)})
	}
	into := map[string]any{
		"name": &s.Name, "method": &s.Method, "objective": &s.Objective, "max_trials": &s.MaxTrials, "max_hours": &s.MaxHours,
		"max_cost_usd": &s.MaxUSD, "seed": &s.Seed, "train_best": &s.TrainBest, "webhook": &s.Webhook, "reduction_factor": &s.Reduction, "rungs": &s.Rungs,
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		value := fields[name]
		switch field, ok := into[name]; {
		case name == "job":
			s.Job = value
		case name == "space":
			space, wrong := search.ReadSpace(value, "/space")
			s.Space, problems = space, append(problems, wrong...)
		case !ok:
			add("/"+name, "is not a field of a search")
		case string(value) == "null": // as if it was left out
		default:
			dec := json.NewDecoder(bytes.NewReader(value))
			dec.DisallowUnknownFields()
			if err := dec.Decode(field); err != nil {
				add("/"+name, "%s cannot be read: %v", value, err)
			}
		}
	}
	if _, ok := fields["job"]; !ok {
		add("/job", "is required: the training job whose settings are searched for")
	}
	if _, ok := fields["space"]; !ok {
		add("/space", "is required: which fields of the job vary, and between which values")
	}
	if s.Objective.Metric == "" {
		s.Objective.Metric = MAE
	}
	return s, append(problems, s.problems()...)
}

// problems are those of the search's own fields.
func (s *Spec) problems() (problems []jobs.Problem) {
	add := func(pointer, format string, args ...any) {
		problems = append(problems, jobs.Problem{Pointer: pointer, Detail: fmt.Sprintf(format, args...)})
	}
	if !slices.Contains([]Method{Random, TPE, ASHA}, s.Method) {
		add("/method", "%q is none of random, tpe, asha", s.Method)
	}
	if !slices.Contains([]Metric{MAE, RMSE}, s.Objective.Metric) {
		add("/objective/metric", "%q is none of mae, rmse", s.Objective.Metric)
	}
	if s.MaxTrials < 1 || s.MaxTrials > MaxTrials {
		add("/max_trials", "%d is not between 1 and %d", s.MaxTrials, MaxTrials)
	}
	if h := s.MaxHours; h != nil && !(*h > 0 && *h <= MaxHours) {
		add("/max_hours", "%v is not above 0 and at most %v", *h, MaxHours)
	}
	if usd := s.MaxUSD; usd != nil && !(*usd > 0 && *usd <= jobs.MaxBudget) {
		add("/max_cost_usd", "%v is not above 0 and at most %v", *usd, float64(jobs.MaxBudget))
	}
	if s.Reduction < 2 || s.Reduction > search.MaxReduction {
		add("/reduction_factor", "%d is not between 2 and %d", s.Reduction, search.MaxReduction)
	}
	if s.Rungs < 1 || s.Rungs > search.MaxRungs {
		add("/rungs", "%d is not between 1 and %d", s.Rungs, search.MaxRungs)
	}
	if s.Webhook != nil {
		problems = append(problems, s.Webhook.Problems("/webhook", Lifecycle())...)
	}
	return problems
}

// JobProblems lists what keeps the job from being searched over, given its own
// settings: the space, the objective and the rungs.
func (s *Spec) JobProblems(base *jobs.Spec) []jobs.Problem {
	// Of the job what could be read of it: what could not is listed already.
	body, err := json.Marshal(base)
	if err != nil {
		return []jobs.Problem{{Pointer: "/job", Detail: err.Error()}}
	}
	problems := search.Check(s.Space, body, "/space")
	add := func(pointer, format string, args ...any) {
		problems = append(problems, jobs.Problem{Pointer: pointer, Detail: fmt.Sprintf(format, args...)})
	}
	if base.MaxUSD > 0 {
		add("/job/max_cost_usd", "is not taken from a search's job: state max_cost_usd of the search")
	}
	if t := s.Objective.Target; t != "" && len(base.Targets) > 0 && !slices.Contains(base.Targets, t) {
		add("/objective/target", "%q is none of the properties that the job learns: %v", t, base.Targets)
	}
	if base.Split.GroupBy != data.ByPolymer {
		for _, p := range s.Space {
			if top, _, _ := strings.Cut(p.Path, "."); top == "features" || top == "chains" {
				add("/space/"+p.Path, "cannot be searched over while split.group_by is %q: trials would be compared on other folds", base.Split.GroupBy)
			}
		}
	}
	if s.Method != ASHA {
		return problems
	}
	for _, p := range s.Space {
		if p.Path == "epochs" || p.Path == "validate_every" {
			add("/space/"+p.Path, "cannot be searched over by asha, which compares trials after equal numbers of epochs: use random or tpe")
		}
	}
	if first := s.rungs(base)[0]; base.ValidateEvery > first {
		add("/job/validate_every", "%d epochs are more than the %d of the first rung, at which trials are compared", base.ValidateEvery, first)
	}
	return problems
}

// rungs are the epochs at which trials wait for each other; the last is their end.
func (s *Spec) rungs(base *jobs.Spec) []int {
	if s.Method != ASHA {
		return []int{base.Epochs}
	}
	return search.Rungs(base.Epochs, s.Rungs, s.Reduction)
}

// Base is the job as it is checked before the search begins: with the hold-out
// that no trial sees.
func Base(job jobs.Spec) jobs.Spec {
	if job.Holdout == nil {
		job.Holdout = &data.Holdout{Fraction: DefaultHoldout}
	}
	return job
}

// Settings are those of the job with the values of a trial. What was found out
// when the search began, and no trial may vary, is that of base.
func (s *Spec) Settings(base *jobs.Spec, values search.Values) (jobs.Spec, error) {
	body, err := search.With(s.Job, values)
	if err != nil {
		return jobs.Spec{}, err
	}
	spec, err := jobs.ReadSpec(bytes.NewReader(body))
	if err != nil {
		return jobs.Spec{}, err
	}
	spec.Columns, spec.KFolds = base.Columns, base.KFolds
	return spec, nil
}

// trialSpec is what a trial trains.
func (s *Spec) trialSpec(base *jobs.Spec, values search.Values) (jobs.Spec, error) {
	spec, err := s.Settings(base, values)
	spec.Holdout = base.Holdout
	spec.Publish, spec.Webhook, spec.MaxUSD, spec.Metadata, spec.Name = nil, nil, 0, nil, ""
	return spec, err
}

// bestSpec is what is trained and published at the end.
func (s *Spec) bestSpec(base *jobs.Spec, values search.Values) (jobs.Spec, error) {
	spec, err := s.Settings(base, values)
	spec.Publish = base.Publish
	return spec, err
}
