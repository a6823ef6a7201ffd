// Package fleet shows who trains what, and who waits for what and why: the workers
// that are alive, the folds that they have, and the folds that wait for them.
//
// Nothing of it is a record. Workers and what waits tell of themselves in Redis, and
// while that is away there is nothing to show.
package fleet

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"polyid-trainer/jobs"
	"polyid-trainer/jobs/access"
	"polyid-trainer/jobs/fairshare"
)

// Service reads the fleet. Its fields are set before use; it may be used
// concurrently.
type Service struct {
	Fleet interface {
		Workers(ctx context.Context) ([]jobs.Worker, error)
	}
	Queue interface {
		Waiting(ctx context.Context) (jobs.Waiting, error)
	}
	Live interface {
		Progress(ctx context.Context, job string, folds int) ([]json.RawMessage, error)
	}
	Now func() time.Time // nil is time.Now
	Log *slog.Logger

	mu    sync.Mutex
	taken time.Time
	last  snapshot
}

// fresh is how old a snapshot may be that many jobs are shown by.
const fresh = time.Second

// snapshot is the fleet at one moment.
type snapshot struct {
	workers []jobs.Worker
	waiting jobs.Waiting
}

// look reads the fleet, or returns what was read a moment ago.
func (s *Service) look(ctx context.Context) (snapshot, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now := s.now(); s.taken.IsZero() || now.Sub(s.taken) >= fresh {
		workers, err := s.Fleet.Workers(ctx)
		if err != nil {
			return snapshot{}, unavailable(err)
		}
		waiting, err := s.Queue.Waiting(ctx)
		if err != nil {
			return snapshot{}, unavailable(err)
		}
		s.last, s.taken = snapshot{workers, waiting}, now
	}
	return s.last, nil
}

func unavailable(err error) error {
	return &jobs.Error{Code: jobs.Unavailable, Detail: "the queue cannot be reached: try again", Err: err}
}

func (s *Service) now() time.Time {
	if s.Now == nil {
		return time.Now()
	}
	return s.Now()
}

// Worker is a worker that is alive, with what it does.
type Worker struct {
	jobs.Worker
	Free  int   `json:"free" doc:"Slots in which nothing trains."`
	Folds []Run `json:"folds" nullable:"false" doc:"What it trains, of the jobs that who asks may see."`
	Other int   `json:"others" doc:"What else it trains."`
}

// Run is a fold that a worker has.
type Run struct {
	Job            string    `json:"training_job"`
	Fold           int       `json:"fold"`
	Token          string    `json:"token" doc:"Whose share it counts to."`
	Since          time.Time `json:"since"`
	StepsPerSecond float64   `json:"steps_per_second" doc:"0 before the first step."`
}

// Workers lists who is alive, by name, with what each does that who asks may see.
func (s *Service) Workers(ctx context.Context) ([]Worker, error) {
	now, err := s.look(ctx)
	if err != nil {
		return nil, err
	}
	pace := s.pace(ctx, now.waiting.Runs)
	workers := make([]Worker, len(now.workers))
	for i, told := range now.workers {
		w := Worker{Worker: told, Free: told.Slots, Folds: []Run{}}
		for _, r := range now.waiting.Runs {
			switch {
			case r.Worker != told.Name:
				continue
			case access.Visible(ctx, access.Owned{Owner: r.Owner}):
				w.Folds = append(w.Folds, Run{Job: r.Job, Fold: r.Fold, Token: r.Owner, Since: r.Since, StepsPerSecond: pace[r.ID()]})
			default:
				w.Other++
			}
			w.Free = max(0, w.Free-1)
		}
		slices.SortFunc(w.Folds, func(a, b Run) int { return a.Since.Compare(b.Since) })
		workers[i] = w
	}
	return workers, nil
}

// pace is how many steps a second each of some folds makes, by their tasks' ids.
func (s *Service) pace(ctx context.Context, runs []jobs.Run) map[string]float64 {
	pace := map[string]float64{}
	folds := map[string]int{}
	for _, r := range runs {
		folds[r.Job] = max(folds[r.Job], r.Fold+1)
	}
	for job, n := range folds {
		told, err := s.Live.Progress(ctx, job, n)
		if err != nil {
			s.Log.Warn("live progress could not be read; workers are shown without it", "error", err)
			return pace
		}
		for _, r := range runs {
			var b jobs.Heartbeat
			if r.Job == job && r.Fold < len(told) && json.Unmarshal(told[r.Fold], &b) == nil && b.MSPerStep > 0 {
				pace[r.ID()] = 1000 / b.MSPerStep
			}
		}
	}
	return pace
}

