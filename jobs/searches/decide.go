package searches

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"time"

	"polyid-trainer/jobs"
	"polyid-trainer/jobs/search"
)

// seen is what a look at a trial's job found.
type seen struct {
	job          *jobs.Job // nil: there is none
	held         bool      // a worker is still on it
	looked       bool      // at its folds, which say what follows
	score        float64   // at the rung or the end that it has reached; NaN before
	epochs       int       // finished by all folds
	seconds, usd float64
}

// decide moves the search on, given what was seen of the jobs of trials, and of
// the final job where there is one (nil if it was not looked at). It only looks at
// and changes the record, and reports whether it did.
func (s *Search) decide(now time.Time, found map[int]seen, final *jobs.Job) error {
	if err := s.note(now, found); err != nil {
		return err
	}
	s.FinalClosed = s.Final != "" && (s.FinalClosed || final != nil && final.State.Ended())
	if !s.State.Active() {
		return nil
	}
	if s.State == jobs.Queued {
		s.State, s.StartedAt = jobs.Training, now.UTC()
		if err := s.record(now, EventStarted, nil); err != nil {
			return err
		}
	}
	if s.State == jobs.Training {
		if err := s.spend(now); err != nil || s.State != jobs.Training {
			return err
		}
		if err := s.advance(now, found); err != nil {
			return err
		}
	}
	if s.State == jobs.Finalizing && final != nil {
		return s.finish(now, final)
	}
	return nil
}

// note takes over what was seen.
func (s *Search) note(now time.Time, found map[int]seen) error {
	for _, t := range s.own() {
		f, ok := found[t.Index]
		if !ok {
			continue
		}
		if err := s.noteTrial(now, t, f); err != nil {
			return err
		}
	}
	for i := range s.Trials { // with the job comes all that was seen of it
		if t := &s.Trials[i]; t.SameAs != nil {
			of := s.Trials[*t.SameAs]
			t.Rung, t.Scores, t.Status, t.Epochs, t.Failure = of.Rung, slices.Clone(of.Scores), of.Status, of.Epochs, of.Failure
		}
	}
	return nil
}

func (s *Search) noteTrial(now time.Time, t *Trial, f seen) error {
	ended := t.Status.Ended()
	if f.job == nil {
		if !t.Made {
			return nil
		}
		t.Closed, t.Swept = true, true
		if ended {
			return nil
		}
		s.end(t, TrialFailed)
		t.Failure = "its training job was deleted"
		return s.record(now, EventTrialEnded, trialEvent(t))
	}
	t.Made, t.Closed = true, f.job.State.Ended() && !f.held
	if f.looked {
		t.Epochs, t.Seconds, t.USD = f.epochs, f.seconds, f.usd
	}
	if ended {
		return nil
	}
	switch j := f.job; j.State {
	case jobs.Queued, jobs.Preparing:
		t.Status = TrialQueued
	case jobs.Training, jobs.Finalizing, jobs.Publishing:
		t.Status = TrialRunning
	case jobs.Paused:
		t.Status = TrialPaused
		switch {
		case !s.scores(t, f.job):
		case math.IsNaN(f.score):
			s.failScore(t)
		default:
			t.Scores = append(t.Scores, f.score)
		}
	case jobs.Succeeded: // perhaps stopped early, before a rung: its score counts at all that are left
		if math.IsNaN(f.score) {
			s.failScore(t)
			break
		}
		for len(t.Scores) < len(s.Rungs) {
			t.Scores = append(t.Scores, f.score)
		}
		s.end(t, TrialSucceeded)
	case jobs.Failed:
		s.end(t, TrialFailed)
		if j.Failure != nil {
			t.Failure = j.Failure.Detail
		}
	case jobs.Cancelled:
		s.end(t, TrialCancelled)
	}
	if t.Status.Ended() {
		return s.record(now, EventTrialEnded, trialEvent(t))
	}
	return nil
}

// scores reports whether a job that is paused has reached the rung that its trial
// trains to, and this is not noted yet.
func (s *Search) scores(t *Trial, j *jobs.Job) bool {
	return j.Reason == jobs.ReasonRung && j.Trial != nil && j.Trial.PauseAt == s.Rungs[t.Rung] && len(t.Scores) == t.Rung
}

// failScore ends a trial that cannot be compared.
func (s *Search) failScore(t *Trial) {
	s.end(t, TrialFailed)
	t.Failure = "no validation row has a value that the objective could be computed from"
}

// end ends a trial, and those of equal settings.
func (s *Search) end(t *Trial, status Status) {
	t.Status = status
	for i := range s.Trials {
		if of := s.Trials[i].SameAs; of != nil && *of == t.Index {
			s.Trials[i].Status = status
		}
	}
}

