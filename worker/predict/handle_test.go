package predict_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"polyid-trainer/jobs"
	"polyid-trainer/jobs/lease"
	"polyid-trainer/jobs/predictions"
	"polyid-trainer/storage"
	"polyid-trainer/storage/file"
	"polyid-trainer/storage/storagetest"
	"polyid-trainer/worker/predict"
)

// queued is a bench with a store of predictions.
type queued struct {
	*bench
	bucket storage.Bucket
	store  *predictions.Store
	config predict.Config

	mu  sync.Mutex
	now time.Time
}

func newQueued(t *testing.T) *queued {
	t.Helper()
	bucket, err := file.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	q := &queued{bench: newBench(t), bucket: bucket, store: predictions.NewStore(bucket), now: time.Now()}
	q.config = q.Config
	q.config.Store, q.config.Now, q.config.TempDir = q.store, q.clock, t.TempDir()
	q.config.After = func(time.Duration) <-chan time.Time { return nil }
	return q
}

func (q *queued) clock() time.Time {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.now
}

func (q *queued) pass(d time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.now = q.now.Add(d)
}

// takeOver is what an observer does when a worker has died.
func (q *queued) takeOver() {
	q.Helper()
	if err := q.store.TakeOver(q.T.Context(), q.clock()); err != nil {
		q.Fatal(err)
	}
}

func (q *queued) ask(f predictions.Format, body string) string {
	q.Helper()
	p := predictions.New(q.clock(), "tester", predictions.Model{Repo: repo, Revision: "main"}, f, 0)
	if err := q.store.Create(q.T.Context(), p, strings.NewReader(body), int64(len(body))); err != nil {
		q.Fatal(err)
	}
	return p.ID
}

func (q *queued) handle(c predict.Config, id string) error {
	return predict.New(c).Handle(q.T.Context(), jobs.Task{Kind: jobs.Predict, Job: id})
}

func (q *queued) record(id string) *predictions.Prediction {
	q.Helper()
	p, err := q.store.Prediction(q.T.Context(), id)
	if err != nil {
		q.Fatal(err)
	}
	return p
}

// result is the whole answer as JSON, and the CSV.
func (q *queued) result(id string) (predict.Response, string) {
	q.Helper()
	p := q.record(id)
	if p.Status != predictions.Succeeded {
		q.Fatalf("the prediction is %s: %+v", p.Status, p.Failure)
	}
	open := func(f predictions.Format) io.ReadCloser {
		r, err := q.store.Result(q.T.Context(), p, f)
		if err != nil {
			q.Fatal(err)
		}
		return r
	}
	body, table := open(predictions.JSON), open(predictions.CSV)
	defer body.Close()
	defer table.Close()
	var text strings.Builder
	if err := predict.WriteResponse(&text, p, body); err != nil {
		q.Fatal(err)
	}
	var out predict.Response
	if err := json.Unmarshal([]byte(text.String()), &out); err != nil {
		q.Fatalf("%v in %s", err, text.String())
	}
	rows, err := io.ReadAll(table)
	if err != nil {
		q.Fatal(err)
	}
	return out, string(rows)
}

const asked = `{"inputs": [{"smiles_repeat_unit": "` + lactide + `", "dp": 5}, {"smiles_polymer": "C1CC"}, {"smiles_repeat_unit": "` + styrene + `"}], "aggregate": {}}`

// A queued prediction ends with the answer that would have been given at once,
// in both formats.
func TestHandle(t *testing.T) {
	q := newQueued(t)
	commit := q.publish(1)
	id := q.ask(predictions.JSON, asked)
	if err := q.handle(q.config, id); err != nil {
		t.Fatal(err)
	}
	got, table := q.result(id)
	request, err := predict.ReadRequest(strings.NewReader(asked), 0)
	if err != nil {
		t.Fatal(err)
	}
	want := q.answer(request)
	if got.ID != id || got.Object != "prediction" || got.Model != (predictions.Model{Repo: repo, Revision: "main", Commit: commit}) || got.Counts != want.Counts || len(got.Results) != 3 || len(got.Aggregate) != 2 {
		t.Errorf("%+v, want %+v", got, want)
	}
	for i := range want.Results {
		a, _ := json.Marshal(got.Results[i])
		b, _ := json.Marshal(want.Results[i])
		if string(a) != string(b) {
			t.Errorf("result %d is %s, want %s", i, a, b)
		}
	}
	lines := strings.Split(strings.TrimSpace(table), "\n")
	if len(lines) != 4 || !strings.HasPrefix(lines[0], "smiles_polymer,smiles_repeat_unit,") || !strings.Contains(lines[1], lactide) || !strings.Contains(lines[2], "invalid_smiles") {
		t.Errorf("as CSV:\n%s", table)
	}
	runs := q.runs.Load()
	if err := q.handle(q.config, id); err != nil || q.runs.Load() != runs {
		t.Errorf("delivered again: %v, %d more forward passes", err, q.runs.Load()-runs)
	}
}

