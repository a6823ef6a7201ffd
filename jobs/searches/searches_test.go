package searches_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"polyid-trainer/jobs"
	"polyid-trainer/jobs/keys"
	"polyid-trainer/jobs/lease"
	"polyid-trainer/jobs/records"
	"polyid-trainer/jobs/searches"
	"polyid-trainer/storage"
	"polyid-trainer/storage/storagetest"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// lab is a search's surroundings: a store, a queue that loses tasks as told, and
// workers that train by a formula.
type lab struct {
	*testing.T
	bucket  storage.Bucket
	jobs    *records.Store
	store   *searches.Store
	stepper *searches.Stepper
	rng     *rand.Rand
	clock   time.Time
	fails   func(t *jobs.Trial) bool // whether a trial's training fails
	usd     float64                  // of each epoch of a fold
	epochs  int                      // trained by all folds together
}

func newLab(t *testing.T, seed uint64) *lab {
	t.Helper()
	b := &storagetest.Memory{}
	l := &lab{T: t, bucket: b, jobs: records.New(b), store: searches.NewStore(b), rng: rand.New(rand.NewPCG(seed, 0)), clock: noon}
	l.stepper = &searches.Stepper{Store: l.store, Jobs: l.jobs, Queue: l, Bucket: b, Now: func() time.Time { return l.clock }, Log: slog.New(slog.DiscardHandler)}
	return l
}

// Enqueue implements jobs.Queue: the workers of the lab look at the records.
func (*lab) Enqueue(context.Context, jobs.Task) error { return nil }

// begin makes a search of a body.
func (l *lab) begin(body string) *searches.Search {
	l.Helper()
	spec, problems := searches.ReadSpec([]byte(body))
	if len(problems) > 0 {
		l.Fatal(problems)
	}
	job, err := jobs.ReadSpec(strings.NewReader(string(spec.Job)))
	if err != nil {
		l.Fatal(err)
	}
	base := searches.Base(job)
	if problems := spec.JobProblems(&base); len(problems) > 0 {
		l.Fatal(problems)
	}
	s, err := searches.New(l.clock, "tester", spec, base)
	if err != nil {
		l.Fatal(err)
	}
	if _, err := l.bucket.Put(l.Context(), keys.SearchJobPrefix(s.ID)+"dataset.csv", strings.NewReader("x"), 1, storage.Condition{}); err != nil {
		l.Fatal(err)
	}
	if err := l.store.Create(l.Context(), s); err != nil {
		l.Fatal(err)
	}
	return s
}

func (l *lab) search(id string) *searches.Search {
	l.Helper()
	s, err := l.store.Search(l.Context(), id)
	if err != nil {
		l.Fatal(err)
	}
	return s
}

func (l *lab) step(id string) {
	l.Helper()
	if err := l.stepper.Step(l.Context(), id); err != nil {
		l.Fatal(err)
	}
}

// run lets workers and steps take turns until the search has ended, or nothing
// moves any more.
func (l *lab) run(id string) *searches.Search {
	l.Helper()
	still := 0
	for range 1000 {
		l.step(id)
		if l.work() {
			still = 0
		} else if still++; still > 3 {
			break
		}
	}
	return l.search(id)
}

// work advances one active job, at random, by one stage or one fold by one epoch.
func (l *lab) work() bool {
	l.Helper()
	active, err := l.jobs.Active(l.Context())
	if err != nil {
		l.Fatal(err)
	}
	l.rng.Shuffle(len(active), func(i, j int) { active[i], active[j] = active[j], active[i] })
	for _, j := range active {
		if j.State.Active() && l.advance(j) {
			return true
		}
	}
	return false
}

// loss is the error of a trial's settings after so many epochs: best at a learning
// rate of 1e-4, and the order of trials changes little with epochs.
func loss(s *jobs.Spec, epochs int) float64 {
	d := math.Log10(s.LearningRate) + 4
	return 0.2 + d*d/10 + s.Model.Dropout/10 + 1/float64(1+epochs)
}

