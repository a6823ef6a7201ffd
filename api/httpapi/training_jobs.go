package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"golang.org/x/sync/errgroup"

	"polyid-trainer/api/datasets"
	"polyid-trainer/jobs"
	"polyid-trainer/jobs/records"
	"polyid-trainer/storage"
)

// TrainingJobs serves /v1/training-jobs.
type TrainingJobs struct {
	Store   JobStore
	Queue   Queue
	Live    Live
	Bucket  storage.Bucket // where the store is, for what lies beside the records
	Library *datasets.Library
	Keys    *Keys
	// Hub asks the Hub before a job begins; nil asks nothing.
	Hub Hub
	// Weights opens the files of a revision that jobs start from,
	// model_fold_<i>/model.safetensors; nil starts none from any.
	Weights func(ctx context.Context, from jobs.Revision) (fs.FS, error)
	// Estimator measures how fast a job will train; nil estimates no time.
	Estimator Estimator

	// Usage tells what a month of jobs used; nil shows none.
	Usage interface {
		Usage(ctx context.Context, month string) ([]records.Charge, error)
	}

	HubRepo     string  // where jobs publish that do not say where
	CostPerHour float64 // USD of a worker process

	now func() time.Time
}

// JobStore is the records of training jobs.
type JobStore interface {
	jobs.Store
	// DeleteJob removes a job that is over, with everything it left.
	DeleteJob(ctx context.Context, id string) error
}

// Live is what running folds tell and are told. All of it may be lost.
type Live interface {
	Progress(ctx context.Context, job string, folds int) ([]json.RawMessage, error)
	Tell(ctx context.Context, job string, c jobs.Control) error
	Subscribe(ctx context.Context, job string) <-chan jobs.Update
}

// Hub is asked before a job begins, so that nothing fails after hours that could
// have failed at once.
type Hub interface {
	// Preflight lists what keeps a job from publishing to d, or from starting
	// from a revision; either may be nil. Pointers are into the job. An error is
	// jobs.Forbidden for a repository that is not allowed, or jobs.Unavailable.
	Preflight(ctx context.Context, d *jobs.Destination, from *jobs.Revision) ([]jobs.Problem, error)
}

type (
	jobList struct {
		Paging
		Status []jobs.State `query:"status" enum:"queued,preparing,training,finalizing,publishing,succeeded,failed,cancelled,paused" doc:"Jobs in any of these states."`
	}
	JobNamed struct {
		ID string `path:"id" maxLength:"40"`
	}
	jobAnswer struct {
		Status   int
		Location string `header:"Location"`
		Body     jobs.View
	}
	listedJobs struct{ Body List[jobs.View] }
)

func (a *TrainingJobs) routes(s *Server) {
	a.now = s.Now
	const base = "/v1/training-jobs"
	tags := []string{"training jobs"}
	spec := &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{
		"application/json": {Schema: specSchema(s.api.OpenAPI().Components.Schemas)},
	}}
	route(s, huma.Operation{
		OperationID: "create-training-job", Method: http.MethodPost, Path: base, Tags: tags, DefaultStatus: http.StatusAccepted,
		Summary:     "Train an ensemble",
		Description: "Everything that could fail at once is looked at first, and every problem listed. With an Idempotency-Key the same request gives the same answer for 24 hours.",
	}, func(ctx context.Context, in *createJob) (*createdJob, error) {
		body, err := in.body(s.Limits.TrainingJob)
		if err != nil {
			return nil, err
		}
		return a.create(ctx, in.Key, body)
	})
	s.documentBody(base, spec)
	route(s, huma.Operation{
		OperationID: "estimate-training-job", Method: http.MethodPost, Path: base + "/estimate", Tags: tags,
		Summary:     "Say what a training job would take",
		Description: "Rows, steps, hours and USD, from a few measured steps of this very network, with all warnings and problems. Nothing is created.",
	}, func(ctx context.Context, in *estimateJob) (*estimated, error) {
		body, err := in.body(s.Limits.TrainingJob)
		if err != nil {
			return nil, err
		}
		return a.estimate(ctx, body)
	})
	s.documentBody(base+"/estimate", spec)
	route(s, huma.Operation{
		OperationID: "list-training-jobs", Method: http.MethodGet, Path: base, Tags: tags, Summary: "List training jobs, newest first",
	}, a.list)
	route(s, huma.Operation{
		OperationID: "get-training-job", Method: http.MethodGet, Path: base + "/{id}", Tags: tags, Summary: "Show a training job",
	}, func(ctx context.Context, in *JobNamed) (*jobAnswer, error) {
		j, err := a.Store.Job(ctx, in.ID)
		if err != nil {
			return nil, err
		}
		return a.answer(ctx, j, http.StatusOK)
	})
	route(s, huma.Operation{
		OperationID: "delete-training-job", Method: http.MethodDelete, Path: base + "/{id}", Tags: tags,
		Summary: "Delete a job that is over, and its objects",
	}, func(ctx context.Context, in *JobNamed) (*struct{}, error) { return nil, a.Store.DeleteJob(ctx, in.ID) })
	a.actions(s, base, tags)
	a.eventRoutes(s, base, tags)
	a.foldRoutes(s, base, tags)
	s.page("/jobs", "Jobs", a.listPage)
	a.pages(s)
}

