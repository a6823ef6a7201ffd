package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"polyid-trainer/api/screening"
	"polyid-trainer/jobs"
	"polyid-trainer/jobs/screenings"
)

// Screenings serves /v1/screenings.
type Screenings struct{ *screening.Service }

type (
	submitScreening struct {
		Exchange
		Key string `header:"Idempotency-Key" doc:"Of the client's choice; its own for every screening wanted."`
	}
	screeningAnswer struct {
		Status   int
		Location string `header:"Location"`
		Body     screenings.View
	}
	listedScreenings  struct{ Body List[screenings.View] }
	screeningEstimate struct{ Body *screening.Estimate }
	screeningResults  struct {
		Exchange
		Named
	}
)

// Routes implements Area.
func (a *Screenings) Routes(s *Server) {
	const base = "/v1/screenings"
	tags := []string{"screenings"}
	spec := &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{"application/json": {Schema: requestSchema[screenings.Spec](s.api.OpenAPI().Components.Schemas, "input")}}}
	route(s, huma.Operation{
		OperationID: "create-screening", Method: http.MethodPost, Path: base, Tags: tags, DefaultStatus: http.StatusAccepted,
		Summary:     "Predict a whole library on the workers",
		Description: "Of a dataset of any size, or a grid of monomers. Expressions choose and order the rows: `where`, `order_by` (least first, so `-Tg` is the highest first), `limit`, further `columns`, `pareto` and `diverse`. They are checked at once; what is wrong is told with its position. The same input, revision and expressions give the same bytes.",
	}, func(ctx context.Context, in *submitScreening) (*screeningAnswer, error) { return a.submit(ctx, s, in) })
	s.documentBody(base, spec)
	route(s, huma.Operation{
		OperationID: "estimate-screening", Method: http.MethodPost, Path: base + "/estimate", Tags: tags,
		Summary: "Check a screening, and list the columns that its expressions may name", Description: "Nothing is created.",
	}, func(ctx context.Context, in *submitScreening) (*screeningEstimate, error) {
		r, err := in.screeningRequest(ctx, s.Limits.TrainingJob)
		if err != nil {
			return nil, err
		}
		e, err := a.Estimate(ctx, r)
		return &screeningEstimate{e}, err
	})
	s.documentBody(base+"/estimate", spec)
	route(s, huma.Operation{OperationID: "list-screenings", Method: http.MethodGet, Path: base, Tags: tags, Summary: "List screenings, newest first"}, a.list)
	route(s, huma.Operation{OperationID: "get-screening", Method: http.MethodGet, Path: base + "/{id}", Tags: tags, Summary: "Show a screening"},
		func(ctx context.Context, in *Named) (*screeningAnswer, error) {
			v, err := a.Get(ctx, in.ID)
			return &screeningAnswer{Status: http.StatusOK, Body: v}, err
		})
	route(s, huma.Operation{
		OperationID: "delete-screening", Method: http.MethodDelete, Path: base + "/{id}", Tags: tags, Summary: "Delete a screening that is over, and its results",
	}, func(ctx context.Context, in *Named) (*struct{}, error) {
		return nil, a.Store.Delete(ctx, in.ID)
	})
	detailsRoute(s, "change-screening", base+"/{id}", tags, func(ctx context.Context, id string, p jobs.DetailsPatch) (*screeningAnswer, error) {
		x, err := a.Change(ctx, id, p)
		return a.answer(ctx, x, err)
	})
	a.actions(s, base, tags)
	a.resultRoute(s, base, tags)
	a.eventRoutes(s, base, tags)
}

// actions are what a user tells a screening to do. One that is told again does
// nothing more.
func (a *Screenings) actions(s *Server, base string, tags []string) {
	for _, act := range []struct {
		name, summary string
		do            func(context.Context, string) (*screenings.Screening, error)
	}{
		{"cancel", "End a screening for good", a.Cancel},
		{"pause", "Stop a screening; what is done is kept", a.Pause},
		{"resume", "Go on where a paused or failed screening was left", a.Resume},
	} {
		route(s, huma.Operation{
			OperationID: act.name + "-screening", Method: http.MethodPost, Path: base + "/{id}/" + act.name, Tags: tags, Summary: act.summary,
		}, func(ctx context.Context, in *Named) (*screeningAnswer, error) {
			x, err := act.do(ctx, in.ID)
			return a.answer(ctx, x, err)
		})
	}
}

func (a *Screenings) answer(ctx context.Context, x *screenings.Screening, err error) (*screeningAnswer, error) {
	if err != nil {
		return nil, err
	}
	v, err := a.View(ctx, x)
	return &screeningAnswer{Status: http.StatusOK, Body: v}, err
}

