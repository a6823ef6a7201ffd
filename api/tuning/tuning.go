// Package tuning is the service of searches for hyper-parameters: it checks,
// submits, pauses, resumes, cancels and deletes them, and shows what they have
// found. It knows nothing of HTTP; the searches themselves are moved on by package
// searches.
package tuning

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"polyid-trainer/api/training"
	"polyid-trainer/jobs"
	"polyid-trainer/jobs/idempotency"
	"polyid-trainer/jobs/keys"
	"polyid-trainer/jobs/search"
	"polyid-trainer/jobs/searches"
)

// Service submits searches and acts on them. Its fields are set before use and not
// changed; it may be used concurrently.
type Service struct {
	Store   *searches.Store
	Stepper *searches.Stepper
	Jobs    *training.Service
	Queue   training.Queue
	Live    training.Live     // wakes up whoever watches a search
	Keys    *idempotency.Keys // nil ignores idempotency keys
	Now     func() time.Time  // nil is time.Now
	Log     *slog.Logger
}

// Request asks for a search.
type Request struct {
	Owner string // the name of the token that asks
	Spec  searches.Spec
	Job   training.Request // the search's job
	// Problems are what was wrong with the body so far, the job's not among them.
	Problems []jobs.Problem
	// Key makes the request repeatable, for the body with the hash Body.
	Key, Body string
}

// submitRoute is part of the names of idempotency records.
const submitRoute = "POST /v1/searches"

func (s *Service) now() time.Time {
	if s.Now == nil {
		return time.Now()
	}
	return s.Now()
}

// Submit begins a search, once for each key. The search it returns is as it was
// created, whatever has become of it since.
func (s *Service) Submit(ctx context.Context, r Request) (*searches.Search, error) {
	var draft *training.Draft
	made, _, err := idempotency.Once(ctx, s.Keys, idempotency.Request{Owner: r.Owner, Route: submitRoute, Key: r.Key, Body: r.Body},
		func() (made searches.Search, err error) {
			made, draft, err = s.accept(ctx, r)
			return made, err
		},
		func(made *searches.Search) error {
			if err := draft.Store(ctx, keys.SearchJobPrefix(made.ID)); err != nil {
				return err
			}
			if err := s.Store.Create(ctx, made); err != nil {
				return err
			}
			s.call(ctx, made.ID)
			return nil
		})
	if err != nil {
		return nil, err
	}
	return made, nil
}

// accept checks everything about a request that could fail. It stores nothing.
func (s *Service) accept(ctx context.Context, r Request) (made searches.Search, draft *training.Draft, err error) {
	problems := slices.Clone(r.Problems)
	if len(r.Spec.Job) > 0 {
		job := r.Job
		job.Owner, job.Spec = r.Owner, searches.Base(job.Spec)
		if draft, err = s.Jobs.Draft(ctx, job); err != nil {
			return made, nil, err
		}
		for _, p := range draft.Problems {
			p.Pointer = "/job" + p.Pointer
			problems = append(problems, p)
		}
		problems = append(problems, r.Spec.JobProblems(&draft.Spec)...)
	}
	if r.Spec.MaxUSD != nil && s.Jobs.CostPerHour == 0 {
		problems = append(problems, jobs.Problem{Pointer: "/max_cost_usd", Detail: "cannot be enforced: the server has no COST_PER_HOUR to compute costs with; leave it out"})
	}
	var memory int64
	if len(problems) == 0 {
		if memory, problems, err = largest(ctx, r.Spec, draft); err != nil {
			return made, nil, err
		}
	}
	if len(problems) > 0 {
		return made, nil, &jobs.Error{Code: jobs.Invalid, Detail: "the search has invalid settings", Problems: problems}
	}
	if err := s.Queue.Ready(ctx); err != nil {
		return made, nil, err
	}
	sr, err := searches.New(s.now(), r.Owner, r.Spec, draft.Spec)
	if err != nil {
		return made, nil, err
	}
	sr.Memory, sr.Warned = memory, draft.Warnings
	return *sr, draft, nil
}

// sizing are the fields that the memory of a fold depends on.
var sizing = []string{"model", "features", "chains", "batch_size", "average_weights", "stack"}

// largest is the memory of a fold at the largest values of each field, in bytes. A
// value that would not fit into this process is a problem.
func largest(ctx context.Context, spec searches.Spec, draft *training.Draft) (most int64, problems []jobs.Problem, err error) {
	most = draft.Memory
	worst := search.Values{}
	for _, p := range spec.Space {
		if top, _, _ := strings.Cut(p.Path, "."); !slices.Contains(sizing, top) {
			continue
		}
		var here int64
		for _, value := range p.Extremes() {
			bytes, tooMuch, err := memoryOf(ctx, &spec, draft, search.Values{p.Path: value})
			if err != nil {
				return 0, nil, err
			}
			if tooMuch {
				problems = append(problems, jobs.Problem{Pointer: "/space/" + p.Path, Detail: fmt.Sprintf("a fold with %s would need more memory than this process may use (MEMORY_LIMIT)", value)})
			}
			if bytes >= here {
				here, worst[p.Path] = bytes, value
			}
		}
	}
	if len(worst) > 0 && problems == nil {
		bytes, _, err := memoryOf(ctx, &spec, draft, worst)
		if err != nil {
			return 0, nil, err
		}
		most = max(most, bytes)
	}
	return most, problems, nil
}

func memoryOf(ctx context.Context, spec *searches.Spec, draft *training.Draft, values search.Values) (int64, bool, error) {
	settings, err := spec.Settings(&draft.Spec, values)
	if err != nil {
		return 0, false, err
	}
	return draft.MemoryOf(ctx, &settings)
}

