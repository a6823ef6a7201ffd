package httpapi

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"polyid-trainer/api/apitest"
	"polyid-trainer/api/registry"
	"polyid-trainer/jobs"
	"polyid-trainer/jobs/idempotency"
	"polyid-trainer/jobs/lease"
	"polyid-trainer/jobs/predictions"
	"polyid-trainer/worker/predict"
)

const testRepo = apitest.HubRepo

// inference is the inference side behind a server.
type inference struct {
	*apitest.Inference
	t    *testing.T
	url  string
	area *Predictions
}

func newInference(t *testing.T, c Config) *inference {
	t.Helper()
	in := &inference{Inference: apitest.NewInference(t), t: t}
	in.area = &Predictions{
		Predictor: in.Predictor, Models: in.Models, Default: in.Default, Store: in.Store, Queue: in.Queue, Keys: idempotency.New(in.Storage, nil), TempDir: t.TempDir(),
	}
	in.url = serve(t, c, in.area, &Models{Registry: &registry.Registry{Serving: in.Models, Hub: in.Hub, Default: in.Default}}).URL
	return in
}

const (
	chain  = "COC(=O)C(C)OC(=O)C(C)OC(=O)C(C)OC(=O)C(C)OC(=O)C(C)OC(=O)C(C)OC(=O)C(C)OC(=O)C(C)OC(=O)C(C)O"
	inputs = `{"inputs": [{"smiles_polymer": "` + chain + `"}, {"smiles_repeat_unit": "*OC(=O)C(*)C", "dp": 5}, {"smiles_polymer": "C1CC"}]}`
	table  = "name,smiles_polymer\na,\"" + chain + "\"\nb,C1CC\n"
)

func ask(body string, header ...string) apitest.Request {
	return apitest.NewRequest(http.MethodPost, "/v1/predictions", body, append([]string{"Content-Type", "application/json"}, header...)...)
}

func answerOf(t *testing.T, body []byte) (a struct {
	ID, Object, Status string
	Counts             predictions.Counts
	Model              predictions.Model
	Results            []map[string]json.RawMessage
	Error              *jobs.Failure
}) {
	t.Helper()
	if err := json.Unmarshal(body, &a); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	return a
}

func TestPredictionQueued(t *testing.T) {
	in := newInference(t, Config{})
	commit := in.Publish(1)
	for _, c := range []struct {
		ask   apitest.Request
		total int
	}{
		{ask(inputs), 3},
		{ask(table, "Content-Type", "text/csv; charset=utf-8"), 2},
	} {
		resp, body := c.ask.Send(t, in.url)
		a := answerOf(t, body)
		at := resp.Header.Get("Location")
		if resp.StatusCode != http.StatusAccepted || at != "/v1/predictions/"+a.ID || a.Status != "queued" || a.Counts.Total != c.total || a.Results != nil ||
			a.Object != "prediction" || a.Model.Repo != testRepo || a.Model.Revision != "main" {
			t.Fatalf("%d %s at %q", resp.StatusCode, body, at)
		}
		if len(in.Queue.Held) != 1 || in.Queue.Held[0] != (jobs.Task{Kind: jobs.Predict, Job: a.ID}) {
			t.Fatalf("the queue holds %v", in.Queue.Held)
		}
		asCSV := apitest.Request{Path: at, Header: map[string]string{"Accept": "text/csv"}}
		asCSV.Problem(t, in.url, http.StatusConflict, "conflict")

		in.Work()
		resp, body = apitest.Request{Path: at}.Send(t, in.url)
		a = answerOf(t, body)
		if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "application/json" || a.Status != "succeeded" || a.Counts.OK != c.total-1 ||
			a.Counts.Failed != 1 || a.Model.Commit != commit || len(a.Results) != c.total || a.Results[0]["predictions"] == nil || a.Results[c.total-1]["error"] == nil {
			t.Errorf("%d %s %s", resp.StatusCode, resp.Header.Get("Content-Type"), body)
		}
		resp, body = asCSV.Send(t, in.url)
		rows, err := csv.NewReader(strings.NewReader(string(body))).ReadAll()
		if err != nil || resp.Header.Get("Content-Type") != "text/csv" || len(rows) != c.total+1 || !strings.Contains(string(body), "Tg_pred_mean") ||
			!strings.Contains(resp.Header.Get("Content-Disposition"), a.ID+".csv") {
			t.Errorf("as CSV: %v %v %s", resp.Header, err, body)
		}
		resp, body = apitest.Request{Path: at + "?results=false"}.Send(t, in.url)
		if a = answerOf(t, body); resp.StatusCode != http.StatusOK || a.Status != "succeeded" || a.Counts.OK != c.total-1 || a.Results != nil {
			t.Errorf("without results: %d %s", resp.StatusCode, body)
		}
	}
}

