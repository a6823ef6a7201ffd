package httpapi

import (
	"context"
	"encoding/json"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"polyid-trainer/jobs"
)

// Event is something that happened to a job.
type Event struct {
	Object  string          `json:"object" enum:"event"`
	ID      string          `json:"id" doc:"The webhook-id, if the event is owed to a webhook."`
	Seq     int             `json:"seq" doc:"Numbers the job's events from 1; the stream's event id."`
	Type    jobs.EventType  `json:"type"`
	Time    time.Time       `json:"time"`
	Data    json.RawMessage `json:"data" doc:"What the type calls for, or null."`
	Webhook *Delivery       `json:"webhook" doc:"Every attempt to deliver it, if it is owed to a webhook."`
}

// Delivery is the state of a webhook.
type Delivery struct {
	Delivered     bool           `json:"delivered"`
	NextAttemptAt *time.Time     `json:"next_attempt_at"`
	Attempts      []jobs.Attempt `json:"attempts" nullable:"false"`
}

// history is what happened to something that has a life of its own: a job, a search
// or a screening.
type history struct {
	kind       string // "job"; eventRoute sets it
	over       bool   // nothing more will happen
	events     []jobs.Event
	deliveries []jobs.Delivery
}

// NewEvent shows the i-th of events, with the webhook that is owed for it.
func NewEvent(events []jobs.Event, deliveries []jobs.Delivery, i int) Event {
	e := events[i]
	v := Event{Object: "event", ID: e.ID, Seq: e.Seq, Type: e.Type, Time: e.Time, Data: e.Data}
	if v.Data == nil {
		v.Data = json.RawMessage("null")
	}
	for _, d := range deliveries {
		if d.Event == e.Seq {
			v.Webhook = &Delivery{Delivered: d.Delivered, NextAttemptAt: d.NextAttemptAt, Attempts: d.Attempts}
			if d.Attempts == nil {
				v.Webhook.Attempts = []jobs.Attempt{}
			}
		}
	}
	return v
}

// event shows the i-th event.
func (h history) event(i int) Event { return NewEvent(h.events, h.deliveries, i) }

type eventList struct {
	Exchange
	Named
	Paging
	Last string `header:"Last-Event-ID" doc:"Of a stream: the last event seen, to go on after it."`
}

var eventListType = reflect.TypeFor[List[Event]]()

// eventRoute registers the events of what find finds at a path, which is of a kind:
// "job". They are answered as a list, or, if asked for, as the stream that follow
// writes, of which stream is the description. follow goes on after the first seen
// events.
func eventRoute[T any](s *Server, id, path string, tags []string, kind, stream string, find func(context.Context, string) (T, error), tell func(T) history, follow func(ctx context.Context, in *eventList, found T, seen int) error) {
	route(s, huma.Operation{
		OperationID: id, Method: http.MethodGet, Path: path, Tags: tags,
		Summary:     "What happened to a " + kind + ", newest first, or as it happens",
		Description: "A list, or with Accept: text/event-stream a stream. 204 ends the reconnecting of a browser that has seen everything of a " + kind + " that is over.",
		Responses: map[string]*huma.Response{
			"200": {Description: "OK", Content: map[string]*huma.MediaType{
				"application/json": {Schema: s.api.OpenAPI().Components.Schemas.Schema(eventListType, true, "")},
				eventStream:        {Schema: &huma.Schema{Type: huma.TypeString, Description: stream}},
			}},
			"204": {Description: "The " + kind + " is over, and everything seen."},
		},
	}, func(ctx context.Context, in *eventList) (*huma.StreamResponse, error) {
		found, err := find(ctx, in.ID)
		if err != nil {
			return nil, err
		}
		h := tell(found)
		h.kind = kind
		if !in.wants(eventStream) {
			l, err := in.list(h)
			if err != nil {
				return nil, err
			}
			return &huma.StreamResponse{Body: func(huma.Context) { _ = in.echo.JSON(http.StatusOK, l) }}, nil
		}
		seen, err := in.seen(h)
		if err != nil {
			return nil, err
		}
		if h.over && (in.Last != "" || in.After != "") && seen == len(h.events) {
			return &huma.StreamResponse{Body: func(c huma.Context) { c.SetStatus(http.StatusNoContent) }}, nil
		}
		leave, err := s.streams.enter(ctx, in.echo, s.Limits.Streams)
		if err != nil {
			return nil, err
		}
		return &huma.StreamResponse{Body: func(huma.Context) {
			defer leave()
			if err := follow(ctx, in, found, seen); err != nil && ctx.Err() == nil {
				logOf(ctx).Debug("event stream", kind, in.ID, "error", err)
			}
		}}, nil
	})
}

// seen is the number of events after which a stream goes on: by Last-Event-ID,
// which a browser sends when it reconnects, or else by ?after=, the id of an
// event.
func (in *eventList) seen(h history) (int, error) {
	if in.Last != "" {
		last, err := strconv.Atoi(in.Last)
		if err != nil || last < 0 || last > len(h.events) { // of something else, or of nothing
			return 0, nil
		}
		return last, nil
	}
	if in.After == "" {
		return 0, nil
	}
	i, err := in.find(h)
	return i + 1, err
}

// find is the place of the event that ?after= names.
func (in *eventList) find(h history) (int, error) {
	if err := checkAfter(jobs.EventPrefix, in.After); err != nil {
		return 0, err
	}
	i := slices.IndexFunc(h.events, func(e jobs.Event) bool { return e.ID == in.After })
	if i < 0 {
		return 0, &jobs.Error{Code: jobs.NotFound, Detail: "the " + h.kind + " has no such event"}
	}
	return i, nil
}

// list is a page of events, newest first.
func (in *eventList) list(h history) (*List[Event], error) {
	end := len(h.events)
	if in.After != "" {
		var err error
		if end, err = in.find(h); err != nil {
			return nil, err
		}
	}
	start := max(0, end-in.Limit)
	var found []Event
	for i := end - 1; i >= start; i-- {
		found = append(found, h.event(i))
	}
	l := newList(found, start > 0, func(e Event) string { return e.ID })
	return &l, nil
}
