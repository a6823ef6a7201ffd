package httpapi

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"polyid-trainer/api/apitest"
	"polyid-trainer/api/tuning"
	"polyid-trainer/jobs"
	"polyid-trainer/jobs/searches"
)

// tuned is a bench that takes searches too; its stepper is the test's to call.
func tuned(b *bench) (*Searches, *searches.Stepper) {
	store := searches.NewStore(b.area.Bucket)
	log := slog.New(slog.DiscardHandler)
	stepper := &searches.Stepper{Store: store, Jobs: b.area.Store, Queue: b.area.Queue, Bucket: b.area.Bucket, Now: func() time.Time { return noon }, Log: log}
	return &Searches{Service: &tuning.Service{
		Store: store, Stepper: stepper, Jobs: b.area.Service, Queue: b.area.Queue, Live: b.area.Live, Keys: b.area.Keys, Now: func() time.Time { return noon }, Log: log,
	}}, stepper
}

// A client's way through every operation of searches; every answer is as the
// document says.
func TestSearches(t *testing.T) {
	b := newBench(t, nil)
	area, stepper := tuned(b)
	v := validate(t, New(Config{Now: func() time.Time { return noon }}, area, b.area))
	h := httptest.NewServer(v)
	t.Cleanup(h.Close)
	send := func(want int, method, path, body string, header ...string) []byte {
		t.Helper()
		answer, got := apitest.NewRequest(method, path, body, header...).Send(t, h.URL)
		if answer.StatusCode != want {
			t.Errorf("%s %s answers %d %s, want %d", method, path, answer.StatusCode, got, want)
		}
		return got
	}
	step := func(id string) {
		t.Helper()
		if err := stepper.Step(t.Context(), id); err != nil {
			t.Fatal(err)
		}
	}
	const body = `{"job": {"dataset": "stereopolymer_input_nopush", "prediction_columns": ["Tg"], "epochs": 9, "publish": null},
		"space": {"learning_rate": {"log": [1e-5, 1e-3]}, "batch_size": {"choice": [1, 4]}}, "max_trials": 9, "webhook": {"url": "https://example.org", "events": ["search.succeeded"]}}`
	made := decode[searches.View](t, send(202, "POST", "/v1/searches", body, "Idempotency-Key", "k"))
	if again := decode[searches.View](t, send(202, "POST", "/v1/searches", body, "Idempotency-Key", "k")); again.ID != made.ID {
		t.Errorf("sent again, the search is %s and was %s", again.ID, made.ID)
	}
	send(409, "POST", "/v1/searches", strings.Replace(body, "9", "8", 1), "Idempotency-Key", "k")
	path := "/v1/searches/" + made.ID
	if made.Method != searches.ASHA || !slices.Equal(made.Rungs, []int{1, 3, 9}) || made.Status != jobs.Queued {
		t.Errorf("made %+v", made)
	}
	step(made.ID)
	trials := decode[List[searches.TrialView]](t, send(200, "GET", path+"/trials", ""))
	if len(trials.Data) != 9 {
		t.Fatalf("%d trials", len(trials.Data))
	}
	if j, err := b.store.Job(t.Context(), trials.Data[4].TrainingJob); err != nil || j.Trial.Index != 4 || j.Spec.Holdout == nil || j.Spec.KFolds != 5 {
		t.Errorf("the job of trial 4: %+v, %v", j, err)
	}
	for query, want := range map[string]int{"": 0, "&trials=true": 9} {
		if page := decode[List[jobs.View]](t, send(200, "GET", "/v1/training-jobs?limit=20"+query, "")); len(page.Data) != want {
			t.Errorf("the list of jobs with %q has %d, want %d", query, len(page.Data), want)
		}
	}
	if page := decode[List[searches.TrialView]](t, send(200, "GET", path+"/trials?limit=4&after=2", "")); len(page.Data) != 4 || page.Data[0].Index != 3 || page.NextAfter == nil || *page.NextAfter != "6" {
		t.Errorf("a page of trials: %+v", page)
	}
	send(200, "GET", path+"/trials/8/job", "")
	send(404, "GET", path+"/trials/9/job", "")
	send(200, "GET", path, "")
	send(200, "GET", path+"/events", "")
	send(200, "GET", "/v1/searches?limit=1", "")
	send(422, "GET", "/v1/searches?after=x", "")
	send(404, "GET", "/v1/searches/se_nope", "")
	if v := decode[searches.View](t, send(200, "PATCH", path, `{"name": "rates", "tags": ["a"]}`)); v.Name != "rates" {
		t.Errorf("described: %+v", v)
	}
	send(422, "POST", path+"/stop", `{}`)
	send(200, "POST", path+"/stop", `{"trials": [1, 2]}`)
	send(404, "POST", path+"/stop", `{"trials": [99]}`)
	send(200, "POST", path+"/pause", "")
	step(made.ID)
	if j, err := b.store.Job(t.Context(), trials.Data[4].TrainingJob); err != nil || j.State != jobs.Paused {
		t.Errorf("while the search is paused, trial 4 is %s, %v", j.State, err)
	}
	send(200, "POST", path+"/resume", "")
	send(422, "POST", path+"/resume", `{"max_cost_usd": -1}`)
	send(409, "DELETE", path, "")
	send(200, "POST", path+"/cancel", "")
	send(200, "POST", path+"/cancel", "")
	step(made.ID)
	step(made.ID)
	send(204, "DELETE", path, "")
	send(404, "GET", path, "")
	for _, op := range v.operations() {
		if name := op.method + " " + op.path; strings.HasPrefix(op.path, "/v1/searches") && !v.seen[name] {
			t.Errorf("%s was not answered with success", name)
		}
	}
}