func (l *lab) advance(j *jobs.Job) bool {
	l.Helper()
	change := func(change func(*jobs.Job) error) bool {
		if _, err := l.jobs.UpdateJob(l.Context(), j.ID, change); err != nil {
			l.Fatal(err)
		}
		return true
	}
	switch j.State {
	case jobs.Queued:
		if _, err := l.bucket.Get(l.Context(), keys.Dataset(j.ID)); err != nil {
			l.Fatalf("job %s has no table: %v", j.ID, err)
		}
		return change(func(j *jobs.Job) error { return j.Start(l.clock) })
	case jobs.Preparing:
		if err := l.jobs.CreateFolds(l.Context(), j.ID, 2); err != nil {
			l.Fatal(err)
		}
		return change(func(j *jobs.Job) error { return j.Train(jobs.Prepared{Folds: make([]jobs.Size, 2)}, nil) })
	case jobs.Finalizing:
		off := loss(&j.Spec, j.Spec.Epochs)
		metrics := fmt.Sprintf(`{"out_of_fold": {"Tg": {"mae": %v, "rmse": 1, "baseline_mae": 1}}, "holdout": {"Tg": {"mae": %v, "rmse": 1, "baseline_mae": 1}}}`, off, off+0.01)
		return change(func(j *jobs.Job) error {
			j.Metrics = json.RawMessage(metrics)
			return j.Succeed(l.clock)
		})
	}
	if j.Trial != nil && l.fails != nil && l.fails(j.Trial) {
		return change(func(j *jobs.Job) error {
			return j.Fail(l.clock, jobs.Failure{Code: "diverged", Detail: "the loss exploded"})
		})
	}
	folds, err := l.jobs.Folds(l.Context(), j.ID)
	if err != nil {
		l.Fatal(err)
	}
	needed := jobs.Needed(l.clock, j, folds)
	if len(needed) == 0 {
		return false
	}
	if needed[0].Kind == jobs.Finalize {
		return change(func(j *jobs.Job) error { return j.Finalize(l.clock) })
	}
	l.train(j, folds[needed[0].Fold])
	return true
}

// train trains a fold to the job's rung or end, and leaves a checkpoint.
func (l *lab) train(j *jobs.Job, f *jobs.Fold) {
	l.Helper()
	holder := lease.NewHolder(lease.Terms{}, slog.New(slog.DiscardHandler))
	to := j.Spec.Epochs
	if j.Trial != nil && j.Trial.PauseAt > 0 {
		to = min(to, j.Trial.PauseAt)
	}
	from := 0
	if f.Checkpoint != nil {
		from = f.Checkpoint.Epoch
	}
	l.epochs += to - from
	key := fmt.Sprintf("%sfolds/%d/checkpoints/%06d.safetensors", keys.JobPrefix(j.ID), f.Index, to)
	if _, err := l.bucket.Put(l.Context(), key, strings.NewReader("x"), 1, storage.Condition{}); err != nil {
		l.Fatal(err)
	}
	f, err := l.jobs.UpdateFold(l.Context(), j.ID, f.Index, func(f *jobs.Fold) error {
		if err := f.Claim(l.clock, holder, "worker:1", j.Resumptions); err != nil {
			return err
		}
		f.Checkpointed(&jobs.Checkpoint{Key: key, Epoch: to})
		f.Charge(l.clock, time.Duration(to-from)*time.Second, l.usd*3600)
		f.Score = &jobs.FoldScore{Epoch: to, Targets: []jobs.TargetScore{{Target: "Tg", Rows: 10, Absolute: 10 * loss(&j.Spec, to), Baseline: 10}}}
		if to < j.Spec.Epochs {
			return f.Leave(f.Token, jobs.FoldPaused)
		}
		return f.Finish(f.Token, &jobs.FoldResult{Epochs: to})
	})
	if err != nil {
		l.Fatal(err)
	}
	folds, err := l.jobs.Folds(l.Context(), j.ID)
	if err != nil {
		l.Fatal(err)
	}
	_, err = l.jobs.UpdateJob(l.Context(), j.ID, func(j *jobs.Job) error {
		if f.Result != nil {
			return j.FoldFinished(l.clock, f)
		}
		return j.ReachRung(l.clock, folds)
	})
	if err != nil {
		l.Fatal(err)
	}
}

