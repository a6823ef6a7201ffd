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

// NewEvent shows a job's i-th event.
func NewEvent(j *jobs.Job, i int) Event {
	e := j.Events[i]
	v := Event{Object: "event", ID: e.ID, Seq: e.Seq, Type: e.Type, Time: e.Time, Data: e.Data}
	if v.Data == nil {
		v.Data = json.RawMessage("null")
	}
	for _, d := range j.Deliveries {
		if d.Event == e.Seq {
			v.Webhook = &Delivery{Delivered: d.Delivered, NextAttemptAt: d.NextAttemptAt, Attempts: d.Attempts}
			if d.Attempts == nil {
				v.Webhook.Attempts = []jobs.Attempt{}
			}
		}
	}
	return v
}

type eventList struct {
	Exchange
	JobNamed
	Paging
	Last string `header:"Last-Event-ID" doc:"Of a stream: the last event seen, to go on after it."`
}

var eventListType = reflect.TypeFor[List[Event]]()

func (a *TrainingJobs) eventRoutes(s *Server, base string, tags []string) {
	const stream = "One message for every event, with its seq as id and its type as event, and the Event as data. " +
		"Between them training_job.epoch, at most one a second and fold, without id: a fold's progress as the job's folds show it. " +
		"snapshot, the whole job, whenever a reader may have missed epochs. The stream ends with the job."
	route(s, huma.Operation{
		OperationID: "list-events", Method: http.MethodGet, Path: base + "/{id}/events", Tags: tags,
		Summary:     "What happened to a job, newest first, or as it happens",
		Description: "A list, or with Accept: text/event-stream a stream. 204 ends the reconnecting of a browser that has seen everything of a job that is over.",
		Responses: map[string]*huma.Response{
			"200": {Description: "OK", Content: map[string]*huma.MediaType{
				"application/json":  {Schema: s.api.OpenAPI().Components.Schemas.Schema(eventListType, true, "")},
				"text/event-stream": {Schema: &huma.Schema{Type: huma.TypeString, Description: stream}},
			}},
			"204": {Description: "The job is over, and everything seen."},
		},
	}, func(ctx context.Context, in *eventList) (*huma.StreamResponse, error) {
		j, err := a.Store.Job(ctx, in.ID)
		if err != nil {
			return nil, err
		}
		if !in.wants(eventStream) {
			l, err := in.list(j)
			if err != nil {
				return nil, err
			}
			return &huma.StreamResponse{Body: func(huma.Context) { _ = in.echo.JSON(http.StatusOK, l) }}, nil
		}
		last, err := in.seen(j)
		if err != nil {
			return nil, err
		}
		if j.State.Ended() && (in.Last != "" || in.After != "") && last == len(j.Events) {
			return &huma.StreamResponse{Body: func(c huma.Context) { c.SetStatus(http.StatusNoContent) }}, nil
		}
		leave, err := s.streams.enter(ctx, in.echo, s.Limits.Streams)
		if err != nil {
			return nil, err
		}
		st := &follower{TrainingJobs: a, in: in, job: j, seen: last}
		return &huma.StreamResponse{Body: func(huma.Context) {
			defer leave()
			st.run(ctx)
		}}, nil
	})
}

// seen is the number of events after which a stream goes on: by Last-Event-ID,
// which a browser sends when it reconnects, or else by ?after=, the id of an
// event.
func (in *eventList) seen(j *jobs.Job) (int, error) {
	if in.Last != "" {
		last, err := strconv.Atoi(in.Last)
		if err != nil || last < 0 || last > len(j.Events) { // of another job, or of none
			return 0, nil
		}
		return last, nil
	}
	if in.After == "" {
		return 0, nil
	}
	i, err := in.find(j)
	return i + 1, err
}

// find is the place of the event that ?after= names.
func (in *eventList) find(j *jobs.Job) (int, error) {
	if err := checkAfter(jobs.EventPrefix, in.After); err != nil {
		return 0, err
	}
	i := slices.IndexFunc(j.Events, func(e jobs.Event) bool { return e.ID == in.After })
	if i < 0 {
		return 0, &jobs.Error{Code: jobs.NotFound, Detail: "the job has no such event"}
	}
	return i, nil
}

// list is a page of a job's events, newest first.
func (in *eventList) list(j *jobs.Job) (*List[Event], error) {
	end := len(j.Events)
	if in.After != "" {
		var err error
		if end, err = in.find(j); err != nil {
			return nil, err
		}
	}
	start := max(0, end-in.Limit)
	var found []Event
	for i := end - 1; i >= start; i-- {
		found = append(found, NewEvent(j, i))
	}
	l := newList(found, start > 0, func(e Event) string { return e.ID })
	return &l, nil
}
