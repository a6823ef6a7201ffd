package httpapi

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/tmaxmax/go-sse"

	"polyid-trainer/jobs"
	"polyid-trainer/jobs/searches"
)

func (a *Searches) eventRoutes(s *Server, base string, tags []string) {
	const stream = "One message for every event, with its seq as id and its type as event, and the Event as data. " +
		"snapshot, the whole search, at the beginning and whenever it has changed. The stream ends with the search."
	route(s, huma.Operation{
		OperationID: "list-search-events", Method: http.MethodGet, Path: base + "/{id}/events", Tags: tags,
		Summary:     "What happened to a search, newest first, or as it happens",
		Description: "A list, or with Accept: text/event-stream a stream. 204 ends the reconnecting of a browser that has seen everything of a search that is over.",
		Responses: map[string]*huma.Response{
			"200": {Description: "OK", Content: map[string]*huma.MediaType{
				"application/json":  {Schema: s.api.OpenAPI().Components.Schemas.Schema(eventListType, true, "")},
				"text/event-stream": {Schema: &huma.Schema{Type: huma.TypeString, Description: stream}},
			}},
			"204": {Description: "The search is over, and everything seen."},
		},
	}, func(ctx context.Context, in *eventList) (*huma.StreamResponse, error) {
		found, err := a.Store.Search(ctx, in.ID)
		if err != nil {
			return nil, err
		}
		if !in.wants(eventStream) {
			l, err := in.list(history(found))
			if err != nil {
				return nil, err
			}
			return &huma.StreamResponse{Body: func(huma.Context) { _ = in.echo.JSON(http.StatusOK, l) }}, nil
		}
		last, err := in.seen(history(found))
		if err != nil {
			return nil, err
		}
		if found.State.Ended() && (in.Last != "" || in.After != "") && last == len(found.Events) {
			return &huma.StreamResponse{Body: func(c huma.Context) { c.SetStatus(http.StatusNoContent) }}, nil
		}
		leave, err := s.streams.enter(ctx, in.echo, s.Limits.Streams)
		if err != nil {
			return nil, err
		}
		f := &searchFollower{Searches: a, in: in, search: found, seen: last}
		return &huma.StreamResponse{Body: func(huma.Context) {
			defer leave()
			if err := f.stream(ctx); err != nil && ctx.Err() == nil {
				logOf(ctx).Debug("event stream", "search", found.ID, "error", err)
			}
		}}, nil
	})
}

// history is a search as the job whose events its are.
func history(s *searches.Search) *jobs.Job {
	return &jobs.Job{ID: s.ID, State: s.State, Events: s.Events, Deliveries: s.Deliveries}
}

// searchFollower streams one search to one reader.
type searchFollower struct {
	*Searches
	in     *eventList
	search *searches.Search
	seen   int    // seq of the last event sent
	shown  string // the last snapshot

	session *sse.Session
	control *http.ResponseController
}

// stream streams until the search is over, the reader goes, or ctx ends.
func (f *searchFollower) stream(ctx context.Context) (err error) {
	w := f.in.echo.Response()
	w.Header().Set("X-Accel-Buffering", "no") // proxies pass it on as it comes
	if f.session, err = sse.Upgrade(w, f.in.echo.Request()); err != nil {
		return err
	}
	f.control = http.NewResponseController(w)
	updates := f.Live.Subscribe(ctx, f.search.ID) // first listen, then read: nothing in between is missed
	heartbeat := time.NewTicker(heartbeatEvery)
	defer heartbeat.Stop()
	for {
		if over, err := f.catchUp(ctx); over || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case _, open := <-updates:
			if !open {
				updates = nil // Redis is gone for good: what is left is the heartbeat
			}
		case <-heartbeat.C:
			m := &sse.Message{}
			m.AppendComment("alive")
			if err := f.send(m); err != nil {
				return err
			}
		}
	}
}

// catchUp reads the search and sends what is new, and reports whether it is over.
// While storage is away the stream stays.
func (f *searchFollower) catchUp(ctx context.Context) (over bool, err error) {
	s, err := f.Store.Search(ctx, f.search.ID)
	switch {
	case err == nil:
		f.search = s
	case jobs.ErrorCode(err) == jobs.NotFound: // deleted
		return false, err
	case ctx.Err() == nil:
		logOf(ctx).Warn("event stream", "search", f.search.ID, "error", err)
	}
	v := searches.NewView(f.search.CreatedAt, f.search)
	v.Progress.ETASeconds = nil // it changes with the clock alone
	text, err := json.Marshal(v)
	if err != nil {
		return false, fmt.Errorf("snapshot: %w", err)
	}
	if string(text) != f.shown {
		if err := f.message("", "snapshot", text); err != nil {
			return false, err
		}
		f.shown = string(text)
	}
	for i := f.seen; i < len(f.search.Events); i++ {
		e := NewEvent(history(f.search), i)
		text, err := json.Marshal(e)
		if err != nil {
			return false, fmt.Errorf("event %s: %w", e.Type, err)
		}
		if err := f.message(strconv.Itoa(e.Seq), string(e.Type), text); err != nil {
			return false, err
		}
		f.seen = e.Seq
	}
	return f.search.State.Ended(), nil
}

func (f *searchFollower) message(id, event string, text []byte) error {
	m := &sse.Message{Type: sse.Type(event)}
	if id != "" {
		m.ID = sse.ID(id)
	}
	m.AppendData(string(text))
	return f.send(m)
}

func (f *searchFollower) send(m *sse.Message) error {
	// A writer without deadlines is one of a test.
	_ = f.control.SetWriteDeadline(time.Now().Add(writeWithin))
	if err := f.session.Send(m); err != nil {
		return err
	}
	return f.session.Flush()
}
