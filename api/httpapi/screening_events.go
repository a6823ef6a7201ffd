package httpapi

import (
	"context"
	"encoding/json"
	"strconv"
	"time"

	"polyid-trainer/jobs"
	"polyid-trainer/jobs/screenings"
)

func screeningHistory(x *screenings.Screening) history {
	return history{over: x.Status.Ended(), events: x.Events, deliveries: x.Deliveries}
}

func (a *Screenings) eventRoutes(s *Server, base string, tags []string) {
	const stream = "One message for every event, with its seq as id and its type as event, and the Event as data. " +
		"snapshot, the screening as GET shows it, at the beginning, and progress, the same, every second while it moves. The stream ends with the screening."
	eventRoute(s, "list-screening-events", base+"/{id}/events", tags, "screening", stream,
		func(ctx context.Context, id string) (*screenings.Screening, error) { return a.Store.Screening(ctx, id) }, screeningHistory, a.follow)
}

// follow sends events and progress until the screening is over. It looks at the
// record every second, whatever the number of workers: O(claims) reads.
func (a *Screenings) follow(ctx context.Context, in *eventList, _ *screenings.Screening, seen int) error {
	w, err := in.eventWriter()
	if err != nil {
		return err
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
					if err := w.message("", name, v); err != nil {
						return err
					}
				}
				name, last = "progress", string(now)
			}
			for ; seen < len(x.Events); seen++ {
				e := screeningHistory(x).event(seen)
				if err := w.message(strconv.Itoa(e.Seq), string(e.Type), e); err != nil {
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