// Queue is who waits for what.
type Queue struct {
	Object  string  `json:"object" enum:"queue"`
	Workers int     `json:"workers" doc:"That are alive."`
	Slots   int     `json:"slots" doc:"Folds that these train at once."`
	Free    int     `json:"free" doc:"Slots in which nothing trains."`
	Tokens  []Token `json:"tokens" nullable:"false" doc:"Those with something waiting or training, by name. Who is not an admin sees its own alone."`
	Waiting []Item  `json:"waiting" nullable:"false" doc:"Folds that wait, in each token's own order; the first thousand of each token."`
	Others  int     `json:"others" doc:"Folds of others that wait."`
}

// Token is how a token stands.
type Token struct {
	Token   string  `json:"token"`
	Weight  float64 `json:"weight"`
	Limit   int     `json:"limit" doc:"Folds that it may train at once; 0 is no limit."`
	Running int     `json:"running"`
	Waiting int     `json:"waiting"`
	Served  float64 `json:"served_seconds" doc:"Worker-seconds of the last hour, of which those of ten minutes ago count half. Who has the least by weight is next."`
}

// Item is a fold that waits.
type Item struct {
	Job    string    `json:"training_job"`
	Fold   int       `json:"fold"`
	Token  string    `json:"token"`
	Since  time.Time `json:"since"`
	Reason string    `json:"reason"`
}

// Waiting lists who waits for what, as far as who asks may see it.
func (s *Service) Waiting(ctx context.Context) (*Queue, error) {
	now, err := s.look(ctx)
	if err != nil {
		return nil, err
	}
	q := &Queue{Object: "queue", Workers: len(now.workers), Tokens: []Token{}, Waiting: []Item{}}
	for _, w := range now.workers {
		q.Slots += w.Slots
	}
	q.Free = max(0, q.Slots-len(now.waiting.Runs))
	for _, t := range now.waiting.Shares {
		if !access.Visible(ctx, access.Owned{Owner: t.Token}) {
			q.Others += t.Waiting
			continue
		}
		q.Tokens = append(q.Tokens, Token{t.Token, max(t.Weight, 0), t.Limit, t.Running, t.Waiting, t.Served})
		if t.Weight == 0 {
			q.Tokens[len(q.Tokens)-1].Weight = 1
		}
		for place, i := range now.waiting.Items[t.Token] {
			q.Waiting = append(q.Waiting, Item{i.Job, i.Fold, t.Token, i.Since, now.reason(t.Token, place)})
		}
	}
	return q, nil
}

// Reason says why a job, of which no fold is trained, waits: "" if nothing is known.
func (s *Service) Reason(ctx context.Context, j *jobs.Job) string {
	now, err := s.look(ctx)
	if err != nil {
		s.Log.Warn("the fleet could not be read; a job is shown without what it waits for", "job", j.ID, "error", err)
		return ""
	}
	place := slices.IndexFunc(now.waiting.Items[j.Owner], func(i jobs.Item) bool { return i.Job == j.ID })
	if place < 0 {
		return ""
	}
	return now.reason(j.Owner, place)
}

// countedAhead bounds how many folds are counted that go first.
const countedAhead = 1000

// reason says why the piece at a place among a token's work waits.
func (s *snapshot) reason(token string, place int) string {
	for i := range s.waiting.Shares {
		if t := &s.waiting.Shares[i]; t.Token == token && t.Limited() {
			return fmt.Sprintf("waiting: your quota of %s is in use", count(t.Limit, "fold"))
		}
	}
	if len(s.workers) == 0 {
		return "waiting for a worker: none is alive; `go run ./worker` starts one"
	}
	trains := "train"
	if len(s.workers) == 1 {
		trains = "trains"
	}
	text := fmt.Sprintf("waiting for a worker: %s %s %s", count(len(s.workers), "worker"), trains, count(len(s.waiting.Runs), "fold"))
	var first []string
	switch others := fairshare.Ahead(s.waiting.Shares, token, place, countedAhead); {
	case others >= countedAhead:
		first = append(first, fmt.Sprintf("more than %d folds of others", countedAhead))
	case others > 0:
		first = append(first, count(others, "fold")+" of others")
	}
	if place > 0 {
		first = append(first, count(place, "fold")+" of your own")
	}
	if len(first) == 0 {
		return text
	}
	goes := "go"
	if len(first) == 1 && strings.HasPrefix(first[0], "1 ") {
		goes = "goes"
	}
	return text + ", " + strings.Join(first, " and ") + " " + goes + " first"
}

// count writes a number of things.
func count(n int, what string) string {
	switch n {
	case 0:
		return "no " + what
	case 1:
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
