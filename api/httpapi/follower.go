package httpapi

import (
	"context"
	"encoding/json"
	"strconv"
	"time"

	"polyid-trainer/jobs"
)

const (
	// epochEvery is how often a fold's progress is sent at most.
	epochEvery = time.Second
	// heartbeatEvery is how often a silent stream says that it lives, and reads the
	// record in case a wake-up was lost.
	heartbeatEvery = 5 * time.Second
)

// follower streams one job to one reader.
type follower struct {
	*TrainingJobs
	*eventWriter
	job   *jobs.Job
	seen  int                     // seq of the last event sent
	told  map[int]json.RawMessage // newest progress by fold, not yet sent
	folds []*jobs.Fold            // as last read
}

func jobHistory(j *jobs.Job) history {
	return history{over: j.State.Ended(), events: j.Events, deliveries: j.Deliveries}
}

func (a *TrainingJobs) eventRoutes(s *Server, base string, tags []string) {
	const stream = "One message for every event, with its seq as id and its type as event, and the Event as data. " +
		"Between them training_job.epoch, at most one a second and fold, without id: a fold's progress as the job's folds show it. " +
		"snapshot, the whole job, whenever a reader may have missed epochs. The stream ends with the job."
	eventRoute(s, "list-events", base+"/{id}/events", tags, "job", stream,
		func(ctx context.Context, id string) (*jobs.Job, error) { return a.Store.Job(ctx, id) }, jobHistory, a.follow)
}

// follow streams until the job is over, the reader goes, or ctx ends.
func (a *TrainingJobs) follow(ctx context.Context, in *eventList, j *jobs.Job, seen int) error {
	w, err := in.eventWriter()
	if err != nil {
		return err
	}
	f := &follower{TrainingJobs: a, eventWriter: w, job: j, seen: seen, told: map[int]json.RawMessage{}}

	// First listen, then read: nothing that happens in between is missed.
	updates := f.Live.Subscribe(ctx, f.job.ID)
	if err := f.read(ctx); err != nil {
		return err
	}
	if err := f.snapshot(ctx); err != nil {
		return err
	}
	if over, err := f.catchUp(); over || err != nil {
		return err
	}
	send, heartbeat := time.NewTicker(epochEvery), time.NewTicker(heartbeatEvery)
	defer send.Stop()
	defer heartbeat.Stop()
	for {
		changed := false
		select {
		case <-ctx.Done():
			return ctx.Err()
		case u, open := <-updates:
			if !open {
				updates = nil // Redis is gone for good: what is left is the heartbeat
				continue
			}
			if changed = u.Changed; !changed {
				f.told[u.Fold] = u.Progress
			}
		case <-send.C:
			if err := f.epochs(ctx); err != nil {
				return err
			}
		case <-heartbeat.C:
			changed = true
			if err := f.alive(); err != nil {
				return err
			}
		}
		if !changed {
			continue
		}
		if err := f.read(ctx); err != nil {
			return err
		}
		if over, err := f.catchUp(); over || err != nil {
			return err
		}
	}
}

// read reads the record. While storage is away the stream stays.
func (f *follower) read(ctx context.Context) error {
	j, err := f.Store.Job(ctx, f.job.ID)
	switch {
	case err == nil:
		f.job = j
	case jobs.ErrorCode(err) == jobs.NotFound: // deleted
		return err
	case ctx.Err() == nil:
		logOf(ctx).Warn("event stream", "job", f.job.ID, "error", err)
	}
	return nil
}

// snapshot sends the whole job. It has no id: the events it covers are sent too.
func (f *follower) snapshot(ctx context.Context) error {
	v, err := f.View(ctx, f.job)
	if err != nil {
		return err
	}
	return f.message("", "snapshot", v)
}

// catchUp sends the events that the reader has not seen, and reports whether the
// job is over.
func (f *follower) catchUp() (over bool, err error) {
	for i := f.seen; i < len(f.job.Events); i++ {
		e := jobHistory(f.job).event(i)
		if err := f.message(strconv.Itoa(e.Seq), string(e.Type), e); err != nil {
			return false, err
		}
		f.seen = e.Seq
	}
	return f.job.State.Ended(), nil
}

// epochs sends the newest progress of every fold that has told some. The fold
// records are read again only for a claim that is news: that a fold tells
// something shows that its claim holds.
func (f *follower) epochs(ctx context.Context) error {
	if len(f.told) == 0 {
		return nil
	}
	now, read := f.now(), false
	live := make([]json.RawMessage, len(f.folds))
	for i, progress := range f.told {
		var b jobs.Heartbeat
		if json.Unmarshal(progress, &b) != nil {
			continue
		}
		if !read && (i >= len(f.folds) || f.folds[i].Attempt != b.Attempt) {
			folds, err := f.Store.Folds(ctx, f.job.ID)
			if err != nil {
				return nil // the next time will do
			}
			read, f.folds = true, folds
			live = append(live, make([]json.RawMessage, max(0, len(folds)-len(live)))...)
		}
		if i >= 0 && i < len(f.folds) && f.folds[i].Attempt == b.Attempt && f.folds[i].Held() {
			running := *f.folds[i]
			running.Status = jobs.FoldRunning
			f.folds[i], live[i] = &running, progress
		}
	}
	clear(f.told)
	v := jobs.NewView(now, f.job, f.folds, live, f.CostPerHour)
	for i := range v.Folds {
		if live[i] == nil {
			continue
		}
		if err := f.message("", string(jobs.EventEpoch), v.Folds[i]); err != nil {
			return err
		}
	}
	return nil
}
