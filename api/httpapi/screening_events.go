package httpapi

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/tmaxmax/go-sse"

	"polyid-trainer/jobs"
	"polyid-trainer/jobs/screenings"
)

type screeningEvents struct {
	Exchange
	ScreeningNamed
	Paging
	Last string `header:"Last-Event-ID" doc:"Of a stream: the last event seen, to go on after it."`
}

// eventRoutes serves what happened, as a list or as it happens.
func (a *Screenings) eventRoutes(s *Server, base string, tags []string) {
	route(s, huma.Operation{
		OperationID: "list-screening-events", Method: http.MethodGet, Path: base + "/{id}/events", Tags: tags,
		Summary:     "What happened to a screening, newest first, or as it happens",
		Description: "A list, or with Accept: text/event-stream a stream: every event with its seq as id, and between them `progress`, the screening as GET shows it, every second while it moves. The stream ends with the screening.",
		Responses: map[string]*huma.Response{
			"200": {Description: "OK", Content: map[string]*huma.MediaType{
				"application/json":  {Schema: s.api.OpenAPI().Components.Schemas.Schema(eventListType, true, "")},
				"text/event-stream": {Schema: &huma.Schema{Type: huma.TypeString}},
			}},
			"204": {Description: "The screening is over, and everything seen."},
		},
	}, func(ctx context.Context, in *screeningEvents) (*huma.StreamResponse, error) {
		x, err := a.Store.Screening(ctx, in.ID)
		if err != nil {
			return nil, err
		}
		if !in.wants(eventStream) {
			l, err := in.list(x)
			if err != nil {
				return nil, err
			}
			return &huma.StreamResponse{Body: func(huma.Context) { _ = in.echo.JSON(http.StatusOK, l) }}, nil
		}
		seen, _ := strconv.Atoi(in.Last)
		if seen < 0 || seen > len(x.Events) {
			seen = 0
		}
		if x.Status.Ended() && in.Last != "" && seen == len(x.Events) {
			return &huma.StreamResponse{Body: func(c huma.Context) { c.SetStatus(http.StatusNoContent) }}, nil
		}
		leave, err := s.streams.enter(ctx, in.echo, s.Limits.Streams)
		if err != nil {
			return nil, err
		}
		return &huma.StreamResponse{Body: func(huma.Context) {
			defer leave()
			if err := a.stream(ctx, in, seen); err != nil && ctx.Err() == nil {
				logOf(ctx).Debug("event stream", "screening", in.ID, "error", err)
			}
		}}, nil
	})
}

// screeningEvent shows an event.
func screeningEvent(x *screenings.Screening, i int) Event {
	return NewEvent(&jobs.Job{Events: x.Events, Deliveries: x.Deliveries}, i)
}

// list is a page of events, newest first.
func (in *screeningEvents) list(x *screenings.Screening) (*List[Event], error) {
	if err := checkAfter(jobs.EventPrefix, in.After); err != nil {
		return nil, err
	}
	end := len(x.Events)
	if in.After != "" {
		if end = slices.IndexFunc(x.Events, func(e jobs.Event) bool { return e.ID == in.After }); end < 0 {
			return nil, &jobs.Error{Code: jobs.NotFound, Detail: "the screening has no such event"}
		}
	}
	start := max(0, end-in.Limit)
	var found []Event
	for i := end - 1; i >= start; i-- {
		found = append(found, screeningEvent(x, i))
	}
	l := newList(found, start > 0, func(e Event) string { return e.ID })
	return &l, nil
}

// stream sends events and progress until the screening is over. It looks at the
// record every second, whatever the number of workers: O(claims) reads.
func (a *Screenings) stream(ctx context.Context, in *screeningEvents, seen int) error {
	w := in.echo.Response()
	w.Header().Set("X-Accel-Buffering", "no")
	session, err := sse.Upgrade(w, in.echo.Request())
	if err != nil {
		return err
	}
	control := http.NewResponseController(w)
	send := func(id, event string, what any) error {
		text, err := json.Marshal(what)
		if err != nil {
			return err
		}
		m := &sse.Message{Type: sse.Type(event)}
		if id != "" {
			m.ID = sse.ID(id)
		}
		m.AppendData(string(text))
		_ = control.SetWriteDeadline(time.Now().Add(writeWithin)) // a writer without deadlines is one of a test
		if err := session.Send(m); err != nil {
			return err
		}
		return session.Flush()
	}
	tick := time.NewTicker(epochEvery)
	defer tick.Stop()
	name, last := "snapshot", ""
	for {
		x, err := a.Store.Screening(ctx, in.ID)
		if jobs.ErrorCode(err) == jobs.NotFound {
			return err
		}
		if err == nil {
			v, err := a.View(ctx, x)
			if err == nil {
				now, _ := json.Marshal([]any{v.Counts, v.Status, len(v.Workers)})
				if string(now) != last || name == "snapshot" {
					if err := send("", name, v); err != nil {
						return err
					}
				}
				name, last = "progress", string(now)
			}
			for ; seen < len(x.Events); seen++ {
				e := screeningEvent(x, seen)
				if err := send(strconv.Itoa(e.Seq), string(e.Type), e); err != nil {
					return err
				}
			}
			if x.Status.Ended() {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}
