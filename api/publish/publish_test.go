package publish_test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"polyid-trainer/api/publish"
	"polyid-trainer/data"
	"polyid-trainer/jobs"
	"polyid-trainer/jobs/lease"
	"polyid-trainer/jobs/records"
	"polyid-trainer/nn/cpu"
	"polyid-trainer/nn/ensemble"
	"polyid-trainer/nn/revision"
	"polyid-trainer/nn/revision/revisiontest"
	"polyid-trainer/nn/train"
	"polyid-trainer/storage"
	"polyid-trainer/storage/file"
	"polyid-trainer/storage/hub"
	"polyid-trainer/storage/hub/hubserver"
	"polyid-trainer/storage/storagetest"
	"polyid-trainer/worker/predict"
)

const repo = "polyid/polyid-models"

// bench is a Hub and a storage with records on it.
type bench struct {
	*testing.T
	url    string
	hub    *hub.Client
	bucket storage.Bucket
	store  *records.Store

	mu    sync.Mutex
	now   time.Time
	front func(w http.ResponseWriter, r *http.Request, next http.Handler) // stands before the Hub
}

func newBench(t *testing.T) *bench {
	t.Helper()
	h, err := hubserver.New(hubserver.Config{Dir: t.TempDir(), Prefix: "/hub"})
	if err != nil {
		t.Fatal(err)
	}
	bucket, err := file.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{T: t, bucket: bucket, store: records.New(bucket), now: time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b.mu.Lock()
		front := b.front
		b.mu.Unlock()
		if front != nil {
			front(w, r, h)
			return
		}
		h.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	b.url = s.URL + "/hub"
	b.hub = b.client()
	return b
}

func (b *bench) client() *hub.Client {
	b.Helper()
	c, err := hub.New(hub.Config{Endpoint: b.url, CacheDir: b.TempDir(), Retries: -1})
	if err != nil {
		b.Fatal(err)
	}
	return c
}

func (b *bench) setFront(front func(w http.ResponseWriter, r *http.Request, next http.Handler)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.front = front
}

func (b *bench) clock() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.now
}

func (b *bench) pass(d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.now = b.now.Add(d)
}

// queue takes every task and forgets it.
type queue struct{}

func (queue) Enqueue(context.Context, jobs.Task) error { return nil }

// publisher is a worker on the bench, whose leases expire by the bench's clock
// alone.
func (b *bench) publisher(name string) *publish.Publisher {
	return &publish.Publisher{
		Store: b.store, Queue: queue{}, Bucket: b.bucket, Hub: b.client(), Repo: repo, Worker: name, Log: slog.New(slog.DiscardHandler),
		Allow: func(string) bool { return true }, Now: b.clock,
		After: func(d time.Duration) <-chan time.Time {
			if d == time.Second { // waiting for a repository
				return time.After(time.Millisecond)
			}
			return nil
		},
	}
}

// job is a training that is to be published, with its files.
func (b *bench) job(files map[string][]byte, d jobs.Destination) *jobs.Job {
	b.Helper()
	spec := jobs.DefaultSpec()
	d.Promote = cmp.Or(d.Promote, jobs.PromoteAlways) // which revision is better is of promote_test.go
	spec.Dataset, spec.Publish = data.Names{"x"}, &d
	j, err := jobs.New(b.clock(), "tester", spec)
	if err != nil {
		b.Fatal(err)
	}
	if err := b.store.Create(b.Context(), j); err != nil {
		b.Fatal(err)
	}
	for path, body := range files {
		_, err := b.bucket.Put(b.Context(), "jobs/"+j.ID+"/model/"+path, strings.NewReader(string(body)), int64(len(body)), storage.Condition{})
		if err != nil {
			b.Fatal(err)
		}
	}
	return b.change(j.ID, func(j *jobs.Job) error {
		return errors.Join(j.Start(b.clock()), j.Train(jobs.Prepared{}, nil), j.Finalize(b.clock()), j.Advance(jobs.Publishing, ""))
	})
}