func TestHandleCSV(t *testing.T) {
	q := newQueued(t)
	q.publish(1)
	in := "smiles_repeat_unit,Tg\n" + lactide + ",55\n" + styrene + ",100\n*C,\n"
	id := q.ask(predictions.CSV, in)
	if err := q.handle(q.config, id); err != nil {
		t.Fatal(err)
	}
	got, table := q.result(id)
	var at strings.Builder
	s, err := q.AnswerCSV(t.Context(), jobs.Revision{}, strings.NewReader(in), &at)
	if err != nil {
		t.Fatal(err)
	}
	if table != at.String() || got.Counts != s.Counts || got.Metrics["Tg"].Rows != 2 || len(got.Results) != 3 {
		t.Errorf("%+v and\n%s, want\n%s", got, table, at.String())
	}
}

// While it works it says how many inputs it has answered, whenever it renews its
// claim.
func TestHandleProgress(t *testing.T) {
	q := newQueued(t)
	q.publish(1)
	one := func(unit string) string { return `{"smiles_repeat_unit": "` + unit + `"}` }
	id := q.ask(predictions.JSON, `{"inputs": [`+strings.Join([]string{
		one(lactide), one("*C"), one(lactide), one(lactide), // together: one graph, and one that is none
		one(styrene), one(styrene),
	}, ", ")+`]}`)
	reached, release := make(chan struct{}), make(chan struct{})
	q.before = func(run int64) {
		if run == 3 { // the first four took two, one for each fold
			close(reached)
			<-release
		}
	}
	tick := make(chan time.Time)
	c := q.config
	c.After = func(time.Duration) <-chan time.Time { return tick }
	done := make(chan error, 1)
	go func() { done <- q.handle(c, id) }()
	select {
	case <-reached:
	case err := <-done:
		t.Fatalf("it ended at once: %v", err)
	}
	for p := q.record(id); p.Counts.OK == 0 || p.Counts.Failed == 0; p = q.record(id) {
		if p.Status != predictions.Running || p.Counts.OK > 3 {
			t.Fatalf("held up, it is %s with %+v", p.Status, p.Counts)
		}
		select {
		case tick <- time.Time{}:
		case err := <-done:
			t.Fatalf("it ended: %v", err)
		}
	}
	close(release)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if p := q.record(id); p.Counts != (predictions.Counts{Total: 6, OK: 5, Failed: 1}) {
		t.Errorf("at the end it counts %+v", p.Counts)
	}
}

// Nothing to predict with is tried again, and then said; a request that cannot
// be is said at once.
func TestHandleFails(t *testing.T) {
	q := newQueued(t)
	id := q.ask(predictions.JSON, asked)
	for try := 1; try < jobs.PolicyOf(jobs.Predict).Failures; try++ {
		if err := q.handle(q.config, id); err != nil {
			t.Fatal(err)
		}
		if p := q.record(id); p.Status != predictions.Queued || p.Claim.Failures != try || p.Claim.LastError == "" || p.Claim.Wait <= 0 {
			t.Fatalf("try %d without a model: %+v", try, p)
		}
	}
	if err := q.handle(q.config, id); err != nil || q.record(id).Status != predictions.Failed || q.record(id).Failure.Code != "model_not_loaded" {
		t.Errorf("at last: %v, %+v", err, q.record(id))
	}
	var text strings.Builder
	if err := predict.WriteResponse(&text, q.record(id), nil); err != nil || !strings.Contains(text.String(), `"code":"model_not_loaded"`) || !strings.Contains(text.String(), `"results":null`) {
		t.Errorf("it is shown as %s, %v", text.String(), err)
	}
	q.publish(1)
	for _, x := range []struct {
		format predictions.Format
		body   string
	}{{predictions.JSON, "{}"}, {predictions.CSV, "colour\nred\n"}} {
		id := q.ask(x.format, x.body)
		if err := q.handle(q.config, id); err != nil || q.record(id).Status != predictions.Failed || q.record(id).Failure.Code != "invalid" {
			t.Errorf("%q: %v, %+v", x.body, err, q.record(id))
		}
	}
	if err := q.handle(q.config, jobs.NewID(jobs.PredictionPrefix)); err != nil {
		t.Errorf("one that is gone: %v", err)
	}
}