// submit creates a screening.
func (a *Screenings) submit(ctx context.Context, s *Server, in *submitScreening) (*screeningAnswer, error) {
	if err := checkKey(in.Key); err != nil {
		return nil, err
	}
	r, err := in.screeningRequest(ctx, s.Limits.TrainingJob)
	if err != nil {
		return nil, err
	}
	r.Key = in.Key
	x, err := a.Submit(ctx, r)
	if err != nil {
		return nil, err
	}
	v, err := a.View(ctx, x)
	return &screeningAnswer{Status: http.StatusAccepted, Location: "/v1/screenings/" + x.ID, Body: v}, err
}

// screeningRequest reads the body as a screening.
func (x *Exchange) screeningRequest(ctx context.Context, limit int64) (screening.Request, error) {
	body, err := x.body(limit)
	if err != nil {
		return screening.Request{}, err
	}
	if !json.Valid(body) {
		return screening.Request{}, newProblem(http.StatusBadRequest, Malformed, "the body is not valid JSON")
	}
	r := screening.Request{Owner: Principal(ctx), Body: hashOf(body)}
	rest, problems := readValue("", body, reflect.TypeFor[screenings.Spec]())
	for _, p := range problems {
		p.Detail = strings.ReplaceAll(p.Detail, "of a training job", "of a screening")
		r.Unread = append(r.Unread, p)
	}
	if rest != nil {
		if err := json.Unmarshal(rest, &r.Spec); err != nil {
			r.Unread = append(r.Unread, jobs.Problem{Detail: err.Error()})
		}
	}
	return r, nil
}

func (a *Screenings) list(ctx context.Context, in *Paging) (*listedScreenings, error) {
	if err := checkAfter(jobs.ScreeningPrefix, in.After); err != nil {
		return nil, err
	}
	page, err := a.Store.List(ctx, in.After, in.Limit)
	if err != nil {
		return nil, err
	}
	var views []screenings.View
	for _, x := range page.Screenings {
		v, err := a.View(ctx, x)
		if jobs.ErrorCode(err) == jobs.NotFound || jobs.ErrorCode(err) == jobs.Damaged { // deleted meanwhile
			continue
		}
		if err != nil {
			return nil, err
		}
		views = append(views, v)
	}
	l := newList(views, page.More, func(v screenings.View) string { return v.ID })
	l.Damaged = page.Damaged
	return &listedScreenings{l}, nil
}

// resultRoute serves the results, whole or as far as they are ready.
func (a *Screenings) resultRoute(s *Server, base string, tags []string) {
	content := map[string]*huma.MediaType{}
	for _, f := range screenings.Formats {
		kind, _, _ := strings.Cut(f.MediaType(), ";")
		content[kind] = &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}}
	}
	route(s, huma.Operation{
		OperationID: "get-screening-results", Method: http.MethodGet, Path: base + "/{id}/results", Tags: tags,
		Summary:     "The results, in the format that was asked for",
		Description: "Complete ones take Range. Before that, rows in the library's order are streamed as CSV or NDJSON as far as they are ready: the first bytes of the finished results. 409 where none are known yet.",
		Responses: map[string]*huma.Response{
			"200": {Description: "The results.", Content: content},
			"206": {Description: "A part of them.", Content: content},
		},
	}, func(ctx context.Context, in *screeningResults) (*huma.StreamResponse, error) {
		x, err := a.Store.Screening(ctx, in.ID)
		if err != nil {
			return nil, err
		}
		done := a.Results(ctx, x)
		if done == nil {
			if err := a.Ready(x); err != nil {
				return nil, err
			}
		}
		return &huma.StreamResponse{Body: func(huma.Context) { a.writeResults(ctx, in, x, done) }}, nil
	})
}

func (a *Screenings) writeResults(ctx context.Context, in *screeningResults, x *screenings.Screening, done *screening.Results) {
	w, r := in.echo.Response(), in.echo.Request()
	w.Header().Set("Content-Type", x.Spec.Format.MediaType())
	w.Header().Set("Content-Disposition", `attachment; filename="`+x.ID+"."+string(x.Spec.Format)+`"`)
	if done != nil {
		defer done.Close()
		w.Header().Set("ETag", `"`+done.SHA256+`"`)
		http.ServeContent(w, r, "", x.FinishedAt, done)
		return
	}
	w.Header().Set("X-Results-Complete", "false")
	if err := a.WriteReady(ctx, x, w); err != nil && ctx.Err() == nil && !errors.Is(err, http.ErrHandlerTimeout) {
		logOf(ctx).Warn("streaming results", "screening", x.ID, "error", err)
	}
}