const asha = `{"job": {"dataset": "x", "epochs": 9, "kfolds": 2, "prediction_columns": ["Tg"], "publish": null}, "method": "asha", "max_trials": 27, "seed": 5, "train_best": false,
	"space": {"learning_rate": {"log": [1e-6, 1e-2]}, "model.dropout": {"uniform": [0, 0.3]}, "batch_size": {"choice": [1, 2]}}}`

// outcome is what must not depend on timing.
type outcome struct {
	State  jobs.State
	Trials []string
	Best   searches.Best
}

func outcomeOf(s *searches.Search) outcome {
	o := outcome{State: s.State}
	if s.Best != nil {
		o.Best = *s.Best
	}
	for _, t := range s.Trials {
		o.Trials = append(o.Trials, fmt.Sprint(t.Index, t.At, t.Rung, t.Scores, t.Status, t.Epochs))
	}
	return o
}

// Successive halving trains each trial to its rung once, promotes a third, and
// finds the settings that are best of all.
func TestHalving(t *testing.T) {
	l := newLab(t, 1)
	s := l.run(l.begin(asha).ID)
	if s.State != jobs.Succeeded || len(s.Trials) != 27 {
		t.Fatalf("the search is %s with %d trials: %+v", s.State, len(s.Trials), s.Failure)
	}
	var at [3]int
	best, bestOf := math.Inf(1), -1
	for _, trial := range s.Trials {
		at[len(trial.Scores)-1]++
		j, err := l.jobs.Job(t.Context(), trial.Job)
		if err != nil {
			t.Fatal(err)
		}
		if x := loss(&j.Spec, 9); x < best {
			best, bestOf = x, trial.Index
		}
		if j.Trial == nil || j.Trial.Search != s.ID || j.Owner != "tester" || j.Spec.Publish != nil || j.Spec.Holdout == nil {
			t.Errorf("the job of trial %d is %+v", trial.Index, j)
		}
		if want := map[int]jobs.State{1: jobs.Cancelled, 2: jobs.Cancelled, 3: jobs.Succeeded}[len(trial.Scores)]; j.State != want {
			t.Errorf("trial %d reached %d rungs, and its job is %s (%s)", trial.Index, len(trial.Scores), j.State, j.Reason)
		}
	}
	if at != [3]int{18, 6, 3} {
		t.Errorf("%v trials ended at each rung, want 18, 6 and 3", at)
	}
	if s.Best == nil || s.Best.Trial != bestOf || s.Best.Score != best || s.Best.HeldOut == nil || math.Abs(*s.Best.HeldOut-best-0.01) > 1e-12 {
		t.Errorf("the best is %+v, want trial %d with %v", s.Best, bestOf, best)
	}
	if want := 2 * (27*1 + 9*2 + 3*6); l.epochs != want {
		t.Errorf("%d epochs were trained, want %d: none twice", l.epochs, want)
	}
	if n := l.checkpoints(s); n != 5 {
		t.Errorf("%d trials have checkpoints, want the best 5", n)
	}
	if ids, err := l.store.Active(t.Context()); err != nil || len(ids) > 0 {
		t.Errorf("still active: %v, %v", ids, err)
	}
}

// checkpoints counts the trials that have some.
func (l *lab) checkpoints(s *searches.Search) int {
	l.Helper()
	have := map[string]bool{}
	for _, trial := range s.Trials {
		for e, err := range l.bucket.List(l.Context(), keys.JobPrefix(trial.Job)) {
			if err != nil {
				l.Fatal(err)
			}
			if strings.Contains(e.Key, "/checkpoints/") {
				have[trial.Job] = true
			}
		}
	}
	return len(have)
}