// Killed at any call to storage, whether it was acted on or not, the next
// attempt ends with the same answer; a zombie changes nothing.
func TestHandleKilled(t *testing.T) {
	q := newQueued(t)
	q.publish(1)
	first := q.ask(predictions.JSON, asked)
	if err := q.handle(q.config, first); err != nil {
		t.Fatal(err)
	}
	want, wantTable := q.result(first)
	for _, fault := range []storagetest.Fault{storagetest.Refused, storagetest.LostAnswer} {
		for at, ended := 1, false; !ended; at++ {
			id := q.ask(predictions.JSON, asked)
			n := 0
			faulty := &storagetest.Faulty{Bucket: q.bucket, Fail: func(int, string, string) storagetest.Fault {
				n++
				switch {
				case n == at:
					return fault
				case n > at:
					return storagetest.Refused
				}
				return storagetest.None
			}}
			c := q.config
			c.Store = predictions.NewStore(faulty)
			err := q.handle(c, id)
			if ended = n < at; ended != (err == nil) {
				t.Fatalf("killed at call %d of %d: %v", at, n, err)
			}
			q.takeOver()
			if err := q.handle(q.config, id); err != nil {
				t.Fatal(err)
			}
			got, table := q.result(id)
			if table != wantTable || got.Counts != want.Counts {
				t.Errorf("killed at call %d: %+v", at, got)
			}
			if at > 30 {
				t.Fatal("it never ends")
			}
		}
	}
}

// Told to stop it releases the prediction.
func TestHandleStop(t *testing.T) {
	q := newQueued(t)
	q.publish(1)
	id := q.ask(predictions.JSON, asked)
	ctx, stop := context.WithCancel(t.Context())
	stopping := &storagetest.Faulty{Bucket: q.bucket, Fail: func(_ int, op, key string) storagetest.Fault {
		if strings.HasSuffix(key, "/request") {
			stop()
		}
		return storagetest.None
	}}
	c := q.config
	c.Store = predictions.NewStore(stopping)
	err := predict.New(c).Handle(ctx, jobs.Task{Kind: jobs.Predict, Job: id})
	if p := q.record(id); !errors.Is(err, context.Canceled) || p.Status != predictions.Queued || p.Claim.Held() || p.Claim.Failures != 0 {
		t.Errorf("%v; left as %+v", err, p)
	}
	if err := q.handle(q.config, id); err != nil {
		t.Fatal(err)
	}
	q.result(id)
}

// One that sleeps through its claim loses it, and leaves the other's answer be.
func TestHandleZombie(t *testing.T) {
	q := newQueued(t)
	q.publish(1)
	id := q.ask(predictions.JSON, asked)
	var once sync.Once
	asleep := &storagetest.Faulty{Bucket: q.bucket, Fail: func(_ int, op, key string) storagetest.Fault {
		if op == "put" && strings.Contains(key, "/results/") {
			once.Do(func() {
				q.pass(lease.Length)
				q.takeOver()
				if err := q.handle(q.config, id); err != nil {
					t.Error(err)
				}
			})
		}
		return storagetest.None
	}}
	c := q.config
	c.Store = predictions.NewStore(asleep)
	if err := q.handle(c, id); !errors.Is(err, jobs.ErrLost) {
		t.Errorf("a zombie's attempt: %v", err)
	}
	if p := q.record(id); p.Status != predictions.Succeeded || p.Claim.Attempt != 2 {
		t.Errorf("%+v", p)
	}
	q.result(id)
}

