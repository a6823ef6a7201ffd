package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"polyid-trainer/jobs"
)

// actions are what a user tells a job to do. Told again, a job does nothing more
// and the answer is the same.
func (a *TrainingJobs) actions(s *Server, base string, tags []string) {
	action := func(name, summary, description string, c jobs.Control, move func(*jobs.Job) error) {
		route(s, huma.Operation{
			OperationID: name + "-training-job", Method: http.MethodPost, Path: base + "/{id}/" + name, Tags: tags,
			Summary: summary, Description: description,
		}, func(ctx context.Context, in *JobNamed) (*jobAnswer, error) {
			j, err := a.move(ctx, in.ID, c, move)
			if err != nil {
				return nil, err
			}
			return a.answer(ctx, j, http.StatusOK)
		})
	}
	action("cancel", "End a job for good", "Until the commit to the Hub begins; then 409.", jobs.Cancel,
		func(j *jobs.Job) error { return j.Cancel(a.now()) })
	action("pause", "Stop a job where it is", "Its folds are checkpointed. Until the commit to the Hub begins; then 409.", jobs.Pause,
		func(j *jobs.Job) error { return j.Pause(a.now(), "requested") })
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
		"application/json": {Schema: publishSchema(s.api.OpenAPI().Components.Schemas)},
	}})
}

// move changes a job's record, then tells its folds and whoever watches, then
// enqueues what the job needs now. What fails after the record is written is
// made good: by the folds, which read the record at every checkpoint, and by the
// reconciler.
func (a *TrainingJobs) move(ctx context.Context, id string, c jobs.Control, move func(*jobs.Job) error) (*jobs.Job, error) {
	j, err := a.Store.UpdateJob(ctx, id, move)
	if err != nil {
		return nil, err
	}
	log := logOf(ctx).With("job", id)
	if err := a.Live.Tell(ctx, id, c); err != nil {
		log.Warn("telling the folds", "error", err)
	}
	if !j.State.Active() {
		return j, nil
	}
	var folds []*jobs.Fold
	if j.State == jobs.Training {
		if folds, err = a.Store.Folds(ctx, id); err != nil {
			log.Warn("reading the folds", "error", err)
		}
	}
	for _, t := range jobs.Needed(a.now(), j, folds) {
		if err := a.Queue.Enqueue(ctx, t); err != nil {
			log.Warn("enqueue", "task", t.ID(), "error", err)
			break
		}
	}
	return j, nil
}

type (
	resumeJob struct {
		Exchange
		JobNamed
	}
	allowance struct {
		MaxUSD *float64 `json:"max_cost_usd,omitempty" doc:"What the job may cost from now on, with what it has cost."`
	}
)

// resume lets a job go on, with another budget if the body gives it one.
func (a *TrainingJobs) resume(ctx context.Context, s *Server, in *resumeJob) (*jobAnswer, error) {
	body, err := in.body(s.Limits.JSON)
	if err != nil {
		return nil, err
	}
	var given allowance
	if len(bytes.TrimSpace(body)) > 0 {
		if !json.Valid(body) {
			return nil, newProblem(http.StatusBadRequest, Malformed, "the body is no JSON")
		}
		_, problems := readValue("", body, reflect.TypeFor[allowance]())
		if problems == nil {
			if err := json.Unmarshal(body, &given); err != nil {
				return nil, err
			}
		}
		if given.MaxUSD != nil && !(*given.MaxUSD > 0) {
			problems = append(problems, jobs.Problem{Pointer: "/max_cost_usd", Detail: fmt.Sprintf("%v is not above 0", *given.MaxUSD)})
		}
		if given.MaxUSD != nil && a.CostPerHour == 0 {
			problems = append(problems, jobs.Problem{Pointer: "/max_cost_usd", Detail: "cannot be kept: the server has no COST_PER_HOUR to reckon with"})
		}
		if problems != nil {
			return nil, &jobs.Error{Code: jobs.Invalid, Detail: "the job cannot be resumed as asked", Problems: problems}
		}
	}
	j, err := a.move(ctx, in.ID, jobs.Continue, func(j *jobs.Job) error {
		if given.MaxUSD != nil && (j.State == jobs.Paused || j.State == jobs.Failed) {
			j.Spec.MaxUSD = *given.MaxUSD
		}
		return j.Resume()
	})
	if err != nil {
		return nil, err
	}
	return a.answer(ctx, j, http.StatusOK)
}

type publishJob struct {
	Exchange
	JobNamed
}

// publish checks the destination like that of a new job, then moves.
func (a *TrainingJobs) publish(ctx context.Context, s *Server, in *publishJob) (*jobAnswer, error) {
	body, err := in.body(s.Limits.JSON)
	if err != nil {
		return nil, err
	}
	j, err := a.Store.Job(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	to := jobs.Destination{Repo: a.HubRepo}
	if j.Spec.Publish != nil {
		to = *j.Spec.Publish
	}
	if len(strings.TrimSpace(string(body))) > 0 {
		given := to
		problems, err := readDestination(body, &given)
		if err != nil {
			return nil, err
		}
		if problems != nil {
			return nil, &jobs.Error{Code: jobs.Invalid, Detail: "the destination cannot be", Problems: problems}
		}
		to = given
	}
	spec := jobs.Spec{Publish: &to}.WithDefaults()
	p := &plan{spec: spec}
	for _, q := range spec.Problems() {
		if strings.HasPrefix(q.Pointer, "/publish/") {
			p.problems = append(p.problems, q)
		}
	}
	if j.State != jobs.Publishing { // then it is no new publication
		if err := a.askHub(ctx, p); err != nil {
			return nil, err
		}
	}
	for i := range p.problems {
		p.problems[i].Pointer = strings.TrimPrefix(p.problems[i].Pointer, "/publish")
	}
	if len(p.problems) > 0 {
		return nil, &jobs.Error{Code: jobs.Invalid, Detail: "the destination cannot be", Problems: p.problems}
	}
	to = *p.spec.Publish
	if j, err = a.move(ctx, in.ID, jobs.Continue, func(j *jobs.Job) error { return j.Republish(to) }); err != nil {
		return nil, err
	}
	return a.answer(ctx, j, http.StatusAccepted)
}

// readDestination reads a body over what is there, and lists what of it cannot
// be read.
func readDestination(body []byte, d *jobs.Destination) ([]jobs.Problem, error) {
	if !json.Valid(body) {
		return nil, newProblem(http.StatusBadRequest, Malformed, "the body is no JSON")
	}
	if _, problems := readValue("", body, reflect.TypeFor[jobs.Destination]()); problems != nil {
		return problems, nil
	}
	return nil, json.Unmarshal(body, d)
}