// Whatever order trials end in, and wherever steps are cut off, trials, scores and
// winner are the same. Kills are storage that refuses everything from one
// operation on, until the next step.
func TestTimingChangesNothing(t *testing.T) {
	l := newLab(t, 1)
	want := outcomeOf(l.run(l.begin(asha).ID))
	seeds := uint64(4)
	if testing.Short() {
		seeds = 1
	}
	for seed := range seeds {
		l := newLab(t, seed)
		id := l.begin(asha).ID
		killed := 0
		for range 5000 {
			whole := l.stepper.Bucket
			if l.rng.IntN(3) == 0 {
				left := l.rng.IntN(40)
				faulty := &storagetest.Faulty{Bucket: l.bucket, Fail: func(int, string, string) storagetest.Fault {
					if left--; left < 0 {
						return storagetest.Refused
					}
					return storagetest.None
				}}
				mortal := *l.stepper
				mortal.Bucket, mortal.Jobs, mortal.Store = faulty, records.New(faulty), searches.NewStore(faulty)
				if err := mortal.Step(t.Context(), id); err != nil {
					killed++
				}
			}
			if l.rng.IntN(2) == 0 {
				l.step(id)
			}
			l.stepper.Bucket = whole
			if !l.work() && l.search(id).State.Ended() {
				break
			}
		}
		l.step(id)
		l.step(id)
		s := l.search(id)
		if got := outcomeOf(s); !reflect.DeepEqual(got, want) {
			t.Errorf("seed %d: %+v\nwant %+v", seed, got, want)
		}
		if killed < 10 {
			t.Errorf("only %d steps were cut off", killed)
		}
		if n := l.checkpoints(s); n != 5 {
			t.Errorf("%d trials have checkpoints, want the best 5", n)
		}
		if page, err := l.jobs.Jobs(t.Context(), jobs.Filter{Limit: 100, Trials: true}); err != nil || len(page.Jobs) != 27 {
			t.Errorf("%d jobs, %v", len(page.Jobs), err)
		}
	}
}

// TPE proposes in batches that wait for all before them, so that it does not depend
// on timing either, and finds better settings than its first, random trials.
func TestTPE(t *testing.T) {
	body := strings.Replace(strings.Replace(asha, `"asha"`, `"tpe"`, 1), `"batch_size": {"choice": [1, 2]}`, `"batch_size": {"int": [1, 4]}`, 1)
	l := newLab(t, 1)
	s := l.run(l.begin(body).ID)
	want := outcomeOf(s)
	if s.State != jobs.Succeeded || len(s.Trials) != 27 || s.Best.Trial < 10 {
		t.Errorf("the search is %s, its best %+v", s.State, s.Best)
	}
	l = newLab(t, 9)
	if got := outcomeOf(l.run(l.begin(body).ID)); !reflect.DeepEqual(got, want) {
		t.Errorf("in another order: %+v\nwant %+v", got, want)
	}
}

// Trials with equal settings share one job.
func TestEqualSettings(t *testing.T) {
	l := newLab(t, 1)
	s := l.run(l.begin(`{"job": {"dataset": "x", "epochs": 9, "kfolds": 2, "prediction_columns": ["Tg"], "publish": null}, "max_trials": 12, "train_best": false,
		"method": "random", "space": {"model.atom_features": {"choice": [64, 128]}, "batch_size": {"choice": [1, 2]}}}`).ID)
	ids := map[string]bool{}
	for _, trial := range s.Trials {
		ids[trial.Job] = true
		if first := slices.IndexFunc(s.Trials, func(o searches.Trial) bool { return reflect.DeepEqual(o.At, trial.At) }); s.Trials[first].Job != trial.Job {
			t.Errorf("trials %d and %d are equal and have two jobs", first, trial.Index)
		}
		if trial.Status != searches.TrialSucceeded || len(trial.Scores) != 1 {
			t.Errorf("trial %d: %+v", trial.Index, trial)
		}
	}
	if len(ids) > 4 || l.epochs != 2*9*len(ids) {
		t.Errorf("%d jobs trained %d epochs for 4 settings", len(ids), l.epochs)
	}
}

// A trial that fails loses and ends nothing; a search in which all fail has failed,
// and says why.
func TestFailedTrials(t *testing.T) {
	l := newLab(t, 1)
	l.fails = func(t *jobs.Trial) bool { return t.Index%2 == 0 }
	s := l.run(l.begin(asha).ID)
	if s.State != jobs.Succeeded || s.Best.Trial%2 == 0 || s.Trials[0].Status != searches.TrialFailed || s.Trials[0].Failure == "" {
		t.Errorf("the search is %s, its best %+v, trial 0 %+v", s.State, s.Best, s.Trials[0])
	}
	l = newLab(t, 1)
	l.fails = func(t *jobs.Trial) bool { return true }
	if s = l.run(l.begin(asha).ID); s.State != jobs.Failed || !strings.Contains(s.Failure.Detail, "the loss exploded") {
		t.Errorf("the search is %s: %+v", s.State, s.Failure)
	}
}

