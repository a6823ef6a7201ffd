package httpapi

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"

	"polyid-trainer/api/apitest"
	"polyid-trainer/api/datasets"
	"polyid-trainer/jobs"
	"polyid-trainer/jobs/lease"
)

// undocumented are the routes that are no part of the document: pages and other
// protocols.
var undocumented = []string{
	"GET /static/*", "GET /", "GET /docs", "GET /docs/*", "GET /login", "POST /login", "POST /logout",
	"GET /openapi.json", "GET /openapi.yaml", "GET /openapi-3.0.json", "GET /openapi-3.0.yaml",
	"GET /metrics",
}

// validated is a server whose every answer is held to its own document.
type validated struct {
	*testing.T
	server *Server
	router routers.Router

	mu   sync.Mutex
	seen map[string]bool // operations answered with success
}

// validate checks a server's document.
func validate(t *testing.T, s *Server) *validated {
	t.Helper()
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "http://localhost/openapi.json", nil))
	document, err := openapi3.NewLoader().LoadFromData(w.Body.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(document.OpenAPI, "3.1") {
		t.Errorf("the document is OpenAPI %s", document.OpenAPI)
	}
	// JSON Schema 2020-12 allows keywords that it does not know.
	if err := document.Validate(t.Context(), openapi3.AllowExtraSiblingFields("patternDescription")); err != nil {
		t.Errorf("the document: %v", err)
	}
	router, err := gorillamux.NewRouter(document)
	if err != nil {
		t.Fatal(err)
	}
	return &validated{T: t, server: s, router: router, seen: map[string]bool{}}
}

// ServeHTTP answers and checks the answer.
func (v *validated) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	rec := httptest.NewRecorder()
	v.server.ServeHTTP(rec, r)
	answer, body := rec.Result(), rec.Body.Bytes()
	if route, params, err := v.router.FindRoute(r); err == nil {
		v.held(r, route, params, answer, body)
	} else if answer.StatusCode < 400 {
		v.Errorf("%s %s is answered and not documented: %v", r.Method, r.URL.Path, err)
	}
	for name, values := range answer.Header {
		w.Header()[name] = values
	}
	w.WriteHeader(answer.StatusCode)
	w.Write(body)
}

// held checks an answer against the operation's description.
func (v *validated) held(r *http.Request, route *routers.Route, params map[string]string, answer *http.Response, body []byte) {
	input := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{Request: r, PathParams: params, Route: route},
		Status:                 answer.StatusCode, Header: answer.Header,
		Options: &openapi3filter.Options{IncludeResponseStatus: true, MultiError: true},
	}
	input.SetBodyBytes(body)
	if err := openapi3filter.ValidateResponse(r.Context(), input); err != nil {
		v.Errorf("%s %s answers %d %s, which is not as documented: %v", r.Method, r.URL.Path, answer.StatusCode, body, err)
	}
	if answer.StatusCode < 300 {
		v.mu.Lock()
		defer v.mu.Unlock()
		v.seen[route.Method+" "+route.Path] = true
	}
}

type operation struct{ method, path string }

// operations lists what the document describes.
func (v *validated) operations() []operation {
	var all []operation
	for path, item := range v.server.api.OpenAPI().Paths {
		for method, op := range map[string]bool{
			http.MethodGet: item.Get != nil, http.MethodPost: item.Post != nil, http.MethodDelete: item.Delete != nil,
			http.MethodPut: item.Put != nil, http.MethodPatch: item.Patch != nil,
		} {
			if op {
				all = append(all, operation{method, path})
			}
		}
	}
	return all
}

// Every route of the router is in the document, but for pages.
func TestDocumented(t *testing.T) {
	b := newBench(t, nil)
	s := New(Config{}, b.area, &Datasets{Library: b.area.Library}, &Searches{}, &Predictions{}, &Models{}, &Usage{}, &Metrics{Handler: http.NotFoundHandler()})
	v := validate(t, s)
	documented := map[string]bool{}
	for _, op := range v.operations() {
		documented[op.method+" "+strings.NewReplacer("{", ":", "}", "").Replace(op.path)] = true
	}
	for _, r := range s.echo.Routes() {
		if name := r.Method + " " + r.Path; !documented[name] && !slices.Contains(undocumented, name) {
			t.Errorf("%s is not in the document", name)
		}
	}
	for path, item := range s.api.OpenAPI().Paths {
		if item.Get != nil && item.Get.Summary == "" || item.Post != nil && item.Post.Summary == "" {
			t.Errorf("%s has an operation without a summary", path)
		}
	}
}