// TestSearchProblems names everything that is wrong with a search at once: of the
// search, of its job and of its space.
func TestSearchProblems(t *testing.T) {
	b := newBench(t, nil)
	area, _ := tuned(b)
	h := httptest.NewServer(New(Config{}, area))
	t.Cleanup(h.Close)
	answer, body := apitest.Request{Method: "POST", Path: "/v1/searches", Header: map[string]string{"Content-Type": "application/json"}, Body: `{
		"job": {"dataset": "nope", "epoch": 3, "max_cost_usd": 3, "validate_every": 2, "epochs": 9}, "method": "asha", "max_trials": -1, "max_cost_usd": 5,
		"space": {"learning_rate": {"log": [-1, 3]}, "epochs": {"int": [1, 3]}, "foo": {"choice": [1]}}}`}.Send(t, h.URL)
	if answer.StatusCode != http.StatusUnprocessableEntity {
		t.Fatalf("%d %s", answer.StatusCode, body)
	}
	var p struct{ Errors []jobs.Problem }
	if err := json.Unmarshal(body, &p); err != nil {
		t.Fatal(err)
	}
	var at []string
	for _, e := range p.Errors {
		at = append(at, e.Pointer)
	}
	slices.Sort(at)
	want := []string{"/job/dataset", "/job/epoch", "/job/max_cost_usd", "/job/max_cost_usd", "/job/validate_every", "/max_cost_usd", "/max_trials", "/space/epochs", "/space/foo", "/space/learning_rate/log/0"}
	if !slices.Equal(at, want) {
		t.Errorf("problems at %v, want %v", at, want)
	}
}

// A stream begins with the search as it is, tells each event once by its number, and
// ends with the search.
func TestSearchStream(t *testing.T) {
	b := newBench(t, nil)
	area, stepper := tuned(b)
	h := httptest.NewServer(New(Config{}, area))
	t.Cleanup(h.Close)
	made := decode[searches.View](t, func() []byte {
		_, body := apitest.Request{Method: "POST", Path: "/v1/searches", Header: map[string]string{"Content-Type": "application/json"}, Body: `{
			"job": {"dataset": "stereopolymer_input_nopush", "prediction_columns": ["Tg"], "epochs": 9, "publish": null}, "space": {"learning_rate": {"log": [1e-5, 1e-3]}}, "max_trials": 3}`}.Send(t, h.URL)
		return body
	}())
	if _, err := area.Cancel(context.Background(), made.ID); err != nil {
		t.Fatal(err)
	}
	if err := stepper.Step(t.Context(), made.ID); err != nil {
		t.Fatal(err)
	}
	stream := func(header string) (int, string) {
		r := apitest.Request{Path: "/v1/searches/" + made.ID + "/events", Header: map[string]string{"Accept": "text/event-stream"}}
		if header != "" {
			r.Header["Last-Event-ID"] = header
		}
		answer, body := r.Send(t, h.URL)
		return answer.StatusCode, string(body)
	}
	status, text := stream("")
	if status != 200 || !strings.HasPrefix(text, "event: snapshot") || strings.Count(text, "event: search.created") != 1 || strings.Count(text, "event: search.cancelled") != 1 || !strings.Contains(text, "id: 2\n") {
		t.Errorf("%d %s", status, text)
	}
	if status, text := stream("2"); status != http.StatusNoContent {
		t.Errorf("everything seen: %d %s", status, text)
	}
}
