package httpapi

import (
	"context"
	"encoding/json"
	"net/http"
	"reflect"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"polyid-trainer/api/training"
	"polyid-trainer/api/tuning"
	"polyid-trainer/jobs"
	"polyid-trainer/jobs/searches"
)

// Searches serves /v1/searches.
type Searches struct{ *tuning.Service }

type (
	submitSearch struct {
		Exchange
		Key string `header:"Idempotency-Key" doc:"Of the client's choice; its own for every search wanted."`
	}
	trialNamed struct {
		Named
		Trial int `path:"trial" minimum:"0"`
	}
	changeSearch struct {
		Exchange
		Named
	}
	trialsAsked struct {
		Named
		Limit int `query:"limit" minimum:"1" maximum:"500" default:"500" doc:"At most so many."`
		After int `query:"after" minimum:"-1" default:"-1" doc:"The index after which to go on."`
	}
	searchAnswer struct {
		Status   int
		Location string `header:"Location"`
		Body     searches.View
	}
	listedSearches struct{ Body List[searches.View] }
	listedTrials   struct{ Body List[searches.TrialView] }
	trialJob       struct{ Body json.RawMessage }
	stopTrials     struct {
		Trials []int `json:"trials" doc:"Numbers of trials, which end as if they had not been promoted."`
	}
)

const searchesPath = "/v1/searches"

// Routes implements Area.
func (a *Searches) Routes(s *Server) {
	const base = searchesPath
	tags := []string{"searches"}
	route(s, huma.Operation{
		OperationID: "create-search", Method: http.MethodPost, Path: base, Tags: tags, DefaultStatus: http.StatusAccepted,
		Summary: "Search for the best settings of a training job",
		Description: "Trials are training jobs, which train side by side on the workers there are. asha lets one of three go on from each rung, random and tpe train all in full. " +
			"Every problem of the job and the space is listed at once. With an Idempotency-Key the same request gives the same answer for 24 hours.",
	}, func(ctx context.Context, in *submitSearch) (*searchAnswer, error) { return a.submit(ctx, s, in) })
	s.documentBody(base, &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{
		"application/json": {Schema: searchSchema(s.api.OpenAPI().Components.Schemas)},
	}})
	route(s, huma.Operation{
		OperationID: "list-searches", Method: http.MethodGet, Path: base, Tags: tags, Summary: "List searches, newest first",
	}, a.list)
	route(s, huma.Operation{
		OperationID: "get-search", Method: http.MethodGet, Path: base + "/{id}", Tags: tags, Summary: "Show a search",
	}, func(ctx context.Context, in *Named) (*searchAnswer, error) {
		return answerSearch(a.Get(ctx, in.ID))
	})
	route(s, huma.Operation{
		OperationID: "list-trials", Method: http.MethodGet, Path: base + "/{id}/trials", Tags: tags, Summary: "List the trials of a search, by number",
	}, a.trials)
	route(s, huma.Operation{
		OperationID: "get-trial-job", Method: http.MethodGet, Path: base + "/{id}/trials/{trial}/job", Tags: tags,
		Summary: "The training job of a trial's settings, to be submitted in full",
	}, func(ctx context.Context, in *trialNamed) (*trialJob, error) {
		body, err := a.Job(ctx, in.ID, in.Trial)
		return &trialJob{body}, err
	})
	route(s, huma.Operation{
		OperationID: "delete-search", Method: http.MethodDelete, Path: base + "/{id}", Tags: tags,
		Summary:     "Delete a search that is over, with its trials",
		Description: "The training job of the best settings stays.",
	}, func(ctx context.Context, in *Named) (*struct{}, error) { return nil, a.Delete(ctx, in.ID) })
	a.actions(s, base, tags)
	a.eventRoutes(s, base, tags)
}