func TestPredictionWaited(t *testing.T) {
	in := newInference(t, Config{})
	in.Publish(1)
	resp, body := ask(inputs, "Prefer", "respond-async, wait=30").Send(t, in.url)
	a := answerOf(t, body)
	if resp.StatusCode != http.StatusOK || a.Status != "succeeded" || len(a.Results) != 3 || resp.Header.Get("Preference-Applied") != "wait=30" ||
		resp.Header.Get("Location") != "/v1/predictions/"+a.ID {
		t.Errorf("%d %v %s", resp.StatusCode, resp.Header, body)
	}
	if len(in.Queue.Held) != 0 {
		t.Errorf("the queue holds %v", in.Queue.Held)
	}
	if _, again := (apitest.Request{Path: resp.Header.Get("Location")}).Send(t, in.url); string(again) != string(body) {
		t.Errorf("asked for again: %s, first %s", again, body)
	}
	// A table is answered as one, unless JSON is asked for.
	resp, body = ask(table, "Content-Type", "text/csv", "Prefer", "wait=30").Send(t, in.url)
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "text/csv" || !strings.HasPrefix(string(body), "name,smiles_polymer,Tg_pred_mean") {
		t.Errorf("%d %v %s", resp.StatusCode, resp.Header, body)
	}
	resp, body = ask(table, "Content-Type", "text/csv", "Prefer", "wait=30", "Accept", "application/json").Send(t, in.url)
	if resp.StatusCode != http.StatusOK || answerOf(t, body).Counts.Total != 2 {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	// A table that has no polymers has no results, and says so.
	resp, body = ask("x,y\n1,2\n", "Content-Type", "text/csv", "Prefer", "wait=30").Send(t, in.url)
	if a := answerOf(t, body); resp.StatusCode != http.StatusOK || a.Status != "failed" || a.Error == nil || a.Error.Code != "invalid" {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
}

// slow is a Predictor that does not come to an end before its time is over.
type slow struct{ Predictor }

func (slow) HandleNow(ctx context.Context, _ *predictions.Prediction, request io.Reader) error {
	io.Copy(io.Discard, request)
	<-ctx.Done()
	return ctx.Err()
}

// What is not ready in time goes to the queue.
func TestPredictionNotInTime(t *testing.T) {
	in := newInference(t, Config{})
	in.Publish(1)
	in.area.Predictor = slow{in.Predictor}
	resp, body := ask(inputs, "Prefer", "wait=1").Send(t, in.url)
	if a := answerOf(t, body); resp.StatusCode != http.StatusAccepted || a.Status != "queued" || len(in.Queue.Held) != 1 {
		t.Errorf("%d %s, queue %v", resp.StatusCode, body, in.Queue.Held)
	}
	in.Work()
	_, body = apitest.Request{Path: resp.Header.Get("Location")}.Send(t, in.url)
	if a := answerOf(t, body); a.Status != "succeeded" || len(a.Results) != 3 {
		t.Errorf("in the end: %s", body)
	}
}

// A prediction that another works on is waited for.
func TestPredictionOfAnother(t *testing.T) {
	in := newInference(t, Config{})
	in.Publish(1)
	in.area.Predictor = elsewhere{in}
	resp, body := ask(inputs, "Prefer", "wait=30").Send(t, in.url)
	if a := answerOf(t, body); resp.StatusCode != http.StatusOK || a.Status != "succeeded" {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
}

// elsewhere is a Predictor that fails, so that the queue is asked; what works
// there is done before the first look.
type elsewhere struct{ in *inference }

func (e elsewhere) Answer(context.Context, *predict.Request) (*predict.Response, error) {
	return nil, nil
}

func (e elsewhere) HandleNow(ctx context.Context, p *predictions.Prediction, _ io.Reader) error {
	e.in.area.Poll = func(time.Duration) <-chan time.Time {
		update := func(change func(*predictions.Prediction) error) error {
			_, err := e.in.Store.Update(ctx, p.ID, change)
			return err
		}
		holder := lease.NewHolder(lease.Terms{}, slog.New(slog.DiscardHandler))
		results := map[predictions.Format]predictions.Body{predictions.JSON: {Content: strings.NewReader(`{"results":[]}`), Size: 14}}
		err := errors.Join(
			update(func(p *predictions.Prediction) error {
				return p.Begin(time.Now(), holder, "another")
			}),
			e.in.Store.PutResults(ctx, p.ID, 1, results),
			update(func(p *predictions.Prediction) error {
				return p.Succeed(time.Now(), holder.Token, p.Model, predictions.Counts{})
			}))
		if err != nil {
			panic(err)
		}
		done := make(chan time.Time, 1)
		done <- time.Time{}
		return done
	}
	return &jobs.Error{Code: jobs.Unavailable, Detail: "storage is away for a moment"}
}

// With the queue away the prediction is taken on: the record is what counts.
func TestPredictionWithoutQueue(t *testing.T) {
	in := newInference(t, Config{})
	in.Publish(1)
	in.Queue.Err = &jobs.Error{Code: jobs.Unavailable, Detail: "away"}
	resp, body := ask(inputs).Send(t, in.url)
	if resp.StatusCode != http.StatusAccepted {
		t.Fatalf("%d %s", resp.StatusCode, body)
	}
	in.Queue.Err = nil
	if err := in.Store.Reconcile(t.Context(), in.Queue, &lease.Observer{}, time.Now()); err != nil || len(in.Queue.Held) != 1 {
		t.Errorf("the reconciler enqueued %v, %v", in.Queue.Held, err)
	}
}

func TestPredictionRefused(t *testing.T) {
	in := newInference(t, Config{Limits: Limits{Prediction: 2000, Inputs: 3}})
	in.Models.Refresh(t.Context())
	p := ask(inputs).Problem(t, in.url, http.StatusServiceUnavailable, "model_not_loaded")
	if !strings.Contains(p.Detail, "/v1/training-jobs") {
		t.Errorf("how to get a model: %q", p.Detail)
	}
	in.Commit(1)
	if resp, body := ask(inputs).Send(t, in.url); resp.StatusCode != http.StatusAccepted {
		t.Errorf("right after the first publication: %d %s", resp.StatusCode, body)
	}
	in.Queue.Held = nil
	many := `{"inputs": [{}, {}, {}, {}]}`
	for name, c := range map[string]struct {
		ask    apitest.Request
		status int
		code   string
	}{
		"no JSON":            {ask("{"), 400, "malformed"},
		"nothing":            {ask(""), 400, "malformed"},
		"an array":           {ask("[]"), 422, "invalid"},
		"no inputs":          {ask("{}"), 422, "invalid"},
		"too many inputs":    {ask(many), 422, "invalid"},
		"an unknown field":   {ask(`{"input": []}`), 422, "invalid"},
		"a wrong type":       {ask(`{"inputs": {"dp": "x"}}`), 422, "invalid"},
		"another type":       {ask(inputs, "Content-Type", "application/xml"), 415, "unsupported_media_type"},
		"no type":            {ask(inputs, "Content-Type", ""), 415, "unsupported_media_type"},
		"too large":          {ask(strings.Repeat(" ", 2001)), 413, "too_large"},
		"a large table":      {ask(strings.Repeat("x\n", 1001), "Content-Type", "text/csv"), 413, "too_large"},
		"a header":           {ask("smiles_polymer\n", "Content-Type", "text/csv"), 422, "invalid"},
		"an empty table":     {ask("", "Content-Type", "text/csv"), 422, "invalid"},
		"another repository": {ask(`{"model": {"repo": "evil/x", "revision": "main"}, "inputs": [{"smiles_polymer": "CC"}]}`), 403, "forbidden"},
		"another revision":   {ask(`{"model": {"revision": "v9"}, "inputs": [{"smiles_polymer": "CC"}]}`), 404, "not_found"},
		"PUT":                {apitest.Request{Method: http.MethodPut, Path: "/v1/predictions"}, 405, "method_not_allowed"},
		"no such id":         {apitest.Request{Path: "/v1/predictions/" + jobs.NewID("pj_")}, 404, "not_found"},
		"no id":              {apitest.Request{Path: "/v1/predictions/..%2f..%2fx"}, 404, "not_found"},
		"a job's id":         {apitest.Request{Path: "/v1/predictions/" + jobs.NewID("tj_")}, 404, "not_found"},
	} {
		t.Run(name, func(t *testing.T) {
			c.ask.Problem(t, in.url, c.status, c.code)
			if len(in.Queue.Held) > 0 {
				t.Errorf("the queue holds %v", in.Queue.Held)
			}
		})
	}
}

// Sent again under the same key, a request is the same prediction.
func TestPredictionSentAgain(t *testing.T) {
	in := newInference(t, Config{})
	in.Publish(1)
	csvType := []string{"Content-Type", "text/csv"}
	first, body := ask(inputs, "Idempotency-Key", "k1").Send(t, in.url)
	if again, _ := ask(inputs, "Idempotency-Key", "k1").Send(t, in.url); again.StatusCode != http.StatusAccepted || again.Header.Get("Location") != first.Header.Get("Location") {
		t.Errorf("sent again: %d at %s, first at %s", again.StatusCode, again.Header.Get("Location"), first.Header.Get("Location"))
	}
	in.Work()
	again, done := ask(inputs, "Idempotency-Key", "k1").Send(t, in.url)
	if a := answerOf(t, done); again.StatusCode != http.StatusOK || a.ID != answerOf(t, body).ID || a.Status != "succeeded" {
		t.Errorf("sent again after its end: %d %s", again.StatusCode, done)
	}
	if len(in.Queue.Held) > 0 {
		t.Errorf("the queue holds %v", in.Queue.Held)
	}
	for _, other := range []apitest.Request{
		ask(`{"inputs": [{"smiles_polymer": "CCO"}]}`, "Idempotency-Key", "k1"),
		ask(table, append(csvType, "Idempotency-Key", "k1")...),
	} {
		other.Problem(t, in.url, http.StatusConflict, "conflict")
	}
	one, _ := ask(table, append(csvType, "Idempotency-Key", "k2")...).Send(t, in.url)
	two, _ := ask(table, append(csvType, "Idempotency-Key", "k2")...).Send(t, in.url)
	if at := one.Header.Get("Location"); at == "" || at != two.Header.Get("Location") || at == first.Header.Get("Location") {
		t.Errorf("a table at %q and %q", at, two.Header.Get("Location"))
	}
	// The same of one that is waited for.
	now, body := ask(inputs, "Idempotency-Key", "k3", "Prefer", "wait=30").Send(t, in.url)
	then, same := ask(inputs, "Idempotency-Key", "k3", "Prefer", "wait=30").Send(t, in.url)
	if now.StatusCode != http.StatusOK || then.StatusCode != http.StatusOK || string(body) != string(same) {
		t.Errorf("waited for, %d %s; sent again, %d %s", now.StatusCode, body, then.StatusCode, same)
	}
	ask(inputs, "Idempotency-Key", strings.Repeat("k", 256)).Problem(t, in.url, http.StatusBadRequest, "malformed")
}

func TestWaitOf(t *testing.T) {
	for header, want := range map[string]time.Duration{
		"wait=5": 5 * time.Second, `respond-async; wait="7"`: 7 * time.Second, "Wait = 9, x": 9 * time.Second, "wait=999": time.Minute,
		"": 0, "wait": 0, "wait=0": 0, "wait=-1": 0, "wait=x": 0, "respond-async": 0,
	} {
		if have := waitOf(header); have != want {
			t.Errorf("Prefer: %s waits %s, want %s", header, have, want)
		}
	}
}

// Many at once, some waited for: each is answered for itself.
func TestPredictionsConcurrent(t *testing.T) {
	in := newInference(t, Config{})
	in.Publish(1)
	var wg sync.WaitGroup
	ids := make(chan string, 16)
	for i := range cap(ids) {
		wg.Go(func() {
			header := []string{"Accept", "application/json"}
			if i%2 == 0 {
				header = append(header, "Prefer", "wait=60")
			}
			resp, err := post(in.url, inputs, header...)
			if err != nil {
				t.Error(err)
				return
			}
			defer resp.Body.Close()
			body, err := io.ReadAll(resp.Body)
			var a struct{ ID, Status string }
			if err = errors.Join(err, json.Unmarshal(body, &a)); err != nil || (i%2 == 0) != (a.Status == "succeeded") {
				t.Errorf("%d %s, %v", resp.StatusCode, body, err)
			}
			ids <- a.ID
		})
	}
	wg.Wait()
	close(ids)
	seen := map[string]bool{}
	for id := range ids {
		seen[id] = true
	}
	if len(seen) != cap(ids) || len(in.Queue.Held) != cap(ids)/2 {
		t.Errorf("%d predictions, %d on the queue", len(seen), len(in.Queue.Held))
	}
}

// post sends JSON from any goroutine.
func post(url, body string, header ...string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, url+"/v1/predictions", strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	return http.DefaultClient.Do(req)
}
