package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"reflect"

	"github.com/danielgtaylor/huma/v2"

	"polyid-trainer/jobs"
)

// actions are what a user tells a job to do. A job that is told again does
// nothing more, and the answer is the same.
func (a *TrainingJobs) actions(s *Server, base string, tags []string) {
	action := func(name, summary, description string, act func(context.Context, string) (*jobs.Job, error)) {
		route(s, huma.Operation{
			OperationID: name + "-training-job", Method: http.MethodPost, Path: base + "/{id}/" + name, Tags: tags,
			Summary: summary, Description: description,
		}, func(ctx context.Context, in *Named) (*jobAnswer, error) {
			j, err := act(ctx, in.ID)
			if err != nil {
				return nil, err
			}
			return a.answer(ctx, j, http.StatusOK)
		})
	}
	action("cancel", "End a job for good", "Until the commit to the Hub begins; then 409.", a.Cancel)
	action("pause", "Stop a job where it is", "Its folds are checkpointed. Until the commit to the Hub begins; then 409.", a.Pause)
	route(s, huma.Operation{
		OperationID: "resume-training-job", Method: http.MethodPost, Path: base + "/{id}/resume", Tags: tags,
		Summary:     "Go on where a paused or failed job was left",
		Description: "A job that has spent its max_cost_usd pauses again, unless the body allows it more.",
	}, func(ctx context.Context, in *resumeJob) (*jobAnswer, error) { return a.resume(ctx, s, in) })
	s.documentBody(base+"/{id}/resume", &huma.RequestBody{Content: map[string]*huma.MediaType{
		"application/json": {Schema: s.api.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[allowance](), true, "")},
	}})
	route(s, huma.Operation{
		OperationID: "publish-training-job", Method: http.MethodPost, Path: base + "/{id}/publish", Tags: tags, DefaultStatus: http.StatusAccepted,
		Summary:     "Publish a finished training",
		Description: "Again, after a publication failed, or to another repository or tag. What the body leaves out is as the job has it.",
	}, func(ctx context.Context, in *publishJob) (*jobAnswer, error) { return a.publish(ctx, s, in) })
	s.documentBody(base+"/{id}/publish", &huma.RequestBody{Content: map[string]*huma.MediaType{
		"application/json": {Schema: requestSchema[jobs.Destination](s.api.OpenAPI().Components.Schemas)},
	}})
}

type (
	resumeJob struct {
		Exchange
		Named
	}
	allowance struct {
		MaxUSD *float64 `json:"max_cost_usd,omitempty" doc:"What the job may cost from now on, with what it has cost."`
	}
	publishJob struct {
		Exchange
		Named
	}
)

// resume lets a job go on, with another budget if the body gives one.
func (a *TrainingJobs) resume(ctx context.Context, s *Server, in *resumeJob) (*jobAnswer, error) {
	body, err := in.body(s.Limits.JSON)
	if err != nil {
		return nil, err
	}
	var given allowance
	if err := readOver(body, &given, "the job cannot be resumed with this body"); err != nil {
		return nil, err
	}
	j, err := a.Resume(ctx, in.ID, given.MaxUSD)
	if err != nil {
		return nil, err
	}
	return a.answer(ctx, j, http.StatusOK)
}

// publish publishes a job to where the body says.
func (a *TrainingJobs) publish(ctx context.Context, s *Server, in *publishJob) (*jobAnswer, error) {
	body, err := in.body(s.Limits.JSON)
	if err != nil {
		return nil, err
	}
	to, err := a.Destination(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	if err := readOver(body, &to, "the destination has invalid settings"); err != nil {
		return nil, err
	}
	j, err := a.Publish(ctx, in.ID, to)
	if err != nil {
		return nil, err
	}
	return a.answer(ctx, j, http.StatusAccepted)
}

// readOver reads a body, which may be empty, over the values that are there. Its
// problems are listed under detail.
func readOver[T any](body []byte, into *T, detail string) error {
	if len(bytes.TrimSpace(body)) == 0 {
		return nil
	}
	if !json.Valid(body) {
		return newProblem(http.StatusBadRequest, Malformed, "the body is not valid JSON")
	}
	if _, problems := readValue("", body, reflect.TypeFor[T]()); problems != nil {
		return &jobs.Error{Code: jobs.Invalid, Detail: detail, Problems: problems}
	}
	return json.Unmarshal(body, into)
}