// The best settings are trained in full by a job of their own, whose hold-out and
// publication are those that the search's job states.
func TestTrainBest(t *testing.T) {
	l := newLab(t, 1)
	s := l.begin(strings.Replace(asha, `"train_best": false`, `"train_best": true`, 1))
	s = l.run(s.ID)
	if s.State != jobs.Succeeded || s.Final == "" {
		t.Fatalf("the search is %s (%+v)", s.State, s.Failure)
	}
	j, err := l.jobs.Job(t.Context(), s.Final)
	if err != nil {
		t.Fatal(err)
	}
	if j.State != jobs.Succeeded || j.Trial != nil || j.Spec.Holdout != nil || fmt.Sprint(j.Spec.LearningRate) != string(s.Trials[s.Best.Trial].Values["learning_rate"]) {
		t.Errorf("the final job: %+v", j)
	}
}

// A search that has cost what it may pauses with its trials, and goes on with a
// larger budget.
func TestBudget(t *testing.T) {
	l := newLab(t, 1)
	l.usd = 1
	id := l.begin(strings.Replace(asha, `"seed": 5`, `"seed": 5, "max_cost_usd": 20`, 1)).ID
	s := l.run(id)
	if _, usd := s.Spent(); s.State != jobs.Paused || s.Reason != "budget" || usd < 20 || usd > 40 {
		t.Fatalf("the search is %s (%s) after %v USD", s.State, s.Reason, usd)
	}
	if l.work() {
		t.Error("trials go on while the search is paused")
	}
	if _, err := l.store.Update(t.Context(), id, func(s *searches.Search) error {
		more := 1000.0
		s.Spec.MaxUSD = &more
		return s.Resume(l.clock)
	}); err != nil {
		t.Fatal(err)
	}
	if s := l.run(id); s.State != jobs.Succeeded || s.Best == nil {
		t.Errorf("resumed, the search is %s", s.State)
	}
}

// A search whose time is over stops its trials and takes the best of what there is.
func TestTime(t *testing.T) {
	l := newLab(t, 1)
	id := l.begin(strings.Replace(asha, `"seed": 5`, `"seed": 5, "max_hours": 2`, 1)).ID
	l.step(id)
	for range 27 * 3 {
		l.work()
	}
	l.step(id)
	trained := l.epochs
	l.clock = noon.Add(3 * time.Hour)
	if s := l.run(id); s.State != jobs.Succeeded || s.Best == nil || l.epochs != trained {
		t.Errorf("the search is %s, its best %+v, and %d epochs came after its time", s.State, s.Best, l.epochs-trained)
	}
}

