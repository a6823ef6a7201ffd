package training

import (
	"context"

	"polyid-trainer/jobs"
	"polyid-trainer/jobs/keys"
)

// Draft is a training job that was checked and is not begun: what others make jobs
// of, such as a search of its trials.
type Draft struct {
	Spec     jobs.Spec // its full settings
	Warnings []jobs.Warning
	Problems []jobs.Problem // everything that is wrong with it
	Memory   int64          // bytes that a worker needs for a fold; 0 is not known

	plan    *plan
	service *Service
}

// Draft checks a request as Submit does, and stores nothing. An error is not the
// request's fault, or a matter of rights.
func (s *Service) Draft(ctx context.Context, r Request) (*Draft, error) {
	p, err := s.check(ctx, r)
	if err != nil {
		return nil, err
	}
	return &Draft{Spec: p.spec, Warnings: p.warnings, Problems: p.problems, Memory: p.memory.Job(), plan: p, service: s}, nil
}

// MemoryOf is what a fold of the draft's data takes with other settings, in bytes; 0
// is not known. tooMuch reports whether this process, which trains the jobs, may
// not use as much.
func (d *Draft) MemoryOf(ctx context.Context, spec *jobs.Spec) (bytes int64, tooMuch bool, err error) {
	s := d.service
	if s.Estimator == nil || d.plan.table == nil {
		return 0, false, nil
	}
	m, err := s.Estimator.Memory(ctx, spec, d.plan.table.Table)
	return m.Job(), s.TrainsHere && s.tooLarge(m), err
}

// Store stores what a job gets copies of, under names that follow prefix as those
// of a job follow its own.
func (d *Draft) Store(ctx context.Context, prefix string) error {
	s, p := d.service, d.plan
	under := func(key string) string { return prefix + key[len(keys.JobPrefix("")):] }
	if err := s.putTable(ctx, under(keys.Dataset("")), p.table); err != nil {
		return err
	}
	if p.holdout != nil {
		if err := s.putTable(ctx, under(keys.Holdout("")), p.holdout); err != nil {
			return err
		}
	}
	if p.weights == nil {
		return nil
	}
	return s.putWeights(ctx, under(keys.InitPrefix("")), p.weights)
}