// answer shows a job.
func (a *TrainingJobs) answer(ctx context.Context, j *jobs.Job, status int) (*jobAnswer, error) {
	v, err := a.view(ctx, j)
	if err != nil {
		return nil, err
	}
	return &jobAnswer{Status: status, Body: v}, nil
}

// view shows a job with its folds. Live progress is left out while Redis is
// away.
func (a *TrainingJobs) view(ctx context.Context, j *jobs.Job) (jobs.View, error) {
	var folds []*jobs.Fold
	if j.State != jobs.Queued && j.State != jobs.Preparing {
		var err error
		if folds, err = a.Store.Folds(ctx, j.ID); err != nil {
			return jobs.View{}, err
		}
	}
	var live []json.RawMessage
	if j.State == jobs.Training && len(folds) > 0 {
		var err error
		if live, err = a.Live.Progress(ctx, j.ID, len(folds)); err != nil {
			logOf(ctx).Warn("live progress", "job", j.ID, "error", err)
		}
	}
	return jobs.NewView(a.now(), j, folds, live, a.CostPerHour), nil
}

// readsAtOnce bounds the reads of one listing.
const readsAtOnce = 8

func (a *TrainingJobs) list(ctx context.Context, in *jobList) (*listedJobs, error) {
	if err := checkAfter(jobs.TrainingJobPrefix, in.After); err != nil {
		return nil, err
	}
	page, err := a.Store.Jobs(ctx, jobs.Filter{Limit: in.Limit, After: in.After, States: in.Status})
	if err != nil {
		return nil, err
	}
	views := make([]*jobs.View, len(page.Jobs)) // nil is one whose folds are damaged
	g, each := errgroup.WithContext(ctx)
	g.SetLimit(readsAtOnce)
	for i, j := range page.Jobs {
		g.Go(func() error {
			v, err := a.view(each, j)
			if jobs.ErrorCode(err) == jobs.Damaged {
				return nil
			}
			views[i] = &v
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	shown := make([]jobs.View, 0, len(views))
	for _, v := range views {
		if v != nil {
			shown = append(shown, *v)
		}
	}
	l := newList(shown, page.More, func(v jobs.View) string { return v.ID })
	if page.More { // also where the last of them is left out
		l.NextAfter = &page.Jobs[len(page.Jobs)-1].ID
	}
	l.Damaged = page.Damaged + len(views) - len(shown)
	return &listedJobs{l}, nil
}

// body reads the whole body, which is JSON or at least does not say otherwise.
// One that is empty is of no kind.
func (x *Exchange) body(limit int64) ([]byte, error) {
	if x.echo.Request().ContentLength == 0 {
		return nil, nil
	}
	if kind := x.mediaType(); kind != "" && kind != "application/json" {
		return nil, newProblem(http.StatusUnsupportedMediaType, MediaType, "the body is application/json")
	}
	x.limit(limit)
	body, err := io.ReadAll(x.echo.Request().Body)
	var tooLarge *http.MaxBytesError
	if err != nil && !errors.As(err, &tooLarge) {
		return nil, newProblem(http.StatusBadRequest, Malformed, "the body broke off")
	}
	return body, err
}