func (b *bench) change(id string, change func(*jobs.Job) error) *jobs.Job {
	b.Helper()
	j, err := b.store.UpdateJob(b.Context(), id, change)
	if err != nil {
		b.Fatal(err)
	}
	return j
}

func (b *bench) record(id string) *jobs.Job {
	b.Helper()
	return b.change(id, func(*jobs.Job) error { return nil })
}

// handle delivers a job to a publisher.
func (b *bench) handle(p *publish.Publisher, id string) error {
	return p.Handle(b.Context(), jobs.Task{Kind: jobs.Publish, Job: id})
}

// survivor is a publisher that waits for as long as it takes the leases of dead
// ones to be lost, which is no time by any clock but the bench's.
func (b *bench) survivor(name string) *publish.Publisher {
	p := b.publisher(name)
	p.After = func(d time.Duration) <-chan time.Time {
		if d != time.Second { // it does not renew
			return nil
		}
		b.pass(d)
		return time.After(0)
	}
	return p
}

// takeOver is what an observer does when a worker has died over a job.
func (b *bench) takeOver() {
	b.Helper()
	r := &jobs.Reconciler{Store: b.store, Queue: queue{}, Leases: &lease.Observer{}, Now: b.clock, Log: slog.New(slog.DiscardHandler)}
	if err := r.TakeOver(b.Context()); err != nil {
		b.Fatal(err)
	}
}

// published delivers a job and expects it to succeed.
func (b *bench) published(j *jobs.Job) *jobs.Publication {
	b.Helper()
	return b.publishedBy(b.publisher("a:1"), j)
}

func (b *bench) publishedBy(p *publish.Publisher, j *jobs.Job) *jobs.Publication {
	b.Helper()
	if err := b.handle(p, j.ID); err != nil {
		b.Fatal(err)
	}
	done := b.record(j.ID)
	if done.State != jobs.Succeeded || done.Committing || done.Published == nil || done.Stage.Token != "" {
		b.Fatalf("the job is %s (%+v)", done.State, done.Failure)
	}
	return done.Published
}

// head is the commit a branch or tag is at; "" if there is none.
func (b *bench) head(name string) string {
	b.Helper()
	refs, err := b.hub.Refs(b.Context(), repo)
	if errors.Is(err, hub.ErrRepoNotFound) {
		return ""
	}
	if err != nil {
		b.Fatal(err)
	}
	for _, r := range slices.Concat(refs.Branches, refs.Tags) {
		if r.Name == name {
			return r.Commit
		}
	}
	return ""
}

// commits counts a branch's commits by a job.
func (b *bench) commits(branch, job string) (n int) {
	b.Helper()
	log, err := b.hub.Log(b.Context(), repo, branch)
	if err != nil {
		b.Fatal(err)
	}
	for _, c := range log {
		if strings.Contains(c.Message, job) {
			n++
		}
	}
	return n
}

var tinies sync.Map

// tiny is the revision of a seed, made once, and its files.
func tiny(t *testing.T, seed uint64) (*revision.Revision, map[string][]byte) {
	t.Helper()
	made, _ := tinies.LoadOrStore(seed, sync.OnceValue(func() *revision.Revision { return revisiontest.Tiny(t, 2, seed) }))
	r := made.(func() *revision.Revision)()
	return r, revisiontest.TinyFiles(t, 2, seed)
}