// A cancelled search takes its trials with it, and can be deleted with them.
func TestCancelAndDelete(t *testing.T) {
	l := newLab(t, 1)
	id := l.begin(asha).ID
	l.step(id)
	for range 20 {
		l.work()
	}
	if err := l.stepper.Delete(t.Context(), id); jobs.ErrorCode(err) != jobs.Conflict {
		t.Errorf("deleting an active search: %v", err)
	}
	if _, err := l.store.Update(t.Context(), id, func(s *searches.Search) error { return s.Cancel(l.clock) }); err != nil {
		t.Fatal(err)
	}
	s := l.run(id)
	for _, trial := range s.Trials {
		if j, err := l.jobs.Job(t.Context(), trial.Job); err != nil || !j.State.Ended() || trial.Status != searches.TrialCancelled {
			t.Errorf("trial %d is %s", trial.Index, trial.Status)
		}
	}
	if err := l.stepper.Delete(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	for e, err := range l.bucket.List(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(e.Key, "search") || strings.HasSuffix(e.Key, "job.json") {
			t.Errorf("%s is left", e.Key)
		}
	}
}

// Paused, no trial goes on; resumed, the outcome is the same.
func TestPause(t *testing.T) {
	l := newLab(t, 1)
	want := outcomeOf(l.run(l.begin(asha).ID))
	l = newLab(t, 2)
	id := l.begin(asha).ID
	for _, works := range []int{5, 40, 60} {
		l.step(id)
		for range works {
			l.work()
			l.step(id)
		}
		if _, err := l.store.Update(t.Context(), id, func(s *searches.Search) error { return s.Pause(l.clock, "requested") }); err != nil {
			t.Fatal(err)
		}
		l.step(id)
		l.step(id)
		if l.work() {
			t.Error("trials go on while the search is paused")
		}
		if _, err := l.store.Update(t.Context(), id, func(s *searches.Search) error { return s.Resume(l.clock) }); err != nil {
			t.Fatal(err)
		}
	}
	if got := outcomeOf(l.run(id)); !reflect.DeepEqual(got, want) {
		t.Errorf("paused and resumed: %+v\nwant %+v", got, want)
	}
}

// TestReadSpec names every problem of a body at once.
func TestReadSpec(t *testing.T) {
	_, problems := searches.ReadSpec([]byte(`{"space": {"learning_rate": {"log": [-1, 1]}}, "method": "grid", "max_trials": 0, "max_hours": -1, "max_cost_usd": 0,
		"objective": {"metric": "r2"}, "reduction_factor": 1, "trials": 3, "seed": "one"}`))
	var at []string
	for _, p := range problems {
		at = append(at, p.Pointer)
	}
	slices.Sort(at)
	want := []string{"/job", "/max_cost_usd", "/max_hours", "/max_trials", "/method", "/objective/metric", "/reduction_factor", "/seed", "/space/learning_rate/log/0", "/trials"}
	if !slices.Equal(at, want) {
		t.Errorf("problems at %v, want %v", at, want)
	}
}

// tasks is a jobs.Queue that remembers.
type tasks struct {
	mu   sync.Mutex
	held []jobs.Task
}

func (q *tasks) Enqueue(_ context.Context, t jobs.Task) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.held = append(q.held, t)
	return nil
}

// A search owes webhooks of the events that were asked for: frozen as they happened,
// offered until they are delivered, and only then is the search let alone.
func TestWebhooks(t *testing.T) {
	l := newLab(t, 1)
	q := &tasks{}
	l.stepper.Queue, l.stepper.Leases = q, &lease.Observer{}
	id := l.begin(strings.Replace(asha, `"seed": 5`, `"seed": 5, "webhook": {"url": "https://example.org", "events": ["search.succeeded"]}`, 1)).ID
	s := l.run(id)
	l.step(id)
	if s.State != jobs.Succeeded || len(s.Deliveries) != 1 {
		t.Fatalf("the search is %s and owes %+v", s.State, s.Deliveries)
	}
	hooks := searches.Hooks{Jobs: l.jobs, Searches: l.store}
	body, err := hooks.WebhookBody(t.Context(), id, s.Deliveries[0].WebhookID)
	var hook struct {
		Type string
		Data searches.View
	}
	if err != nil || json.Unmarshal(body, &hook) != nil || hook.Type != "search.succeeded" || hook.Data.ID != id || hook.Data.Status != jobs.Succeeded || hook.Data.Best == nil {
		t.Errorf("the body is %s, %v", body, err)
	}
	if !slices.ContainsFunc(q.held, func(task jobs.Task) bool { return task.Kind == jobs.Notify && task.Job == id }) {
		t.Error("nobody is asked to deliver it")
	}
	if ids, err := l.store.Active(t.Context()); err != nil || len(ids) != 1 {
		t.Errorf("active while it is owed: %v, %v", ids, err)
	}
	if _, err := hooks.UpdateJob(t.Context(), id, func(j *jobs.Job) error {
		j.Deliveries[0].Delivered, j.Deliveries[0].NextAttemptAt = true, nil
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	l.step(id)
	if ids, err := l.store.Active(t.Context()); err != nil || len(ids) != 0 {
		t.Errorf("active after it: %v, %v", ids, err)
	}
}
