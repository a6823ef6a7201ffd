package httpapi

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"polyid-trainer/api/training"
	"polyid-trainer/jobs"
)

// TrainingJobs serves /v1/training-jobs.
type TrainingJobs struct {
	*training.Service

	now func() time.Time
}

type (
	submitJob struct {
		Exchange
		Key string `header:"Idempotency-Key" doc:"Of the client's choice; its own for every job wanted."`
	}
	estimateJob struct{ Exchange }
	estimated   struct{ Body *training.Estimate }
	jobList     struct {
		Paging
		Status []jobs.State `query:"status" enum:"queued,preparing,training,finalizing,publishing,succeeded,failed,cancelled,paused" doc:"Jobs in any of these states."`
		Trials bool         `query:"trials" doc:"The trials of searches too."`
	}
	jobAnswer struct {
		Status   int
		Location string `header:"Location"`
		Body     jobs.View
	}
	listedJobs struct{ Body List[jobs.View] }
)

func (a *TrainingJobs) Routes(s *Server) {
	a.now = s.Now
	const base = "/v1/training-jobs"
	tags := []string{"training jobs"}
	spec := &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{
		"application/json": {Schema: requestSchema[jobs.Spec](s.api.OpenAPI().Components.Schemas, "dataset")},
	}}
	route(s, huma.Operation{
		OperationID: "create-training-job", Method: http.MethodPost, Path: base, Tags: tags, DefaultStatus: http.StatusAccepted,
		Summary:     "Train an ensemble",
		Description: "Everything that could fail at once is checked first, and every problem listed. With an Idempotency-Key the same request gives the same answer for 24 hours.",
	}, func(ctx context.Context, in *submitJob) (*jobAnswer, error) { return a.submit(ctx, s, in) })
	s.documentBody(base, spec)
	route(s, huma.Operation{
		OperationID: "estimate-training-job", Method: http.MethodPost, Path: base + "/estimate", Tags: tags,
		Summary:     "Say what a training job would take",
		Description: "Rows, steps, hours and USD, from a few measured steps of this very network, with all warnings and problems. Nothing is created.",
	}, func(ctx context.Context, in *estimateJob) (*estimated, error) {
		r, err := in.trainingRequest(ctx, s.Limits.TrainingJob)
		if err != nil {
			return nil, err
		}
		e, err := a.Estimate(ctx, r)
		return &estimated{e}, err
	})
	s.documentBody(base+"/estimate", spec)
	route(s, huma.Operation{
		OperationID: "list-training-jobs", Method: http.MethodGet, Path: base, Tags: tags, Summary: "List training jobs, newest first",
	}, a.list)
	route(s, huma.Operation{
		OperationID: "get-training-job", Method: http.MethodGet, Path: base + "/{id}", Tags: tags, Summary: "Show a training job",
	}, func(ctx context.Context, in *Named) (*jobAnswer, error) {
		v, err := a.Get(ctx, in.ID)
		return &jobAnswer{Status: http.StatusOK, Body: v}, err
	})
	route(s, huma.Operation{
		OperationID: "delete-training-job", Method: http.MethodDelete, Path: base + "/{id}", Tags: tags,
		Summary: "Delete a job that is over, and its objects",
	}, func(ctx context.Context, in *Named) (*struct{}, error) { return nil, a.Delete(ctx, in.ID) })
	detailsRoute(s, "describe-training-job", base+"/{id}", tags, func(ctx context.Context, id string, p jobs.DetailsPatch) (*jobAnswer, error) {
		j, err := a.Describe(ctx, id, p)
		if err != nil {
			return nil, err
		}
		return a.answer(ctx, j, http.StatusOK)
	})
	a.actions(s, base, tags)
	a.eventRoutes(s, base, tags)
	a.foldRoutes(s, base, tags)
	a.datasetRoute(s, base, tags)
	s.recipes()
}

// submit creates a job.
func (a *TrainingJobs) submit(ctx context.Context, s *Server, in *submitJob) (*jobAnswer, error) {
	if err := checkKey(in.Key); err != nil {
		return nil, err
	}
	r, err := in.trainingRequest(ctx, s.Limits.TrainingJob)
	if err != nil {
		return nil, err
	}
	r.Key = in.Key
	j, err := a.Submit(ctx, r)
	if err != nil {
		return nil, err
	}
	return &jobAnswer{Status: http.StatusAccepted, Location: "/v1/training-jobs/" + j.ID, Body: a.Created(j)}, nil
}

// trainingRequest reads the body as a training job.
func (x *Exchange) trainingRequest(ctx context.Context, limit int64) (training.Request, error) {
	body, err := x.body(limit)
	if err != nil {
		return training.Request{}, err
	}
	spec, problems, err := readSpec(body)
	if err != nil {
		return training.Request{}, err
	}
	return training.Request{Owner: Principal(ctx), Spec: spec, Unread: problems, Body: hashOf(body)}, nil
}

// answer shows a job as it is now.
func (a *TrainingJobs) answer(ctx context.Context, j *jobs.Job, status int) (*jobAnswer, error) {
	v, err := a.View(ctx, j)
	if err != nil {
		return nil, err
	}
	return &jobAnswer{Status: status, Body: v}, nil
}

func (a *TrainingJobs) list(ctx context.Context, in *jobList) (*listedJobs, error) {
	if err := checkAfter(jobs.TrainingJobPrefix, in.After); err != nil {
		return nil, err
	}
	page, err := a.List(ctx, jobs.Filter{Limit: in.Limit, After: in.After, States: in.Status, Trials: in.Trials})
	if err != nil {
		return nil, err
	}
	l := newList(page.Jobs, false, nil)
	l.HasMore, l.Damaged = page.Next != "", page.Damaged
	if l.HasMore {
		l.NextAfter = &page.Next
	}
	return &listedJobs{l}, nil
}