// From a finalized job to a prediction: what is published is whole, is what was
// trained, and predicts as the ensemble does.
func TestPublish(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	r, files := tiny(t, 1)
	j := b.job(files, jobs.Destination{Tag: "v1.2.0"})
	p := b.published(j)
	if p.Repo != repo || p.Branch != "main" || p.Tag != "v1.2.0" || b.head("main") != p.Commit || b.head("v1.2.0") != p.Commit || !strings.HasPrefix(p.URL, b.url) {
		t.Errorf("published as %+v; main is at %s, the tag at %s", p, b.head("main"), b.head("v1.2.0"))
	}
	log, err := b.hub.Log(t.Context(), repo, "main")
	if err != nil || log[0].Title != "Trained models (2 epochs, 2 folds)" {
		t.Errorf("the commit says %+v, %v", log[0], err)
	}
	tree, err := b.hub.Tree(t.Context(), repo, "v1.2.0")
	if err != nil {
		t.Fatal(err)
	}
	there := map[string]bool{}
	for _, e := range tree {
		there[e.Path] = true
	}
	for path := range files {
		if !there[path] {
			t.Errorf("%s was not published", path)
		}
	}
	if !there["README.md"] {
		t.Error("there is no card")
	}
	var events []jobs.EventType
	for _, e := range b.record(j.ID).Events {
		events = append(events, e.Type)
	}
	if got := events[len(events)-2:]; got[0] != jobs.EventPublished || got[1] != jobs.EventSucceeded {
		t.Errorf("it ends with %v", got)
	}
	if m, err := b.hub.Model(t.Context(), repo, "main"); err != nil || !m.Private {
		t.Errorf("a new repository is %+v, %v; want it private", m, err)
	}

	models := predict.NewModels(predict.ModelsConfig{Hub: b.hub, NewEngine: cpu.New, Default: jobs.Revision{Repo: repo}, Log: slog.New(slog.DiscardHandler)})
	predictor := predict.New(predict.Config{Models: models, Log: slog.New(slog.DiscardHandler)})
	chain := r.Predictions[3].Polymer
	out, err := predictor.Answer(t.Context(), &predict.Request{Inputs: []predict.Input{{Polymer: chain}}})
	if err != nil {
		t.Fatal(err)
	}
	e, err := ensemble.New(r.Models, cpu.New, r.Calibration)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	g, err := e.Featurizer().Graph(chain)
	if err != nil {
		t.Fatal(err)
	}
	want, err := e.Predict(e.Plan(g))
	if err != nil {
		t.Fatal(err)
	}
	got := out.Results[0].Predictions["Tm"]
	if out.Model.Commit != p.Commit || float64(got.Mean) != want.Values[1].Mean || *got.Interval != [2]float64{want.Values[1].Interval.Low, want.Values[1].Interval.High} {
		t.Errorf("predicts %+v, the ensemble %+v", got, want.Values[1])
	}
}

// Delivered again, at any time, it changes nothing.
func TestDeliveredTwice(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	_, files := tiny(t, 1)
	j := b.job(files, jobs.Destination{Tag: "v1.0.0"})
	first := b.published(j)
	if again := b.published(j); *again != *first || b.commits("main", j.ID) != 1 {
		t.Errorf("delivered again it is %+v with %d commits", again, b.commits("main", j.ID))
	}
	// Two workers at once: one publishes.
	k := b.job(files, jobs.Destination{})
	var both sync.WaitGroup
	for i := range 2 {
		both.Go(func() {
			if err := b.handle(b.publisher(fmt.Sprint("w:", i)), k.ID); err != nil {
				t.Error(err)
			}
		})
	}
	both.Wait()
	if b.commits("main", k.ID) != 1 || b.record(k.ID).State != jobs.Succeeded {
		t.Errorf("%d commits, the job is %s", b.commits("main", k.ID), b.record(k.ID).State)
	}
}

