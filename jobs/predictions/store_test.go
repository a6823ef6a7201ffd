package predictions_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"polyid-trainer/jobs"
	"polyid-trainer/jobs/lease"
	"polyid-trainer/jobs/predictions"
	"polyid-trainer/storage"
	"polyid-trainer/storage/file"
	"polyid-trainer/storage/storagetest"
)

var model = predictions.Model{Repo: "polyid/polyid-models", Revision: "main"}

func bucket(t *testing.T) storage.Bucket {
	t.Helper()
	b, err := file.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func create(t *testing.T, s *predictions.Store, now time.Time) *predictions.Prediction {
	t.Helper()
	p := predictions.New(now, "tester", model, predictions.JSON, 2)
	if err := s.Create(t.Context(), p, strings.NewReader("request"), 7); err != nil {
		t.Fatal(err)
	}
	return p
}

func read(t *testing.T, r io.ReadCloser, err error) string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	body, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// results are those in one format.
func results(body string) map[predictions.Format]predictions.Body {
	return map[predictions.Format]predictions.Body{predictions.JSON: {Content: strings.NewReader(body), Size: int64(len(body))}}
}

// queue is a jobs.Queue that remembers.
type queue struct {
	tasks []jobs.Task
	err   error
}

func (q *queue) Enqueue(_ context.Context, t jobs.Task) error {
	q.tasks = append(q.tasks, t)
	return q.err
}

func TestLifecycle(t *testing.T) {
	now := time.Now()
	s := predictions.NewStore(bucket(t))
	p := create(t, s, now)
	r, err := s.Request(t.Context(), p.ID)
	if got := read(t, r, err); got != "request" {
		t.Errorf("the request is %q", got)
	}
	update := func(change func(*predictions.Prediction) error) *predictions.Prediction {
		t.Helper()
		got, err := s.Update(t.Context(), p.ID, change)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	one, two := holder(), holder()
	got := update(func(p *predictions.Prediction) error { return p.Begin(now, one, "a:1") })
	if got.Status != predictions.Running || got.Claim.Attempt != 1 {
		t.Errorf("claimed as %+v", got)
	}
	if _, err := s.Result(t.Context(), got, predictions.JSON); jobs.ErrorCode(err) != jobs.Conflict {
		t.Errorf("results before the end: %v", err)
	}
	_, err = s.Update(t.Context(), p.ID, func(p *predictions.Prediction) error { return p.Begin(now, two, "b:1") })
	if !lease.IsHeld(err) {
		t.Errorf("claimed twice: %v", err)
	}

	// The first worker dies; the second goes on once the lease is taken away, and
	// then the first wakes up and changes nothing.
	if err := s.TakeOver(t.Context(), now); err != nil {
		t.Fatal(err)
	}
	got = update(func(p *predictions.Prediction) error { return p.Begin(now, two, "b:1") })
	if got.Claim.Attempt != 2 {
		t.Errorf("attempt %d, want 2", got.Claim.Attempt)
	}
	for attempt, body := range map[int]string{1: "of a zombie", 2: "results"} {
		if err := s.PutResults(t.Context(), p.ID, attempt, results(body)); err != nil {
			t.Fatal(err)
		}
	}
	end := func(token string) error {
		_, err := s.Update(t.Context(), p.ID, func(p *predictions.Prediction) error {
			return p.Succeed(now, token, predictions.Model{Commit: "abc"}, predictions.Counts{Total: 2, OK: 1, Failed: 1})
		})
		return err
	}
	if err := end(one.Token); !errors.Is(err, jobs.ErrLost) {
		t.Errorf("a zombie's end: %v", err)
	}
	if err := end(two.Token); err != nil {
		t.Fatal(err)
	}
	got, err = s.Prediction(t.Context(), p.ID)
	if err != nil || got.Status != predictions.Succeeded || got.Model.Commit != "abc" || got.Counts.OK != 1 {
		t.Fatalf("ended as %+v, %v", got, err)
	}
	r, err = s.Result(t.Context(), got, predictions.JSON)
	if body := read(t, r, err); body != "results" {
		t.Errorf("results are %q", body)
	}
	_, err = s.Update(t.Context(), p.ID, func(p *predictions.Prediction) error { return p.Begin(now, holder(), "a:1") })
	if jobs.ErrorCode(err) != jobs.Conflict {
		t.Errorf("claimed after the end: %v", err)
	}
}

func TestFail(t *testing.T) {
	now := time.Now()
	for _, hopeless := range []bool{false, true} {
		for _, code := range []string{"storage", ""} {
			p := predictions.New(now, "", model, predictions.CSV, 0)
			tries := 0
			for ; !p.Status.Ended(); tries++ {
				h := holder()
				if err := errors.Join(p.Begin(now, h, "a:1"), p.FailAttempt(now, h.Token, errors.New("x"), jobs.Failure{Code: code}, hopeless)); err != nil {
					t.Fatal(err)
				}
			}
			wantCode := map[string]string{"storage": "storage", "": "predict_failed"}[code]
			if want := map[bool]int{false: jobs.PolicyOf(jobs.Predict).Failures, true: 1}[hopeless]; tries != want || p.Failure.Code != wantCode {
				t.Errorf("hopeless %v: %d tries, %+v", hopeless, tries, p.Failure)
			}
		}
	}
	p, h := predictions.New(now, "", model, predictions.CSV, 0), holder()
	if err := errors.Join(p.Begin(now, h, "a:1"), p.Leave(h.Token)); err != nil || p.Status != predictions.Queued || p.Claim.Failures != 0 {
		t.Errorf("left as %+v, %v", p, err)
	}
}

func TestMissing(t *testing.T) {
	s := predictions.NewStore(bucket(t))
	for _, id := range []string{"pj_x", "../../jobs", jobs.NewID(jobs.PredictionPrefix), jobs.NewID(jobs.TrainingJobPrefix)} {
		_, err := s.Prediction(t.Context(), id)
		_, err2 := s.Request(t.Context(), id)
		_, err3 := s.Update(t.Context(), id, func(*predictions.Prediction) error { return nil })
		for _, err := range []error{err, err2, err3} {
			if jobs.ErrorCode(err) != jobs.NotFound {
				t.Errorf("%s: %v", id, err)
			}
		}
	}
}

// What is at an end when it is stored is there once, by whoever comes first.
func TestAdd(t *testing.T) {
	b := bucket(t)
	s := predictions.NewStore(b)
	p := predictions.New(time.Now(), "tester", model, predictions.JSON, 2)
	p.EndSucceeded(time.Now(), model, predictions.Counts{Total: 2, OK: 2})
	if err := s.Add(t.Context(), p, results("first")); err != nil {
		t.Fatal(err)
	}
	if err := s.Add(t.Context(), p, results("second")); !errors.Is(err, storage.ErrConflict) {
		t.Errorf("added twice: %v", err)
	}
	got, err := s.Prediction(t.Context(), p.ID)
	if err != nil || got.Status != predictions.Succeeded || got.Counts != p.Counts {
		t.Fatalf("%+v, %v", got, err)
	}
	r, err := s.Result(t.Context(), got, predictions.JSON)
	if body := read(t, r, err); body != "first" {
		t.Errorf("its results are %q", body)
	}
	if err := s.Create(t.Context(), p, strings.NewReader("request"), 7); !errors.Is(err, storage.ErrConflict) {
		t.Errorf("created again: %v", err)
	}
	failed := predictions.New(time.Now(), "tester", model, predictions.JSON, 2)
	failed.EndFailed(time.Now(), jobs.Failure{Code: "invalid"})
	if err := s.Add(t.Context(), failed, nil); err != nil {
		t.Fatal(err)
	}
	if got, err = s.Prediction(t.Context(), failed.ID); err != nil || got.Status != predictions.Failed || got.Failure.Code != "invalid" {
		t.Errorf("%+v, %v", got, err)
	}
	var q queue
	if err := s.Reconcile(t.Context(), &q, &lease.Observer{}, time.Now()); err != nil || len(q.tasks) > 0 {
		t.Errorf("enqueued %v, %v", q.tasks, err)
	}
}

// Whatever call of creating fails, a prediction that is there is found by the
// reconciler until it is at an end.
func TestReconcile(t *testing.T) {
	b := bucket(t)
	s := predictions.NewStore(b)
	now := time.Now()
	waiting, held, done := create(t, s, now), create(t, s, now), create(t, s, now)
	take := func(p *predictions.Prediction) error { return p.Begin(now, holder(), "a:1") }
	for _, p := range []*predictions.Prediction{held, done} {
		if _, err := s.Update(t.Context(), p.ID, take); err != nil {
			t.Fatal(err)
		}
	}
	_, err := s.Update(t.Context(), done.ID, func(p *predictions.Prediction) error {
		return p.Succeed(now, p.Claim.Token, model, predictions.Counts{})
	})
	if err != nil {
		t.Fatal(err)
	}
	for call := range 3 {
		n := 0
		faulty := &storagetest.Faulty{Bucket: b, Fail: func(_ int, op, key string) storagetest.Fault {
			if n++; n == call+1 {
				return storagetest.Refused
			}
			return storagetest.None
		}}
		p := predictions.New(now, "", model, predictions.JSON, 1)
		if err := predictions.NewStore(faulty).Create(t.Context(), p, strings.NewReader("x"), 1); err == nil {
			t.Errorf("created although call %d failed", call)
		}
	}
	var q queue
	clock := now
	leases := &lease.Observer{Now: func() time.Time { return clock }}
	if err := s.Reconcile(t.Context(), &q, leases, now); err != nil {
		t.Fatal(err)
	}
	if len(q.tasks) != 1 || q.tasks[0] != (jobs.Task{Kind: jobs.Predict, Job: waiting.ID}) {
		t.Errorf("enqueued %+v, want %s alone", q.tasks, waiting.ID)
	}
	q = queue{}
	clock = now.Add(lease.Length)
	if err := s.Reconcile(t.Context(), &q, leases, now); err != nil {
		t.Fatal(err)
	}
	if len(q.tasks) != 2 || q.tasks[1] != (jobs.Task{Kind: jobs.Predict, Job: held.ID, Attempt: 1}) {
		t.Errorf("enqueued %+v, want the one whose worker died too", q.tasks)
	}
	q = queue{err: errors.New("redis is away")}
	if err := s.Reconcile(t.Context(), &q, leases, now); !errors.Is(err, q.err) || len(q.tasks) != 2 {
		t.Errorf("%v after %d tasks: one error kept another from being healed", err, len(q.tasks))
	}
}

// A prediction that kills its worker each time fails in the end, and another goes
// on.
func TestPoison(t *testing.T) {
	s := predictions.NewStore(bucket(t))
	clock := time.Now()
	poison, other := create(t, s, clock), create(t, s, clock)
	leases := &lease.Observer{Now: func() time.Time { return clock }}
	deaths := 0
	for range 1000 {
		var q queue
		if err := s.Reconcile(t.Context(), &q, leases, clock); err != nil {
			t.Fatal(err)
		}
		for _, task := range q.tasks {
			h := holder()
			p, err := s.Update(t.Context(), task.Job, func(p *predictions.Prediction) error { return p.Begin(clock, h, "a:1") })
			switch {
			case err != nil:
				t.Fatal(err)
			case p.ID == poison.ID:
				deaths++ // its worker is never heard of again
			default:
				if _, err := s.Update(t.Context(), p.ID, func(p *predictions.Prediction) error {
					return p.Succeed(clock, h.Token, p.Model, p.Counts)
				}); err != nil {
					t.Fatal(err)
				}
			}
		}
		clock = clock.Add(jobs.Every)
	}
	p, err := s.Prediction(t.Context(), poison.ID)
	if err != nil || p.Status != predictions.Failed || p.Failure.Code != "worker_lost" || deaths != jobs.PolicyOf(jobs.Predict).Losses {
		t.Errorf("after %d deaths it is %s: %+v, %v", deaths, p.Status, p.Failure, err)
	}
	if p, err := s.Prediction(t.Context(), other.ID); err != nil || p.Status != predictions.Succeeded {
		t.Errorf("the other one is %s, %v", p.Status, err)
	}
}

// holder is a worker's claim.
func holder() *lease.Holder { return lease.NewHolder(lease.Terms{}, slog.New(slog.DiscardHandler)) }

func TestExpire(t *testing.T) {
	b := bucket(t)
	s := predictions.NewStore(b)
	now := time.Now()
	old, held := create(t, s, now), create(t, s, now)
	if _, err := s.Update(t.Context(), held.ID, func(p *predictions.Prediction) error { return p.Begin(now, holder(), "a:1") }); err != nil {
		t.Fatal(err)
	}
	// One whose request was stored, and nothing else.
	id := jobs.NewID(jobs.PredictionPrefix)
	if _, err := b.Put(t.Context(), "predictions/"+id+"/request", strings.NewReader("x"), 1, storage.Condition{}); err != nil {
		t.Fatal(err)
	}
	if n, err := s.Expire(t.Context(), now.Add(-time.Minute)); n != 0 || err != nil {
		t.Errorf("%d expired before their time, %v", n, err)
	}
	if n, err := s.Expire(t.Context(), now.Add(time.Minute)); n != 2 || err != nil {
		t.Errorf("%d expired, %v; want 2", n, err)
	}
	if _, err := s.Prediction(t.Context(), old.ID); jobs.ErrorCode(err) != jobs.NotFound {
		t.Errorf("the old one: %v", err)
	}
	if _, err := s.Prediction(t.Context(), held.ID); err != nil {
		t.Errorf("the one that is worked on: %v", err)
	}
	for e, err := range b.List(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(e.Key, held.ID) {
			t.Errorf("%s is left", e.Key)
		}
	}
}