// spend pauses a search that has cost what it may, and ends the trials of one whose
// time is over.
func (s *Search) spend(now time.Time) error {
	if _, usd := s.Spent(); s.Spec.MaxUSD != nil && usd >= *s.Spec.MaxUSD {
		return s.Pause(now, "budget")
	}
	if !s.outOfTime(now) {
		return nil
	}
	for _, t := range s.own() {
		if !t.Status.Ended() {
			s.end(t, TrialStopped)
			if err := s.record(now, EventTrialEnded, trialEvent(t)); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *Search) outOfTime(now time.Time) bool {
	return s.Spec.MaxHours != nil && now.Sub(s.StartedAt).Hours()-s.PausedFor/3600 >= *s.Spec.MaxHours
}

// advance proposes trials, decides rungs, and ends the search once all trials have
// ended.
func (s *Search) advance(now time.Time, found map[int]seen) error {
	if !s.outOfTime(now) {
		if err := s.propose(); err != nil {
			return err
		}
	}
	for s.Rung < len(s.Rungs)-1 && s.rungComplete() {
		if err := s.decideRung(now); err != nil {
			return err
		}
	}
	if err := s.findBest(found); err != nil {
		return err
	}
	if slices.ContainsFunc(s.Trials, func(t Trial) bool { return !t.Status.Ended() }) {
		return nil
	}
	switch {
	case s.Best == nil:
		return s.fail(now, s.noneSucceeded())
	case !s.Spec.TrainBest:
		return s.succeed(now)
	}
	s.State, s.Final = jobs.Finalizing, jobs.NewID(jobs.TrainingJobPrefix)
	return s.record(now, EventFinalizing, map[string]any{"trial": s.Best.Trial, "score": s.Best.Score, "training_job": s.Final})
}

func (s *Search) noneSucceeded() jobs.Failure {
	f := jobs.Failure{Code: "no_trial_succeeded", Detail: "No trial reached a score."}
	for _, t := range s.Trials {
		if t.Failure != "" {
			f.Detail = fmt.Sprintf("No trial reached a score. Trial %d failed: %s", t.Index, t.Failure)
			break
		}
	}
	return f
}

// propose adds trials: all at once where they do not learn from each other, and
// otherwise the next batch when all before it have ended.
func (s *Search) propose() error {
	n := s.Spec.MaxTrials
	if s.Spec.Method == TPE {
		if slices.ContainsFunc(s.Trials, func(t Trial) bool { return !t.Status.Ended() }) {
			return nil
		}
		n = min(n, len(s.Trials)+search.TPEBatch)
	}
	if len(s.Trials) >= n {
		return nil
	}
	known := map[string]int{} // settings of the trials that have jobs
	for _, t := range s.own() {
		key, err := s.settingsKey(t.Values)
		if err != nil {
			return err
		}
		known[key] = t.Index
	}
	observed := s.observed()
	var pending []search.Point
	for i := len(s.Trials); i < n; i++ {
		at := search.Random(s.Spec.Space, s.Spec.Seed, i)
		if s.Spec.Method == TPE {
			at = search.TPE(s.Spec.Space, s.Spec.Seed, i, observed, pending)
		}
		pending = append(pending, at)
		t := Trial{Index: i, At: at, Values: s.Spec.Space.Values(at), Status: TrialQueued, Rung: s.Rung}
		key, err := s.settingsKey(t.Values)
		if err != nil {
			return err
		}
		if first, ok := known[key]; ok {
			of := s.Trials[first]
			t.Job, t.SameAs, t.Status, t.Scores, t.Epochs = of.Job, &first, of.Status, slices.Clone(of.Scores), of.Epochs
		} else {
			known[key], t.Job = i, jobs.NewID(jobs.TrainingJobPrefix)
		}
		s.Trials = append(s.Trials, t)
	}
	return nil
}

// settingsKey is equal for equal settings, however the space came to them.
func (s *Search) settingsKey(v search.Values) (string, error) {
	spec, err := s.Spec.trialSpec(&s.Base, v)
	if err != nil {
		return "", err
	}
	b, err := json.Marshal(spec)
	return string(b), err
}

// observed are the trials so far, for those that learn from them.
func (s *Search) observed() []search.Observation {
	var out []search.Observation
	for _, t := range s.Trials {
		score, ok := t.Score()
		if !ok {
			score = math.NaN()
		}
		out = append(out, search.Observation{At: t.At, Score: score})
	}
	return out
}

// rungComplete reports whether each trial that trains to the current rung has
// reached it, or ended.
func (s *Search) rungComplete() bool {
	for _, t := range s.own() {
		if t.Rung == s.Rung && len(t.Scores) <= s.Rung && !t.Status.Ended() {
			return false
		}
	}
	return len(s.Trials) == s.Spec.MaxTrials
}

// decideRung lets the best trials of the current rung go on and ends the others.
func (s *Search) decideRung(now time.Time) error {
	var reached []search.Candidate
	for _, t := range s.own() {
		if t.Rung != s.Rung {
			continue
		}
		c := search.Candidate{Index: t.Index, Score: math.NaN()}
		if len(t.Scores) > s.Rung && t.Status != TrialFailed && t.Status != TrialCancelled && t.Status != TrialStopped {
			c.Score = t.Scores[s.Rung]
		}
		reached = append(reached, c)
	}
	promoted := search.Promote(reached, s.Spec.Reduction)
	for _, c := range reached {
		t := &s.Trials[c.Index]
		switch {
		case slices.Contains(promoted, c.Index):
			t.Rung++
		case !t.Status.Ended():
			s.end(t, TrialStopped)
			if err := s.record(now, EventTrialEnded, trialEvent(t)); err != nil {
				return err
			}
		}
	}
	err := s.record(now, EventRung, map[string]any{"rung": s.Rung, "epochs": s.Rungs[s.Rung], "trials": len(reached), "promoted": promoted})
	s.Rung++
	return err
}

// findBest finds the trial with the best score among those trained in full or, as
// long as there is none, among those at the highest rung.
func (s *Search) findBest(found map[int]seen) error {
	most := 0
	for _, t := range s.own() {
		most = max(most, standing(t))
	}
	var at []search.Candidate
	for _, t := range s.own() {
		if score, ok := t.Score(); ok && standing(t) == most && most >= 0 {
			at = append(at, search.Candidate{Index: t.Index, Score: score})
		}
	}
	ranked := search.Ranked(at)
	if len(ranked) == 0 {
		return nil
	}
	best := ranked[0]
	if s.Best == nil || s.Best.Trial != best.Index || s.Best.Score != best.Score {
		s.Best = &Best{Trial: best.Index, Score: best.Score}
	}
	j := found[best.Index].job
	if j == nil || j.State != jobs.Succeeded || s.Best.OutOfFold != nil {
		return nil
	}
	m, err := readMetrics(j.Metrics)
	if err != nil {
		return err
	}
	s.Best.OutOfFold, s.Best.Holdout = m.OutOfFold, m.Holdout
	held, err := s.Spec.Objective.ofMetrics(m.Holdout)
	if err == nil && !math.IsNaN(held) {
		s.Best.HeldOut = &held
	}
	return err
}

// standing orders trials before their scores do: the rungs reached, a training to
// the end above all, and one that failed below.
func standing(t *Trial) int {
	switch t.Status {
	case TrialSucceeded:
		return math.MaxInt
	case TrialFailed, TrialCancelled:
		return -1
	}
	return len(t.Scores)
}

// finish ends a search whose best settings have been trained, or could not be.
func (s *Search) finish(now time.Time, final *jobs.Job) error {
	switch final.State {
	case jobs.Succeeded:
		return s.succeed(now)
	case jobs.Failed:
		return s.fail(now, *final.Failure)
	case jobs.Cancelled:
		return s.fail(now, jobs.Failure{Code: "final_job_cancelled", Detail: "The training of the best settings was cancelled."})
	}
	return nil
}

// kept is how many of the ended trials keep their checkpoints.
const kept = 5

// sweepable are the ended trials whose checkpoints nothing needs any more: all but
// the best. What was better once is better for good, since scores of ended trials
// stay.
func (s *Search) sweepable() []*Trial {
	byStanding := map[int][]search.Candidate{}
	var levels []int
	var out []*Trial
	for _, t := range s.own() {
		if !t.Status.Ended() {
			continue
		}
		score, ok := t.Score()
		if !ok {
			score = math.NaN()
		}
		level := standing(t)
		if byStanding[level] == nil {
			levels = append(levels, level)
		}
		byStanding[level] = append(byStanding[level], search.Candidate{Index: t.Index, Score: score})
	}
	slices.Sort(levels)
	keep := map[int]bool{}
	for _, level := range slices.Backward(levels) {
		for _, c := range search.Ranked(byStanding[level]) {
			if len(keep) < kept {
				keep[c.Index] = true
			}
		}
	}
	for _, t := range s.own() {
		if t.Status.Ended() && t.Made && !t.Swept && !keep[t.Index] {
			out = append(out, t)
		}
	}
	return out
}