// Killed at any request to the Hub, whether it was acted on or not, the next
// attempt ends with one commit and the tag on it.
func TestKilled(t *testing.T) {
	t.Parallel()
	_, files := tiny(t, 1)
	for _, acted := range []bool{false, true} {
		for at, ended := 1, false; !ended; at++ {
			b := newBench(t)
			j := b.job(files, jobs.Destination{Tag: "v1.0.0"})
			var calls atomic.Int32
			var dead atomic.Bool
			b.setFront(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
				if n := calls.Add(1); int(n) == at {
					dead.Store(true)
					if acted {
						next.ServeHTTP(httptest.NewRecorder(), r)
					}
				}
				if dead.Load() {
					panic(http.ErrAbortHandler)
				}
				next.ServeHTTP(w, r)
			})
			p := b.publisher("a:1")
			faulty := &storagetest.Faulty{Bucket: b.bucket, Fail: func(int, string, string) storagetest.Fault {
				if dead.Load() {
					return storagetest.Refused
				}
				return storagetest.None
			}}
			p.Bucket, p.Store = faulty, records.New(faulty)
			err := b.handle(p, j.ID)
			ended = !dead.Load()
			if !ended && err == nil {
				t.Fatalf("a dead publisher succeeded")
			}
			b.setFront(nil)
			b.takeOver()
			done := b.publishedBy(b.survivor("b:1"), j)
			if n := b.commits("main", j.ID); n != 1 || b.head("v1.0.0") != done.Commit || b.head("main") != done.Commit {
				t.Errorf("killed at request %d (acted on: %v): %d commits, main at %s, tag at %s, published %s", at, acted, n, b.head("main"), b.head("v1.0.0"), done.Commit)
			}
			if at > 40 {
				t.Fatal("it never ends")
			}
		}
	}
}