// A client's way through every operation; every answer is as the document says.
func TestContract(t *testing.T) {
	b := newBench(t, nil)
	b.area.Estimator = pace{Step: time.Millisecond, Validate: time.Millisecond, Parallel: 1, Path: "avx2"}
	v := validate(t, New(Config{Now: func() time.Time { return noon }}, b.area, &Datasets{Library: b.area.Library}))
	h := httptest.NewServer(v)
	t.Cleanup(h.Close)
	b.url = h.URL
	send := func(method, path, body string, header ...string) []byte {
		t.Helper()
		_, answer := apitest.NewRequest(method, path, body, header...).Send(t, h.URL)
		return answer
	}
	for _, path := range []string{"/livez", "/readyz"} {
		send("GET", path, "")
	}
	d := decode[datasets.Dataset](t, send("POST", "/v1/datasets", polymers(12), "Content-Type", "text/csv"))
	send("POST", "/v1/datasets", "x", "Content-Type", "text/csv")
	upload := "/v1/datasets/uploads/" + decode[datasets.Upload](t, send("POST", "/v1/datasets/uploads?name=parts", "")).ID
	send("PUT", upload+"?offset=0", polymers(20), "Content-Type", "text/csv")
	send("PUT", upload+"?offset=3", "x", "Content-Type", "text/csv")
	send("GET", upload, "")
	send("POST", upload+"/complete", "")
	send("GET", upload, "")
	send("GET", "/v1/datasets", "")
	send("GET", "/v1/datasets/"+d.ID, "")
	send("GET", "/v1/datasets/polymers_seven_properties", "")
	send("GET", "/v1/datasets/ds_nope", "")
	send("GET", "/v1/datasets/"+d.ID+"/report", "")
	send("GET", "/v1/datasets/"+d.ID+"/rows?limit=3", "")

	job := `{"dataset": "` + d.ID + `", "prediction_columns": ["Tg"], "webhook": {"url": "https://example.org"}, "metadata": {"a": "b"},
		"early_stopping": {"patience": 5}, "learning_rate_schedule": {"name": "cosine", "warmup_epochs": 2}, ` + small + `}`
	send("POST", "/v1/training-jobs/estimate", job)
	send("POST", "/v1/training-jobs/estimate", `{"dataset": ["a", "b"], "holdout": {"fraction": 0.2}}`)
	send("POST", "/v1/training-jobs", `{}`)
	id := decode[jobs.View](t, send("POST", "/v1/training-jobs", job, "Idempotency-Key", "k")).ID
	path := "/v1/training-jobs/" + id
	send("GET", path, "")
	send("PATCH", path, `{"name": "PET"}`)
	send("PATCH", "/v1/datasets/"+d.ID, `{"notes": "of the year"}`)
	send("GET", "/v1/training-jobs?status=queued", "")
	send("GET", path+"/folds", "")
	b.folds(id, 2)
	if _, err := b.store.UpdateFold(t.Context(), id, 0, func(f *jobs.Fold) error {
		f.Checkpoint = &jobs.Checkpoint{Key: "c", Epoch: 2, Loss: 0.5, ValLoss: 0.5, BestValLoss: 0.5, BestEpoch: 1}
		f.Status = jobs.FoldRunning
		return f.Lease.Claim(noon, "host:1", "token", lease.Length)
	}); err != nil {
		t.Fatal(err)
	}
	b.put("c", string(model(t, epochs)))
	b.put("jobs/"+id+"/prepared.json", `{"folds":{"0":{"train":[1],"validate":[0]}},"holdout":null,"groups":[0,1]}`)
	b.put("jobs/"+id+"/folds/0/predictions.json", scored)
	for _, below := range []string{"", "/folds", "/folds/0/history", "/folds/1/history", "/folds/7/history", "/folds/0/predictions", "/folds/1/predictions", "/dataset", "/events"} {
		send("GET", path+below, "")
	}
	for _, action := range []string{"pause", "resume", "publish"} {
		send("POST", path+"/"+action, "")
	}
	b.update(id, func(j *jobs.Job) error { return j.Fail(noon, jobs.Failure{Code: "x", Detail: "y"}) })
	send("GET", path, "")
	b.update(id, func(j *jobs.Job) error {
		j.Left = jobs.Publishing
		j.Metrics = []byte(`{"out_of_fold":{},"holdout":null}`)
		j.Published = &jobs.Publication{Repo: "a/b", Branch: "main", Commit: "c", URL: "https://example.org"}
		return nil
	})
	send("POST", path+"/publish", `{"tag": "v1.0.0"}`)
	send("GET", path, "")
	send("PATCH", path, `{"name": "ours", "shared_with": ["*"]}`)
	send("POST", path+"/cancel", "")
	b.update(id, func(j *jobs.Job) error { j.Stage = lease.Lease{}; return nil })
	if _, err := b.store.UpdateFold(t.Context(), id, 0, func(f *jobs.Fold) error { return f.Leave("token", jobs.FoldCancelled) }); err != nil {
		t.Fatal(err)
	}
	send("DELETE", path, "")
	send("PATCH", "/v1/datasets/"+d.ID, `{"tags": ["x"]}`)
	send("DELETE", "/v1/datasets/"+d.ID, "")
	send("GET", "/v1/recipes", "")
	send("GET", "/v1/nothing", "")

	for _, op := range v.operations() {
		if name := fmt.Sprintf("%s %s", op.method, op.path); !v.seen[name] {
			t.Errorf("%s was not answered with success", name)
		}
	}
}
