package training

import (
	"bytes"
	"context"

	"polyid-trainer/data"
	"polyid-trainer/jobs"
	"polyid-trainer/jobs/access"
	"polyid-trainer/jobs/schedules"
)

// Problems lists everything that is wrong with a request, and stores nothing. An
// error is not the request's fault, or a matter of rights.
func (s *Service) Problems(ctx context.Context, r Request) ([]jobs.Problem, error) {
	p, err := s.check(ctx, r)
	if err != nil {
		return nil, err
	}
	return p.problems, nil
}

// MakeScheduled makes the job of a schedule under an id, in the name of who made the
// schedule. Made again, it changes nothing. It implements schedules.Runner.Make.
func (s *Service) MakeScheduled(ctx context.Context, sd *schedules.Schedule, id string) error {
	if _, err := s.Store.Job(ctx, id); jobs.ErrorCode(err) != jobs.NotFound {
		return err // it is made
	}
	if sd.Role != "" {
		ctx = access.With(ctx, access.Identity{Name: sd.Owner, Role: access.Role(sd.Role)})
	}
	dataset, err := s.Library.Newest(ctx, sd.Dataset)
	if err != nil {
		return err
	}
	spec, err := jobs.ReadSpec(bytes.NewReader(sd.Job))
	if err != nil {
		return &jobs.Error{Code: jobs.Invalid, Detail: "the job of the schedule cannot be read", Err: err}
	}
	spec.Dataset = data.Names{dataset}
	_, err = s.Submit(ctx, Request{Owner: sd.Owner, Spec: spec, ID: id})
	return err
}