// Of two jobs that want one tag, one gets it; the other says so and has changed
// nothing. It can be published with another tag.
func TestTagRace(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	var all []*jobs.Job
	for seed := range uint64(3) {
		_, files := tiny(t, seed+1)
		all = append(all, b.job(files, jobs.Destination{Tag: "v1.0.0"}))
	}
	var group sync.WaitGroup
	for i, j := range all {
		group.Go(func() {
			if err := b.handle(b.publisher(fmt.Sprint("w:", i)), j.ID); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	won, losers := 0, []string(nil)
	for _, j := range all {
		j = b.record(j.ID)
		switch {
		case j.State == jobs.Succeeded:
			won++
			if j.Published.Commit != b.head("v1.0.0") || j.Published.Commit != b.head("main") {
				t.Errorf("the winner published %s, the tag is at %s, main at %s", j.Published.Commit, b.head("v1.0.0"), b.head("main"))
			}
		case j.State != jobs.Failed || j.Failure.Code != "tag_exists" || j.Left != jobs.Publishing || b.commits("main", j.ID) != 0:
			t.Errorf("a loser is %s: %+v, with %d commits", j.State, j.Failure, b.commits("main", j.ID))
		default:
			losers = append(losers, j.ID)
		}
	}
	if won != 1 {
		t.Errorf("%d jobs got the tag", won)
	}
	for i, id := range losers {
		tag := fmt.Sprintf("v1.%d.0", i+1)
		if p := b.published(b.change(id, func(j *jobs.Job) error { return j.Republish(jobs.Destination{Tag: tag}) })); p.Commit != b.head(tag) {
			t.Errorf("published again as %+v", p)
		}
	}
}

// Once the commit has begun it is too late to cancel; before, nothing is
// committed.
func TestCancel(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	_, files := tiny(t, 1)
	cancel := func(j *jobs.Job) error {
		_, err := b.store.UpdateJob(t.Context(), j.ID, func(j *jobs.Job) error { return j.Cancel(b.clock()) })
		return err
	}
	j := b.job(files, jobs.Destination{})
	var once sync.Once
	b.setFront(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if strings.Contains(r.URL.Path, "/commit/") {
			once.Do(func() {
				if err := cancel(j); jobs.ErrorCode(err) != jobs.Conflict {
					t.Errorf("cancelling while it is committed: %v", err)
				}
			})
		}
		next.ServeHTTP(w, r)
	})
	b.published(j)

	k := b.job(files, jobs.Destination{})
	b.setFront(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if strings.Contains(r.URL.Path, "/tree/") {
			if err := cancel(k); err != nil {
				t.Error(err)
			}
		}
		next.ServeHTTP(w, r)
	})
	if err := b.handle(b.publisher("a:1"), k.ID); err != nil {
		t.Error(err)
	}
	if s := b.record(k.ID).State; s != jobs.Cancelled || b.commits("main", k.ID) != 0 {
		t.Errorf("cancelled in time it is %s with %d commits", s, b.commits("main", k.ID))
	}
}

// A branch moves for a better revision only, on the same hold-out rows.
func TestIfBetter(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	// What a branch's name stands for may be answered from a cache, and be another
	// revision by then.
	b.setFront(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if strings.Contains(r.URL.Path, "/revision/main") {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		next.ServeHTTP(w, r)
	})
	r, files := tiny(t, 1)
	with := func(mae float64, id string) map[string][]byte {
		m := r.Metrics
		m.Holdout = revision.Scores{}
		for name, s := range r.Metrics.Holdout {
			s.MAE *= train.Measure(mae)
			m.Holdout[name] = s
		}
		m.HoldoutID = id
		body, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		changed := maps.Clone(files)
		changed[revision.MetricsPath] = body
		return changed
	}
	for _, x := range []struct {
		files  map[string][]byte
		how    jobs.Promote
		branch string
	}{
		{with(2, "x"), jobs.PromoteIfBetter, "main"}, // nothing is there yet
		{with(3, "x"), jobs.PromoteIfBetter, "candidates"},
		{with(1, "x"), jobs.PromoteIfBetter, "main"},
		{with(0.5, "other"), jobs.PromoteIfBetter, "candidates"},
		{with(1.1, "x"), jobs.PromoteIfNotWorse, "candidates"},
		{with(1, "x"), jobs.PromoteIfNotWorse, "main"},
		{with(9, "x"), jobs.PromoteAlways, "main"},
		{with(0.1, "x"), jobs.PromoteNever, "candidates"},
	} {
		before := b.head("main")
		p := b.published(b.job(x.files, jobs.Destination{Promote: x.how}))
		if (p.Reason != "") != (x.branch != "main") || p.Branch != x.branch || b.head(x.branch) != p.Commit || x.branch != "main" && b.head("main") != before {
			t.Errorf("published to %s, want %s", p.Branch, x.branch)
		}
	}
}

// A revision takes the place of the one before, and leaves what people put
// beside it.
func TestNothingMixed(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	if err := b.hub.CreateRepo(t.Context(), repo, false); err != nil {
		t.Fatal(err)
	}
	m := hub.Commit{Summary: "by hand"}
	for _, path := range []string{"LICENSE", "model_fold_4/model.safetensors", "parameters.pk", "docs/notes.md"} {
		m.Add = append(m.Add, hub.Bytes(path, []byte(path)))
	}
	if _, err := b.hub.Commit(t.Context(), repo, "main", m); err != nil {
		t.Fatal(err)
	}
	_, files := tiny(t, 1)
	b.published(b.job(files, jobs.Destination{}))
	for path, want := range map[string]bool{"LICENSE": true, "docs/notes.md": true, "model_fold_4/model.safetensors": false, "parameters.pk": false, "config.json": true} {
		if _, err := b.hub.Download(t.Context(), repo, "main", path, nil); (err == nil) != want {
			t.Errorf("%s: %v", path, err)
		}
	}
	if model, err := b.hub.Model(t.Context(), repo, "main"); err != nil || model.Private {
		t.Errorf("an existing repository is %+v, %v; want it as public as it was", model, err)
	}
}

// Somebody else's commit in between is not lost: the revision goes on top.
func TestOthersCommit(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	_, files := tiny(t, 1)
	other := b.client()
	var once sync.Once
	b.setFront(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if strings.Contains(r.URL.Path, "/preupload/") {
			once.Do(func() {
				b.setFront(nil)
				_, err := other.Commit(t.Context(), repo, "main", hub.Commit{Summary: "by hand", Add: []hub.File{hub.Bytes("NOTES.md", []byte("x"))}})
				if err != nil {
					t.Error(err)
				}
			})
		}
		next.ServeHTTP(w, r)
	})
	j := b.job(files, jobs.Destination{})
	b.published(j)
	if _, err := b.hub.Download(t.Context(), repo, "main", "NOTES.md", nil); err != nil {
		t.Errorf("the other commit's file: %v", err)
	}
	if n := b.commits("main", j.ID); n != 1 {
		t.Errorf("%d commits", n)
	}
}

