package httpapi

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"polyid-trainer/jobs"
	"polyid-trainer/jobs/searches"
)

func searchHistory(s *searches.Search) history {
	return history{over: s.State.Ended(), events: s.Events, deliveries: s.Deliveries}
}

func (a *Searches) eventRoutes(s *Server, base string, tags []string) {
	const stream = "One message for every event, with its seq as id and its type as event, and the Event as data. " +
		"snapshot, the whole search, at the beginning and whenever it has changed. The stream ends with the search."
	eventRoute(s, "list-search-events", base+"/{id}/events", tags, "search", stream,
		func(ctx context.Context, id string) (*searches.Search, error) { return a.Store.Search(ctx, id) }, searchHistory, a.follow)
}

// searchFollower streams one search to one reader.
type searchFollower struct {
	*Searches
	*eventWriter
	search *searches.Search
	seen   int    // seq of the last event sent
	shown  string // the last snapshot
}

// follow streams until the search is over, the reader goes, or ctx ends.
func (a *Searches) follow(ctx context.Context, in *eventList, s *searches.Search, seen int) error {
	w, err := in.eventWriter()
	if err != nil {
		return err
	}
	f := &searchFollower{Searches: a, eventWriter: w, search: s, seen: seen}
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
			if err := f.alive(); err != nil {
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
		if err := f.message("", "snapshot", json.RawMessage(text)); err != nil {
			return false, err
		}
		f.shown = string(text)
	}
	for i := f.seen; i < len(f.search.Events); i++ {
		e := searchHistory(f.search).event(i)
		if err := f.message(strconv.Itoa(e.Seq), string(e.Type), e); err != nil {
			return false, err
		}
		f.seen = e.Seq
	}
	return f.search.State.Ended(), nil
}