// actions are what a user tells a search to do. One that is told again does nothing
// more, and the answer is the same.
func (a *Searches) actions(s *Server, base string, tags []string) {
	action := func(name, summary string, act func(context.Context, string) (searches.View, error)) {
		route(s, huma.Operation{
			OperationID: name + "-search", Method: http.MethodPost, Path: base + "/{id}/" + name, Tags: tags, Summary: summary,
		}, func(ctx context.Context, in *Named) (*searchAnswer, error) {
			return answerSearch(act(ctx, in.ID))
		})
	}
	action("cancel", "End a search and its trials for good", a.Cancel)
	action("pause", "Stop a search and its trials where they are", a.Pause)
	schemas := s.api.OpenAPI().Components.Schemas
	body := func(path string, t reflect.Type) {
		s.documentBody(path, &huma.RequestBody{Content: map[string]*huma.MediaType{"application/json": {Schema: schemas.Schema(t, true, "")}}})
	}
	route(s, huma.Operation{
		OperationID: "resume-search", Method: http.MethodPost, Path: base + "/{id}/resume", Tags: tags,
		Summary:     "Go on where a paused search was left",
		Description: "One that has spent its max_cost_usd pauses again, unless the body allows it more.",
	}, func(ctx context.Context, in *changeSearch) (*searchAnswer, error) {
		given, err := readGiven[allowance](s, in, "the search cannot be resumed with this body")
		if err != nil {
			return nil, err
		}
		return answerSearch(a.Resume(ctx, in.ID, given.MaxUSD))
	})
	body(base+"/{id}/resume", reflect.TypeFor[allowance]())
	route(s, huma.Operation{
		OperationID: "stop-trials", Method: http.MethodPost, Path: base + "/{id}/stop", Tags: tags,
		Summary: "End trials of a search, as if they had not been promoted",
	}, func(ctx context.Context, in *changeSearch) (*searchAnswer, error) {
		given, err := readGiven[stopTrials](s, in, "the trials cannot be stopped")
		if err != nil {
			return nil, err
		}
		if len(given.Trials) == 0 {
			return nil, &jobs.Error{Code: jobs.Invalid, Detail: "the trials cannot be stopped", Problems: []jobs.Problem{{Pointer: "/trials", Detail: "is required: numbers of trials"}}}
		}
		return answerSearch(a.Stop(ctx, in.ID, given.Trials))
	})
	body(base+"/{id}/stop", reflect.TypeFor[stopTrials]())
	detailsRoute(s, "describe-search", base+"/{id}", tags, func(ctx context.Context, id string, p jobs.DetailsPatch) (*searchAnswer, error) {
		return answerSearch(a.Describe(ctx, id, p))
	})
}

// readGiven reads a body, which may be empty.
func readGiven[T any](s *Server, in *changeSearch, detail string) (given T, err error) {
	body, err := in.body(s.Limits.JSON)
	if err != nil {
		return given, err
	}
	return given, readOver(body, &given, detail)
}

func answerSearch(v searches.View, err error) (*searchAnswer, error) {
	if err != nil {
		return nil, err
	}
	return &searchAnswer{Status: http.StatusOK, Body: v}, nil
}

// submit begins a search.
func (a *Searches) submit(ctx context.Context, s *Server, in *submitSearch) (*searchAnswer, error) {
	if err := checkKey(in.Key); err != nil {
		return nil, err
	}
	body, err := in.body(s.Limits.TrainingJob)
	if err != nil {
		return nil, err
	}
	if !json.Valid(body) {
		return nil, newProblem(http.StatusBadRequest, Malformed, "the body is not valid JSON")
	}
	r := tuning.Request{Owner: Principal(ctx), Key: in.Key, Body: hashOf(body)}
	r.Spec, r.Problems = searches.ReadSpec(body)
	if len(r.Spec.Job) > 0 {
		spec, unread, err := readSpec(r.Spec.Job)
		if err != nil {
			return nil, err
		}
		r.Job = training.Request{Owner: r.Owner, Spec: spec, Unread: unread}
	}
	made, err := a.Submit(ctx, r)
	if err != nil {
		return nil, err
	}
	return &searchAnswer{Status: http.StatusAccepted, Location: searchesPath + "/" + made.ID, Body: a.Created(made)}, nil
}

type searchList struct{ Paging }

func (a *Searches) list(ctx context.Context, in *searchList) (*listedSearches, error) {
	if err := checkAfter(jobs.SearchPrefix, in.After); err != nil {
		return nil, err
	}
	page, err := a.List(ctx, in.Limit, in.After)
	if err != nil {
		return nil, err
	}
	l := newList(page.Searches, false, nil)
	l.HasMore, l.Damaged = page.Next != "", page.Damaged
	if l.HasMore {
		l.NextAfter = &page.Next
	}
	return &listedSearches{l}, nil
}

// trials is a page of a search's trials, by number.
func (a *Searches) trials(ctx context.Context, in *trialsAsked) (*listedTrials, error) {
	all, err := a.Trials(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	all = all[min(in.After+1, len(all)):]
	more := len(all) > in.Limit
	return &listedTrials{newList(all[:min(in.Limit, len(all))], more, func(t searches.TrialView) string { return strconv.Itoa(t.Index) })}, nil
}