// While the Hub is away the publication waits, longer each time, and fails in
// the end; the training is kept and can be published later, or elsewhere.
func TestHubAway(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	_, files := tiny(t, 1)
	j := b.job(files, jobs.Destination{})
	b.setFront(func(w http.ResponseWriter, _ *http.Request, _ http.Handler) { w.WriteHeader(http.StatusBadGateway) })
	p := b.publisher("a:1")
	var waited time.Duration
	for try := 1; try < jobs.PolicyOf(jobs.Publish).Failures; try++ {
		if err := b.handle(p, j.ID); err != nil {
			t.Fatal(err)
		}
		now := b.record(j.ID)
		if now.State != jobs.Publishing || now.Stage.Failures != try || len(jobs.Needed(b.clock(), now, nil)) != 0 {
			t.Fatalf("after try %d it is %s with %d failures", try, now.State, now.Stage.Failures)
		}
		waited += time.Duration(now.Stage.Wait * float64(time.Second))
	}
	if waited < 45*time.Minute {
		t.Errorf("it gives up after %s", waited)
	}
	if err := b.handle(p, j.ID); err != nil {
		t.Fatal(err)
	}
	if now := b.record(j.ID); now.State != jobs.Failed || now.Failure.Code != "hub_unavailable" || !strings.Contains(now.Failure.Detail, "tried 16 times") || now.Left != jobs.Publishing {
		t.Fatalf("in the end it is %s: %+v", now.State, now.Failure)
	}
	b.setFront(nil)
	b.change(j.ID, func(j *jobs.Job) error { return j.Republish(jobs.Destination{Repo: "other/place", Tag: "v2.0.0"}) })
	if p := b.published(j); p.Repo != "other/place" {
		t.Errorf("published to %+v", p)
	}
}

// A publication that always fails plainly ends after the stated number of times,
// with a reason; resumed once that is mended, it succeeds.
func TestGivesUp(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	_, files := tiny(t, 1)
	j := b.job(files, jobs.Destination{})
	p := b.publisher("a:1")
	p.Bucket = &storagetest.Faulty{Bucket: b.bucket, Fail: func(_ int, op, key string) storagetest.Fault {
		if op == "get" && strings.HasSuffix(key, "/model/config.json") {
			return storagetest.Refused
		}
		return storagetest.None
	}}
	most := jobs.PolicyOf(jobs.Publish).Failures
	for n := 1; n <= most; n++ {
		if err := b.handle(p, j.ID); err != nil {
			t.Fatal(err)
		}
		if now := b.record(j.ID); now.Stage.Failures != n || (now.State == jobs.Failed) != (n == most) || len(jobs.Needed(b.clock(), now, nil)) != 0 {
			t.Fatalf("after failure %d the job is %s: %+v", n, now.State, now.Stage)
		}
	}
	now := b.record(j.ID)
	for _, want := range []string{"publishing", fmt.Sprintf("failed %d times", most), storagetest.ErrFault.Error()} {
		if now.Failure.Code != "publish_failed" || !strings.Contains(now.Failure.Detail, want) || now.Left != jobs.Publishing {
			t.Errorf("the reason is %+v, which lacks %q", now.Failure, want)
		}
	}
	b.change(j.ID, (*jobs.Job).Resume)
	b.published(j)
}