// handleNow predicts at once, with a store, and returns the prediction asked for.
func (q *queued) handleNow(ctx context.Context, b storage.Bucket, f predictions.Format, body string) (*predictions.Prediction, error) {
	c := q.config
	c.Store = predictions.NewStore(b)
	p := predictions.New(q.clock(), "tester", predictions.Model{Repo: repo, Revision: "main"}, f, 0)
	return p, predict.New(c).HandleNow(ctx, p, strings.NewReader(body))
}

// A prediction made at once is stored as one of the queue's, results and all.
func TestHandleNow(t *testing.T) {
	q := newQueued(t)
	q.publish(1)
	for _, x := range []struct {
		format predictions.Format
		body   string
	}{{predictions.JSON, asked}, {predictions.CSV, "smiles_repeat_unit,Tg\n" + lactide + ",55\n*C,\n"}} {
		id := q.ask(x.format, x.body)
		if err := q.handle(q.config, id); err != nil {
			t.Fatal(err)
		}
		want, wantTable := q.result(id)
		p, err := q.handleNow(t.Context(), q.bucket, x.format, x.body)
		if err != nil {
			t.Fatal(err)
		}
		got, table := q.result(p.ID)
		if got.ID = id; table != wantTable || !sameJSON(got, want) {
			t.Errorf("%+v and\n%s, want %+v and\n%s", got, table, want, wantTable)
		}
		if p.Status != predictions.Succeeded || p.Counts != want.Counts {
			t.Errorf("it was left as %+v", p)
		}
	}
	p, err := q.handleNow(t.Context(), q.bucket, predictions.CSV, "colour\nred\n")
	if err != nil || p.Status != predictions.Failed || q.record(p.ID).Failure.Code != "invalid" {
		t.Errorf("what is no table: %v, %+v", err, p)
	}
}

func sameJSON(a, b any) bool {
	x, err := json.Marshal(a)
	y, err2 := json.Marshal(b)
	return err == nil && err2 == nil && string(x) == string(y)
}

// Ended before it is done, or failing by what passes, it leaves the asking as it
// was and no record.
func TestHandleNowLeft(t *testing.T) {
	q := newQueued(t)
	if p, err := q.handleNow(t.Context(), q.bucket, predictions.JSON, asked); jobs.ErrorCode(err) != jobs.ModelNotLoaded || p.Status != predictions.Queued {
		t.Errorf("without a model: %v, %+v", err, p)
	}
	q.publish(1)
	ctx, stop := context.WithCancel(t.Context())
	q.before = func(int64) { stop() }
	p, err := q.handleNow(ctx, q.bucket, predictions.JSON, `{"inputs": [`+strings.Repeat(`{"smiles_repeat_unit": "`+lactide+`"},`, 50)+`{}]}`)
	if !errors.Is(err, context.Canceled) || p.Status != predictions.Queued {
		t.Errorf("cut short: %v, %+v", err, p)
	}
	q.before = nil
	for _, fault := range []storagetest.Fault{storagetest.Refused, storagetest.LostAnswer} {
		for at := 1; ; at++ {
			n := 0
			p, err := q.handleNow(t.Context(), &storagetest.Faulty{Bucket: q.bucket, Fail: func(int, string, string) storagetest.Fault {
				if n++; n == at {
					return fault
				}
				return storagetest.None
			}}, predictions.JSON, asked)
			if n < at {
				break
			}
			// Stored for the queue, unless it is there already, it comes to its end.
			if err := q.store.Create(t.Context(), p, strings.NewReader(asked), int64(len(asked))); err != nil && !errors.Is(err, storage.ErrConflict) {
				t.Fatal(err)
			}
			if herr := q.handle(q.config, p.ID); herr != nil || err == nil {
				t.Errorf("fault at call %d: %v, then %v", at, err, herr)
			}
			if got, _ := q.result(p.ID); len(got.Results) != 3 {
				t.Errorf("fault at call %d: %+v", at, got)
			}
		}
	}
	for e, err := range q.bucket.List(t.Context(), "predictions/"+p.ID) {
		t.Errorf("what was cut short left %v, %v", e, err)
	}
}
