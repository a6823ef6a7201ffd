package training

import (
	"context"
	"fmt"
	"strings"

	"polyid-trainer/jobs"
)

// Cancel ends a job for good. It is jobs.Conflict once the Hub commit has begun.
// Cancelling again changes nothing.
func (s *Service) Cancel(ctx context.Context, id string) (*jobs.Job, error) {
	return s.move(ctx, id, jobs.Cancel, func(j *jobs.Job) error { return j.Cancel(s.now()) })
}

// Pause stops a job where it is; its folds are checkpointed. It is jobs.Conflict
// once the Hub commit has begun. Pausing again changes nothing.
func (s *Service) Pause(ctx context.Context, id string) (*jobs.Job, error) {
	return s.move(ctx, id, jobs.Pause, func(j *jobs.Job) error { return j.Pause(s.now(), "requested") })
}

// Resume lets a paused or failed job go on. A budget that is not nil, in USD,
// replaces the job's own; it includes what the job has cost already.
func (s *Service) Resume(ctx context.Context, id string, budget *float64) (*jobs.Job, error) {
	if budget != nil {
		if problem := s.checkBudget(*budget); problem != "" {
			return nil, &jobs.Error{Code: jobs.Invalid, Detail: "the job cannot be resumed with this budget",
				Problems: []jobs.Problem{{Pointer: "/max_cost_usd", Detail: problem}}}
		}
	}
	return s.move(ctx, id, jobs.Continue, func(j *jobs.Job) error {
		if budget != nil && (j.State == jobs.Paused || j.State == jobs.Failed) {
			j.Spec.MaxUSD = *budget
		}
		return j.Resume()
	})
}

// checkBudget says what is wrong with a budget, "" if nothing is.
func (s *Service) checkBudget(usd float64) string {
	switch {
	case !(usd > 0 && usd <= jobs.MaxBudget):
		return fmt.Sprintf("%v is not above 0 and at most %v", usd, float64(jobs.MaxBudget))
	case s.CostPerHour == 0:
		return "cannot be enforced: the server has no COST_PER_HOUR to compute costs with"
	}
	return ""
}

// Destination is where a job publishes, for a request to change: the configured
// repository where the job names none.
func (s *Service) Destination(ctx context.Context, id string) (jobs.Destination, error) {
	j, err := s.Store.Job(ctx, id)
	if err != nil {
		return jobs.Destination{}, err
	}
	if j.Spec.Publish != nil {
		return *j.Spec.Publish, nil
	}
	return jobs.Destination{Repo: s.home(ctx)}, nil
}

// Publish publishes a finished training again, or for the first time, after
// checking the destination as that of a new job. Pointers of problems are into
// the destination.
func (s *Service) Publish(ctx context.Context, id string, to jobs.Destination) (*jobs.Job, error) {
	j, err := s.Store.Job(ctx, id)
	if err != nil {
		return nil, err
	}
	p := &plan{spec: jobs.Spec{Publish: &to}.WithDefaults()}
	p.problems = p.spec.Publish.Problems("/publish")
	p.checkNames()
	if j.State != jobs.Publishing { // then this is not a new publication
		if err := s.askHub(ctx, p); err != nil {
			return nil, err
		}
	}
	if len(p.problems) > 0 {
		for i := range p.problems {
			p.problems[i].Pointer = strings.TrimPrefix(p.problems[i].Pointer, "/publish")
		}
		return nil, &jobs.Error{Code: jobs.Invalid, Detail: "the destination has invalid settings", Problems: p.problems}
	}
	to = *p.spec.Publish
	return s.move(ctx, id, jobs.Continue, func(j *jobs.Job) error { return j.Republish(to) })
}

// Describe changes what the owner says of a job, and whom it is shared with.
func (s *Service) Describe(ctx context.Context, id string, p jobs.DetailsPatch) (*jobs.Job, error) {
	return s.Store.UpdateJob(ctx, id, func(j *jobs.Job) error {
		p.Apply(&j.Details)
		return nil
	})
}

// Delete removes a job that has ended, with all its objects. It is jobs.Conflict
// while the job is active.
func (s *Service) Delete(ctx context.Context, id string) error { return s.Store.DeleteJob(ctx, id) }

// move changes a job's record, then tells its folds and whoever watches, then
// enqueues what the job needs now. What fails after the record is written is
// repaired later: by the folds, which read the record at every checkpoint, and
// by the reconciler.
func (s *Service) move(ctx context.Context, id string, c jobs.Control, change func(*jobs.Job) error) (*jobs.Job, error) {
	j, err := s.Store.UpdateJob(ctx, id, change)
	if err != nil {
		return nil, err
	}
	log := s.log().With("job", id)
	if err := s.Live.Tell(ctx, id, c); err != nil {
		log.Warn("the folds could not be told; they read the record at their next checkpoint", "error", err)
	}
	if !j.State.Active() {
		return j, nil
	}
	var folds []*jobs.Fold
	if j.State == jobs.Training {
		if folds, err = s.Store.Folds(ctx, id); err != nil {
			log.Warn("the folds could not be read; the reconciler will enqueue them", "error", err)
		}
	}
	for _, t := range jobs.Needed(s.now(), j, folds) {
		if err := s.Queue.Enqueue(ctx, t); err != nil {
			log.Warn("a task could not be enqueued; the reconciler will enqueue it", "task", t.ID(), "error", err)
			break
		}
	}
	return j, nil
}