// Created shows a search as it was when it was submitted.
func (s *Service) Created(made *searches.Search) searches.View {
	return searches.NewView(made.CreatedAt, made)
}

// Get shows the search with an id.
func (s *Service) Get(ctx context.Context, id string) (searches.View, error) {
	found, err := s.Store.Search(ctx, id)
	if err != nil {
		return searches.View{}, err
	}
	return searches.NewView(s.now(), found), nil
}

// Page is a part of the list of searches.
type Page struct {
	Searches []searches.View
	Next     string // the id to go on after; "" at the end
	Damaged  int    // searches in between whose records cannot be read
}

// List shows searches, newest first.
func (s *Service) List(ctx context.Context, limit int, after string) (Page, error) {
	found, err := s.Store.List(ctx, limit, after)
	if err != nil {
		return Page{}, err
	}
	p := Page{Searches: []searches.View{}, Damaged: found.Damaged}
	for _, f := range found.Searches {
		p.Searches = append(p.Searches, searches.NewView(s.now(), f))
	}
	if found.More {
		p.Next = found.Searches[len(found.Searches)-1].ID
	}
	return p, nil
}

// Trials shows the trials of a search, by number.
func (s *Service) Trials(ctx context.Context, id string) ([]searches.TrialView, error) {
	found, err := s.Store.Search(ctx, id)
	if err != nil {
		return nil, err
	}
	out := make([]searches.TrialView, len(found.Trials))
	for i := range out {
		out[i] = found.ViewTrial(i)
	}
	return out, nil
}

// Cancel ends a search and its trials for good. Cancelling again changes nothing.
func (s *Service) Cancel(ctx context.Context, id string) (searches.View, error) {
	return s.move(ctx, id, func(f *searches.Search) error { return f.Cancel(s.now()) })
}

// Pause stops a search and its trials where they are. Pausing again changes
// nothing.
func (s *Service) Pause(ctx context.Context, id string) (searches.View, error) {
	return s.move(ctx, id, func(f *searches.Search) error { return f.Pause(s.now(), "requested") })
}

// Resume lets a paused search go on, with another budget in USD if it is not nil. A
// search whose best settings could not be trained takes that up again.
func (s *Service) Resume(ctx context.Context, id string, budget *float64) (searches.View, error) {
	if budget != nil && !(*budget > 0 && *budget <= jobs.MaxBudget) {
		return searches.View{}, &jobs.Error{Code: jobs.Invalid, Detail: "the search cannot be resumed with this budget",
			Problems: []jobs.Problem{{Pointer: "/max_cost_usd", Detail: fmt.Sprintf("%v is not above 0 and at most %v", *budget, float64(jobs.MaxBudget))}}}
	}
	found, err := s.Store.Search(ctx, id)
	if err != nil {
		return searches.View{}, err
	}
	if found.State == jobs.Failed && found.Left == jobs.Finalizing {
		if _, err := s.Jobs.Resume(ctx, found.Final, nil); err != nil {
			return searches.View{}, err
		}
	}
	return s.move(ctx, id, func(f *searches.Search) error {
		if budget != nil && !f.State.Ended() {
			f.Spec.MaxUSD = budget
		}
		return f.Resume(s.now())
	})
}

// Stop ends trials of a search, by number, as if they had not been promoted.
func (s *Service) Stop(ctx context.Context, id string, trials []int) (searches.View, error) {
	return s.move(ctx, id, func(f *searches.Search) error {
		if f.State.Ended() {
			return &jobs.Error{Code: jobs.Conflict, Detail: fmt.Sprintf("the search has %s: it has no trials to stop", f.State)}
		}
		for _, i := range trials {
			if err := f.StopTrial(s.now(), i); err != nil {
				return err
			}
		}
		return nil
	})
}

// Describe changes name, notes, tags and whom a search is shared with.
func (s *Service) Describe(ctx context.Context, id string, p jobs.DetailsPatch) (searches.View, error) {
	return s.move(ctx, id, func(f *searches.Search) error {
		p.Apply(&f.Details)
		return nil
	})
}

// Delete removes a search that has ended, with the jobs of its trials. The job that
// trained the best settings stays.
func (s *Service) Delete(ctx context.Context, id string) error { return s.Stepper.Delete(ctx, id) }

// Job is the body of a training job with the settings of a trial, trained in full
// and published as the search's job says.
func (s *Service) Job(ctx context.Context, id string, trial int) (json.RawMessage, error) {
	found, err := s.Store.Search(ctx, id)
	if err != nil {
		return nil, err
	}
	if trial < 0 || trial >= len(found.Trials) {
		return nil, &jobs.Error{Code: jobs.NotFound, Detail: fmt.Sprintf("the search has no trial %d", trial)}
	}
	return search.With(found.Spec.Job, found.Trials[trial].Values)
}

// move changes a search's record, and calls for a step that brings its trials in
// line.
func (s *Service) move(ctx context.Context, id string, change func(*searches.Search) error) (searches.View, error) {
	f, err := s.Store.Update(ctx, id, change)
	if err != nil {
		return searches.View{}, err
	}
	s.call(ctx, id)
	return searches.NewView(s.now(), f), nil
}

// call calls for a step, and wakes up who watches. What fails here is made up for
// by the next round of all searches.
func (s *Service) call(ctx context.Context, id string) {
	if err := s.Queue.Enqueue(ctx, jobs.Task{Kind: jobs.StepSearch, Job: id}); err != nil {
		s.Log.Warn("a search's step could not be enqueued; the next round does it", "search", id, "error", err)
	}
	if w, ok := s.Live.(interface {
		Changed(ctx context.Context, id string) error
	}); ok {
		if err := w.Changed(ctx, id); err != nil {
			s.Log.Warn("waking up the search's watchers", "search", id, "error", err)
		}
	}
}
