package jobs_test

import (
	"encoding/json"
	"errors"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"polyid-trainer/data"
	"polyid-trainer/jobs"
	"polyid-trainer/jobs/lease"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

func newJob(t *testing.T) *jobs.Job {
	t.Helper()
	spec := jobs.DefaultSpec()
	spec.Dataset = data.Names{"stereopolymer_input_nopush"}
	spec.Webhook = &jobs.Webhook{URL: "https://example.org/hook", Events: []jobs.EventType{jobs.EventSucceeded, jobs.EventFailed}}
	j, err := jobs.New(noon, "tester", spec)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

func types(j *jobs.Job) []jobs.EventType {
	var all []jobs.EventType
	for i, e := range j.Events {
		if e.Seq != i+1 || e.ID == "" || e.Time.IsZero() {
			return []jobs.EventType{"event is incomplete"}
		}
		all = append(all, e.Type)
	}
	return all
}

// through makes moves that must succeed, each twice as a redelivered stage does.
func through(t *testing.T, moves ...func() error) {
	t.Helper()
	for i, move := range moves {
		for range 2 {
			if err := move(); err != nil {
				t.Fatalf("move %d: %v", i, err)
			}
		}
	}
}

func TestLife(t *testing.T) {
	j := newJob(t)
	through(t,
		func() error { return j.Start(noon) },
		func() error { return j.Train(jobs.Prepared{Rows: 9}, nil) },
		func() error { return j.Finalize(noon) },
		func() error { return j.Advance(jobs.Publishing, "") },
		func() error { return j.Succeed(noon) },
	)
	want := []jobs.EventType{jobs.EventCreated, jobs.EventStarted, jobs.EventFinalizing, jobs.EventSucceeded}
	if have := types(j); !slices.Equal(have, want) {
		t.Errorf("events %v, want %v", have, want)
	}
	if len(j.Deliveries) != 1 || j.Deliveries[0].Event != 4 || j.Deliveries[0].WebhookID != j.Events[3].ID || !j.Owes() {
		t.Errorf("deliveries %+v, want one for the last event", j.Deliveries)
	}
	if !j.FinishedAt.Equal(noon) || !j.StartedAt.Equal(noon) {
		t.Errorf("started %v, finished %v", j.StartedAt, j.FinishedAt)
	}
}

// Every pair of states, against the picture in the package comment.
func TestAdvance(t *testing.T) {
	all := []jobs.State{jobs.Queued, jobs.Preparing, jobs.Training, jobs.Finalizing, jobs.Publishing,
		jobs.Succeeded, jobs.Failed, jobs.Cancelled, jobs.Paused}
	lawful := map[jobs.State]string{
		jobs.Queued:     "preparing failed cancelled paused",
		jobs.Preparing:  "training failed cancelled paused",
		jobs.Training:   "finalizing failed cancelled paused",
		jobs.Finalizing: "publishing succeeded failed cancelled paused",
		jobs.Publishing: "succeeded failed cancelled paused",
		jobs.Succeeded:  "publishing",
		jobs.Failed:     "training",
		jobs.Paused:     "training failed cancelled",
		jobs.Cancelled:  "",
	}
	for _, from := range all {
		for _, to := range all {
			j := &jobs.Job{State: from, Left: jobs.Training}
			err := j.Advance(to, "why")
			want := from == to || slices.Contains(strings.Fields(lawful[from]), string(to))
			if (err == nil) != want {
				t.Errorf("%s → %s: %v, lawful %v", from, to, err, want)
			}
			if err != nil && (jobs.ErrorCode(err) != jobs.Conflict || j.State != from) {
				t.Errorf("%s → %s refused with code %q, now %s", from, to, jobs.ErrorCode(err), j.State)
			}
		}
	}
}

func TestPauseResume(t *testing.T) {
	j := newJob(t)
	through(t,
		func() error { return j.Start(noon) },
		func() error { return j.Train(jobs.Prepared{}, nil) },
		func() error { return j.Pause(noon, "budget") },
	)
	if j.State != jobs.Paused || j.Reason != "budget" || j.Left != jobs.Training {
		t.Fatalf("paused job is %s (%s), left %s", j.State, j.Reason, j.Left)
	}
	through(t, j.Resume)
	if j.State != jobs.Training || j.Stage.Attempt != 1 || j.Left != "" {
		t.Errorf("resumed job is %s, attempt %d, left %q", j.State, j.Stage.Attempt, j.Left)
	}
	through(t, func() error { return j.Fail(noon, jobs.Failure{Code: "nan_loss", Detail: "x"}) })
	through(t, j.Resume)
	if j.State != jobs.Training || j.Failure != nil || !j.FinishedAt.IsZero() {
		t.Errorf("resumed job is %s with failure %v, finished %v", j.State, j.Failure, j.FinishedAt)
	}
	through(t, func() error { return j.Cancel(noon) })
	if err := j.Resume(); jobs.ErrorCode(err) != jobs.Conflict {
		t.Errorf("resuming a cancelled job: %v, want a conflict", err)
	}
}

// A job's events end before its record grows past what can be read back: however
// often folds are resumed, and however often the job is.
func TestEventsAreBounded(t *testing.T) {
	j := newJob(t)
	j.Spec.Webhook = &jobs.Webhook{URL: "https://example.org"}
	through(t, func() error { return j.Start(noon) }, func() error { return j.Train(jobs.Prepared{}, nil) })
	f := &jobs.Fold{}
	f.Attempt, f.Worker = 1, strings.Repeat("w", 200)
	for range 100_000 {
		f.Attempt++
		through(t, func() error { return j.FoldClaimed(noon, f) })
	}
	resumed := 0
	for ; resumed < 100_000; resumed++ {
		through(t, func() error { return j.Pause(noon, "requested") })
		if err := j.Resume(); jobs.ErrorCode(err) == jobs.Conflict {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if j.State != jobs.Paused || resumed > 5000 {
		t.Errorf("after %d times the job is %s", resumed, j.State)
	}
	through(t, func() error { return j.Cancel(noon) }) // it can still end
	for i := range j.Deliveries {
		j.Deliveries[i].Attempts = make([]jobs.Attempt, 20)
		for k := range j.Deliveries[i].Attempts {
			j.Deliveries[i].Attempts[k] = jobs.Attempt{Time: noon, Error: "the receiver's certificate is not valid for this name"}
		}
	}
	body, err := json.Marshal(j)
	if err != nil || len(body) > 16<<20 {
		t.Errorf("%d events make a record of %d bytes, %v", len(j.Events), len(body), err)
	}
}

// Once the commit has begun nothing stops the job.
func TestCommitting(t *testing.T) {
	j := newJob(t)
	j.State, j.Committing = jobs.Publishing, true
	for name, stop := range map[string]func() error{
		"cancel": func() error { return j.Cancel(noon) },
		"pause":  func() error { return j.Pause(noon, "requested") },
	} {
		if err := stop(); jobs.ErrorCode(err) != jobs.Conflict || j.State != jobs.Publishing {
			t.Errorf("%s while committing: %v, job is %s", name, err, j.State)
		}
	}
}

// A training that is done may be published again; nothing else may.
func TestRepublish(t *testing.T) {
	here, there := jobs.Destination{Repo: "a/b", Branch: "main"}, jobs.Destination{Repo: "a/c", Branch: "main"}
	for name, c := range map[string]struct {
		state, left jobs.State
		ok          bool
	}{
		"succeeded":         {jobs.Succeeded, "", true},
		"failed publishing": {jobs.Failed, jobs.Publishing, true},
		"failed training":   {jobs.Failed, jobs.Training, false},
		"training":          {jobs.Training, "", false},
		"finalizing":        {jobs.Finalizing, "", false},
		"cancelled":         {jobs.Cancelled, "", false},
		"paused publishing": {jobs.Paused, jobs.Publishing, false},
	} {
		j := newJob(t)
		j.State, j.Left, j.FinishedAt = c.state, c.left, noon
		err := j.Republish(here)
		switch {
		case c.ok && (err != nil || j.State != jobs.Publishing || j.Spec.Publish.Repo != "a/b" || !j.FinishedAt.IsZero() || j.Stage.Attempt != 1):
			t.Errorf("%s: %v, job %s to %+v", name, err, j.State, j.Spec.Publish)
		case !c.ok && (jobs.ErrorCode(err) != jobs.Conflict || j.State != c.state):
			t.Errorf("%s: %v, want a conflict", name, err)
		}
	}
	j := newJob(t)
	j.State = jobs.Succeeded
	through(t, func() error { return j.Republish(here) })
	if err := j.Republish(there); jobs.ErrorCode(err) != jobs.Conflict {
		t.Errorf("elsewhere meanwhile: %v, want a conflict", err)
	}
}

// holder is a worker's claim.
func holder() *lease.Holder { return lease.NewHolder(lease.Terms{}, slog.New(slog.DiscardHandler)) }

func TestClaim(t *testing.T) {
	f := &jobs.Fold{Status: jobs.FoldQueued}
	a, b, c := holder(), holder(), holder()
	if err := f.Claim(noon, a, "a:1", 0); err != nil {
		t.Fatal(err)
	}
	if err := f.Claim(noon.Add(time.Hour), b, "b:1", 0); !lease.IsHeld(err) {
		t.Errorf("claiming a held fold: %v, want a HeldError", err)
	}
	seen := f.Lease
	f.Checkpointed(&jobs.Checkpoint{Epoch: 7})
	if err := f.LoseWorker(&seen); err != nil || f.Status != jobs.FoldQueued || f.Losses != 1 {
		t.Errorf("the first worker dies: %v, %+v", err, f)
	}
	if err := f.Claim(noon, b, "b:1", 0); err != nil || f.Attempt != 2 || f.ResumedFrom != 7 || f.Losses != 1 {
		t.Errorf("claiming after that: %v, attempt %d from epoch %d", err, f.Attempt, f.ResumedFrom)
	}
	// The first worker wakes up.
	if err := a.Renew(&f.Lease, noon); !errors.Is(err, jobs.ErrLost) {
		t.Errorf("a zombie renews: %v, want ErrLost", err)
	}
	if err := f.Finish(a.Token, &jobs.FoldResult{}); !errors.Is(err, jobs.ErrLost) || f.Status != jobs.FoldRunning || f.Result != nil {
		t.Errorf("a zombie finishes: %v, fold %s", err, f.Status)
	}
	if err := f.Finish(b.Token, &jobs.FoldResult{}); err != nil || f.Status != jobs.FoldSucceeded || f.Losses != 0 {
		t.Fatalf("finishing: %v, %+v", err, f)
	}
	if err := f.Claim(noon, c, "c:1", 0); jobs.ErrorCode(err) != jobs.Conflict {
		t.Errorf("claiming a finished fold: %v, want a conflict", err)
	}
}

func TestUsage(t *testing.T) {
	f := &jobs.Fold{Lease: lease.Lease{Worker: "a:1"}}
	f.Charge(noon, 30*time.Minute, 4)
	f.Charge(noon, 0, 4)
	f.Charge(noon, 30*time.Minute, 4)
	f.Worker = "b:1"
	f.Charge(noon.AddDate(0, 1, 0), time.Hour, 2)
	want := []jobs.Usage{{Month: "2026-01", Worker: "a:1", Seconds: 3600, USD: 4}, {Month: "2026-02", Worker: "b:1", Seconds: 3600, USD: 2}}
	if !slices.Equal(f.Usage, want) {
		t.Errorf("usage %+v, want %+v", f.Usage, want)
	}
	if s, usd := f.Spent(); s != 7200 || usd != 6 {
		t.Errorf("spent %v s and %v USD", s, usd)
	}
}

// A fold that failed waits until its job is resumed, and is then counted anew.
func TestFailedFold(t *testing.T) {
	f := &jobs.Fold{Status: jobs.FoldFailed, Lease: lease.Lease{Attempt: 5, Failures: 5, Losses: 1, LastError: "away"}}
	j := newJob(t)
	j.State = jobs.Training
	if tasks := jobs.Needed(noon, j, []*jobs.Fold{f}); len(tasks) != 1 || tasks[0].Kind != jobs.TrainFold {
		t.Errorf("needed: %+v", tasks)
	}
	if err := f.Claim(noon, holder(), "a:1", 0); err != nil || f.Failures != 0 || f.LastError != "" || f.Status != jobs.FoldRunning {
		t.Errorf("claimed again: %v, %+v", err, f)
	}
	// So are its sisters, whatever they went through.
	g := &jobs.Fold{Status: jobs.FoldQueued, Resumption: 1, Lease: lease.Lease{Failures: 4, Losses: 9}}
	if err := g.Claim(noon, holder(), "a:1", 1); err != nil || g.Failures != 4 || g.Losses != 9 {
		t.Errorf("claimed in the same resumption: %v, %+v", err, g)
	}
	g.Token = ""
	if err := g.Claim(noon, holder(), "a:1", 2); err != nil || g.Failures != 0 || g.Losses != 0 {
		t.Errorf("claimed after the job was resumed: %v, %+v", err, g)
	}
}

// The end of a fold is recorded once, whoever notices it.
func TestFoldFinishedOnce(t *testing.T) {
	j := newJob(t)
	j.State = jobs.Training
	for _, i := range []int{0, 1, 0, 1} {
		f := &jobs.Fold{Index: i, Status: jobs.FoldSucceeded, Result: &jobs.FoldResult{Epochs: 3, BestEpoch: 2}}
		if err := j.FoldFinished(noon, f); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(j.Events); n != 3 { // created, and two folds
		t.Errorf("%d events: %v", n, types(j))
	}
}

func TestNeeded(t *testing.T) {
	ids := func(j *jobs.Job, folds ...*jobs.Fold) string {
		var all []string
		for _, task := range jobs.Needed(noon, j, folds) {
			all = append(all, strings.TrimPrefix(task.ID(), j.ID+":"))
		}
		return strings.Join(all, " ")
	}
	held := &jobs.Fold{Index: 0, Status: jobs.FoldRunning, Lease: lease.Lease{Token: "t", Attempt: 1, Until: noon.Add(-time.Hour)}}
	failed := &jobs.Fold{Index: 1, Status: jobs.FoldQueued, Lease: lease.Lease{Attempt: 3, Failures: 1, Wait: 5}}
	waiting := &jobs.Fold{Index: 2, Status: jobs.FoldPaused, Lease: lease.Lease{Attempt: 1}}
	done := &jobs.Fold{Index: 3, Status: jobs.FoldSucceeded, Lease: lease.Lease{Attempt: 1}}
	past, future := noon.Add(-time.Minute), noon.Add(time.Minute)
	for _, c := range []struct {
		name  string
		state jobs.State
		folds []*jobs.Fold
		owed  *time.Time
		want  string
	}{
		{"queued", jobs.Queued, nil, nil, "prepare:0"},
		{"preparing", jobs.Preparing, nil, nil, "prepare:0"},
		{"training", jobs.Training, []*jobs.Fold{held, failed, waiting, done}, nil, "fold:2:1"},
		{"trained", jobs.Training, []*jobs.Fold{done, done}, nil, "finalize:0"},
		{"no folds yet", jobs.Training, nil, nil, ""},
		{"finalizing", jobs.Finalizing, nil, nil, "finalize:0"},
		{"publishing", jobs.Publishing, nil, nil, "publish:0"},
		{"publishing somewhere", jobs.Publishing, nil, nil, ""},
		{"paused", jobs.Paused, nil, nil, ""},
		{"succeeded", jobs.Succeeded, nil, nil, ""},
		{"owes a webhook", jobs.Succeeded, nil, &past, "notify:256"},
		{"owes one later", jobs.Succeeded, nil, &future, ""},
	} {
		j := newJob(t)
		j.State = c.state
		if c.name == "publishing somewhere" {
			j.Stage = lease.Lease{Token: "t"}
		}
		if c.owed != nil {
			j.Deliveries = []jobs.Delivery{{Event: 1, NextAttemptAt: c.owed}}
		}
		if have := ids(j, c.folds...); have != c.want {
			t.Errorf("%s: %q, want %q", c.name, have, c.want)
		}
	}
}

func TestIDs(t *testing.T) {
	a, b := jobs.NewID(jobs.TrainingJobPrefix), jobs.NewID(jobs.TrainingJobPrefix)
	if a == b || !jobs.ValidID(jobs.TrainingJobPrefix, a) {
		t.Errorf("ids %s, %s", a, b)
	}
	for _, bad := range []string{"", "tj_", "pj_" + a[3:], a + "x", "tj_../../etc/passwd/aaaaaaaaa", strings.ToUpper(a), "tj_" + strings.Repeat("z", 26)} {
		if jobs.ValidID(jobs.TrainingJobPrefix, bad) {
			t.Errorf("%q is taken for an id", bad)
		}
	}
}

func TestReadSpec(t *testing.T) {
	s, err := jobs.ReadSpec(strings.NewReader(`{"dataset": "x"}`))
	if err != nil || len(s.Problems()) > 0 {
		t.Fatalf("the shortest job: %v, problems %v", err, s.Problems())
	}
	// What API.md shows as the defaults.
	if s.KFolds != 5 || s.Epochs != 500 || s.BatchSize != 1 || s.LearningRate != 1e-4 || s.Decay != 1e-5 || s.Model.MolFeatures != 8 ||
		s.Model.NumMessages != 12 || s.Model.Dropout != 0.05 || s.Publish == nil || s.Publish.Branch != "main" {
		t.Errorf("defaults are %+v", s)
	}
	b, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	again, err := jobs.ReadSpec(strings.NewReader(string(b)))
	if err != nil {
		t.Fatalf("reading back %s: %v", b, err)
	}
	if c, _ := json.Marshal(again); string(c) != string(b) {
		t.Errorf("read back as %s, was %s", c, b)
	}
	if s, err := jobs.ReadSpec(strings.NewReader(`{"dataset": ["a", "b"], "publish": null, "decay": 0}`)); err != nil || len(s.Dataset) != 2 || s.Publish != nil || s.Decay != 0 {
		t.Errorf("explicit nulls and zeros: %+v, %v", s, err)
	}
	for _, bad := range []string{``, `[]`, `{"dataset": "x", "epocs": 5}`, `{"dataset": 3}`, `{"dataset": "x"} {}`} {
		if _, err := jobs.ReadSpec(strings.NewReader(bad)); err == nil {
			t.Errorf("%s was read", bad)
		}
	}
}

// All that is wrong is reported at once.
func TestProblems(t *testing.T) {
	s, err := jobs.ReadSpec(strings.NewReader(`{"kfolds": 1, "epochs": -3, "learning_rate": 7, "model": {"mol_features": -1},
		"features": {"atom": "nope"}, "chains": {"dp": -2, "max_heavy_atoms": 5000, "replicates": 1000},
		"average_weights": 1, "clip_norm": -1, "validate_every": -2, "publish": {"repo": "no-slash", "tag": "1.0"}, "webhook": {"url": "ftp://x", "events": ["training_job.epoch"]},
		"max_cost_usd": -1}`))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"/average_weights", "/chains/dp", "/chains/max_heavy_atoms", "/chains/replicates", "/clip_norm", "/dataset", "/epochs", "/features/atom", "/kfolds", "/learning_rate", "/max_cost_usd", "/model/mol_features",
		"/publish/repo", "/publish/tag", "/validate_every", "/webhook/events/0", "/webhook/url"}
	var have []string
	for _, p := range s.Problems() {
		have = append(have, p.Pointer)
	}
	slices.Sort(have)
	if !slices.Equal(have, want) {
		t.Errorf("problems at %v, want %v (%+v)", have, want, s.Problems())
	}
}

func TestRecipes(t *testing.T) {
	read := func(body string) jobs.Spec {
		t.Helper()
		s, err := jobs.ReadSpec(strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		if p := s.Problems(); len(p) > 0 {
			t.Fatalf("%s: %v", body, p)
		}
		return s
	}
	plain, named := read(`{"dataset":"x"}`), read(`{"dataset":"x","recipe":"polyid"}`)
	if !reflect.DeepEqual(plain, named) || plain.Stack != nil || plain.Epochs != 500 {
		t.Errorf("the default is not PolyID's training: %+v", plain)
	}
	accurate := read(`{"dataset":"x","recipe":"accurate","model":{"num_messages":3},"epochs":7}`)
	if accurate.Stack == nil || accurate.Intervals.Method != "local" || !accurate.Chains.Periodic {
		t.Errorf("the accurate recipe is not applied: %+v", accurate)
	}
	if accurate.Epochs != 7 || accurate.Model.NumMessages != 3 || accurate.Model.AtomFeatures != 64 {
		t.Errorf("a stated field does not win, or takes others along: %+v", accurate)
	}
	if s := read(`{"dataset":"x","recipe":"accurate","stack":null,"intervals":{"method":"cv+"}}`); s.Stack != nil {
		t.Error("a stack that was declined is still there")
	}
	for body, want := range map[string]string{
		`{"dataset":"x","recipe":"best"}`:                  "/recipe",
		`{"dataset":"x","stack":{"members":["forest"]}}`:   "/stack/members/0",
		`{"dataset":"x","intervals":{"method":"local"}}`:   "/intervals/method",
		`{"dataset":"x","intervals":{"level":0.3}}`:        "/intervals/level",
		`{"dataset":"x","recipe":"accurate","stack":null}`: "/intervals/method",
	} {
		s, err := jobs.ReadSpec(strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		if p := s.Problems(); len(p) != 1 || p[0].Pointer != want {
			t.Errorf("%s: %v, want one problem at %s", body, p, want)
		}
	}
}