// What no retry mends fails the job at once, with a reason.
func TestRefused(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	_, files := tiny(t, 1)
	_, others := tiny(t, 2)
	b.published(b.job(others, jobs.Destination{Tag: "v1.0.0"}))
	incomplete := map[string][]byte{"config.json": files["config.json"]}
	for name, x := range map[string]struct {
		files map[string][]byte
		to    jobs.Destination
		set   func(*publish.Publisher)
		code  string
	}{
		"not allowed": {files, jobs.Destination{Repo: "else/where"}, func(p *publish.Publisher) { p.Allow = nil }, "repo_forbidden"},
		"tag":         {files, jobs.Destination{Tag: "v1.0.0"}, func(*publish.Publisher) {}, "tag_exists"},
		"no files":    {incomplete, jobs.Destination{}, func(*publish.Publisher) {}, "no_revision"},
	} {
		before := b.head("main")
		j := b.job(x.files, x.to)
		p := b.publisher("a:1")
		x.set(p)
		if err := b.handle(p, j.ID); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if now := b.record(j.ID); now.State != jobs.Failed || now.Failure.Code != x.code || now.Left != jobs.Publishing || b.head("main") != before {
			t.Errorf("%s: the job is %s: %+v", name, now.State, now.Failure)
		}
	}
}

// Told to stop, it releases the job.
func TestStop(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	_, files := tiny(t, 1)
	j := b.job(files, jobs.Destination{})
	ctx, stop := context.WithCancel(t.Context())
	b.setFront(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		stop()
		<-r.Context().Done()
	})
	if err := b.publisher("a:1").Handle(ctx, jobs.Task{Kind: jobs.Publish, Job: j.ID}); err == nil {
		t.Error("it was published although told to stop")
	}
	b.setFront(nil)
	if now := b.record(j.ID); now.State != jobs.Publishing || now.Stage.Held() || now.Stage.Failures != 0 {
		t.Errorf("it is left as %s, %+v", now.State, now.Stage)
	}
	b.published(j)
}

func TestCheck(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	_, files := tiny(t, 1)
	p := b.publisher("a:1")
	check := func(d *jobs.Destination) ([]jobs.Problem, error) { return p.Check(t.Context(), d, "/publish") }
	for _, d := range []*jobs.Destination{nil, {}, {Tag: "v1.0.0"}} {
		if problems, err := check(d); problems != nil || err != nil {
			t.Errorf("%+v: %v, %v", d, problems, err)
		}
	}
	b.published(b.job(files, jobs.Destination{Tag: "v1.0.0"}))
	if problems, err := check(&jobs.Destination{Tag: "v1.0.0"}); err != nil || len(problems) != 1 || problems[0].Pointer != "/publish/tag" {
		t.Errorf("a tag that is taken: %v, %v", problems, err)
	}
	for pointer, ds := range map[string][]*jobs.Destination{
		"/publish/repo":   {{Repo: "acme/a--b"}, {Repo: "acme/x.git"}, {Repo: "datasets/x"}, {Repo: "api/x"}, {Repo: "acme"}},
		"/publish/branch": {{Branch: "refs/pr/1"}, {Branch: "x/"}, {Branch: "a//b"}, {Branch: "HEAD"}, {Branch: "v1.0.0"}},
	} {
		for _, d := range ds {
			if problems, err := check(d); err != nil || len(problems) != 1 || problems[0].Pointer != pointer || !strings.Contains(problems[0].Detail, d.Repo+d.Branch) {
				t.Errorf("%+v: %v, %v", d, problems, err)
			}
		}
	}
	p.Allow = nil
	if _, err := check(&jobs.Destination{Repo: "else/where"}); jobs.ErrorCode(err) != jobs.Forbidden {
		t.Errorf("a repository that is not allowed: %v", err)
	}
	b.setFront(func(w http.ResponseWriter, _ *http.Request, _ http.Handler) { w.WriteHeader(http.StatusUnauthorized) })
	if _, err := check(&jobs.Destination{}); jobs.ErrorCode(err) != jobs.Forbidden || !strings.Contains(err.Error(), "HF_TOKEN") {
		t.Errorf("a token that is not accepted: %v", err)
	}
	b.setFront(func(w http.ResponseWriter, _ *http.Request, _ http.Handler) { w.WriteHeader(http.StatusBadGateway) })
	if _, err := check(&jobs.Destination{}); jobs.ErrorCode(err) != jobs.Unavailable {
		t.Errorf("the Hub away: %v", err)
	}
}
