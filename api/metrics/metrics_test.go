package metrics_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/labstack/echo/v4"

	"polyid-trainer/api/metrics"
	"polyid-trainer/data"
	"polyid-trainer/jobs"
	"polyid-trainer/jobs/lease"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

// world is sources that say what they are told to.
type world struct {
	now        time.Time
	depth      map[jobs.Kind]int
	err        error // of the queue
	jobs       []*jobs.Job
	ended      []*jobs.Job // no longer active
	heartbeats []json.RawMessage
	queries    int
}

func (w *world) Now() time.Time { return w.now }

func (w *world) Depth() (map[jobs.Kind]int, error) {
	w.queries++
	return w.depth, w.err
}

func (w *world) Job(_ context.Context, id string) (*jobs.Job, error) {
	for _, j := range w.ended {
		if j.ID == id {
			return j, nil
		}
	}
	return nil, &jobs.Error{Code: jobs.NotFound}
}

func (w *world) Active(context.Context) ([]*jobs.Job, error) { return w.jobs, nil }

func (w *world) CountEnded(context.Context) (map[jobs.State]int, error) {
	return map[jobs.State]int{jobs.Succeeded: len(w.ended), jobs.Failed: 0, jobs.Cancelled: 0}, nil
}

func (w *world) Progress(context.Context, string, int) ([]json.RawMessage, error) {
	return w.heartbeats, nil
}

func (w *world) sources() *metrics.Sources {
	return &metrics.Sources{Queue: w, Jobs: w, Live: w, Now: w.Now, Log: slog.New(slog.DiscardHandler)}
}

func heartbeat(at time.Time, epoch int, ms float64) json.RawMessage {
	raw, err := json.Marshal(jobs.Heartbeat{Epoch: epoch, MSPerStep: ms, Attempt: 1, Time: at, Path: "cuda", Device: "cuda:0, NVIDIA A10G"})
	if err != nil {
		panic(err)
	}
	return raw
}

// scrape is the exposition, by line.
func scrape(t *testing.T, m *metrics.Metrics) string {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
	body, err := io.ReadAll(w.Body)
	if err != nil || w.Code != http.StatusOK {
		t.Fatalf("scrape: %d %s, %v", w.Code, body, err)
	}
	if strings.Contains(string(body), `promhttp_metric_handler_errors_total{cause="gathering"} 1`) {
		t.Fatal("a collector failed")
	}
	return string(body)
}

// wants checks that lines are in an exposition, or "!line" is not.
func wants(t *testing.T, when, body string, lines ...string) {
	t.Helper()
	for _, l := range lines {
		line, not := strings.CutPrefix(l, "!")
		if strings.Contains(body, "\n"+line) == not {
			t.Errorf("%s: %q is there: %v", when, line, not)
		}
	}
}

func training(t *testing.T) *jobs.Job {
	t.Helper()
	spec := jobs.DefaultSpec()
	spec.Dataset = data.Names{"x"}
	j, err := jobs.New(noon, "tester", spec)
	if err != nil {
		t.Fatal(err)
	}
	for _, move := range []error{j.Start(noon), j.Train(jobs.Prepared{Folds: make([]jobs.Size, 3)}, nil)} {
		if move != nil {
			t.Fatal(move)
		}
	}
	return j
}

func TestShared(t *testing.T) {
	j := training(t)
	old := &jobs.Fold{Index: 2, Lease: lease.Lease{Attempt: 1}}
	must(t, j.FoldClaimed(noon.Add(-time.Hour), old)) // before this process began
	w := &world{now: noon, depth: map[jobs.Kind]int{jobs.TrainFold: 4}, jobs: []*jobs.Job{j}}
	m := metrics.New("v1", w.sources())

	fold := &jobs.Fold{Index: 0, Lease: lease.Lease{Attempt: 1}, Result: &jobs.FoldResult{}}
	must(t, j.FoldClaimed(noon, fold))
	w.heartbeats = []json.RawMessage{heartbeat(noon, 3, 50), nil, heartbeat(noon.Add(-time.Minute), 100, 10)}
	body := scrape(t, m)
	wants(t, "first", body,
		`polyid_queue_depth{kind="fold"} 4`, `polyid_queue_depth{kind="predict"} 0`,
		`polyid_training_jobs{state="training"} 1`, `polyid_training_jobs{state="paused"} 0`, `polyid_training_jobs{state="succeeded"} 0`,
		`polyid_training_folds_running 1`, `polyid_training_folds_on{device="cuda:0, NVIDIA A10G",path="cuda"} 1`, `polyid_training_steps_per_second 20`,
		`polyid_training_epochs_total 3`, // not the hundred of long ago
		`polyid_fold_duration_seconds_count 0`, `polyid_build_info{`, `go_goroutines`,
	)

	// For some seconds nothing is read again.
	w.depth = map[jobs.Kind]int{}
	w.now = noon.Add(9 * time.Second)
	wants(t, "cached", scrape(t, m), `polyid_queue_depth{kind="fold"} 4`)
	if w.queries != 1 {
		t.Errorf("two scrapes read %d times", w.queries)
	}

	// The fold ends, and its job with it: that is seen though it left the list.
	w.now = noon.Add(90 * time.Second)
	must(t, j.FoldFinished(w.now, fold))
	must(t, j.Finalize(w.now))
	must(t, j.Succeed(w.now))
	w.jobs, w.ended = nil, []*jobs.Job{j}
	wants(t, "ended", scrape(t, m),
		`polyid_fold_duration_seconds_count 1`, `polyid_fold_duration_seconds_sum 90`, `polyid_training_jobs{state="succeeded"} 1`,
		`polyid_training_folds_running 0`, `polyid_training_steps_per_second 0`,
	)
	w.now = w.now.Add(time.Minute)
	wants(t, "later", scrape(t, m), `polyid_fold_duration_seconds_count 1`)

	// What cannot be read is not shown, rather than shown as it was.
	w.err = errors.New("away")
	w.now = w.now.Add(time.Minute)
	wants(t, "without Redis", scrape(t, m), `!polyid_queue_depth`, `polyid_metrics_errors_total{source="queue"} 1`, `polyid_training_jobs{state="succeeded"} 1`)
}

// Epochs are counted once, those that are trained again after a crash again.
func TestEpochs(t *testing.T) {
	j := training(t)
	w := &world{now: noon, jobs: []*jobs.Job{j}}
	m := metrics.New("v1", w.sources())
	must(t, j.FoldClaimed(noon, &jobs.Fold{Index: 0, Lease: lease.Lease{Attempt: 1}}))
	total := 0
	for i, epoch := range []int{2, 2, 5, 3, 6} {
		w.heartbeats = []json.RawMessage{heartbeat(w.now, epoch, 1)}
		total += []int{2, 0, 3, 0, 3}[i]
		wants(t, fmt.Sprint("heartbeat ", i), scrape(t, m), fmt.Sprintf("polyid_training_epochs_total %d\n", total))
		w.now = w.now.Add(time.Minute)
	}
}

func TestHTTP(t *testing.T) {
	m := metrics.New("v1", nil)
	e := echo.New()
	e.Use(m.HTTP)
	e.GET("/v1/things/:id", func(c echo.Context) error {
		if c.Param("id") == "none" {
			return echo.ErrNotFound
		}
		return c.NoContent(http.StatusNoContent)
	})
	e.GET("/v1/events", func(c echo.Context) error {
		c.Response().Header().Set("Content-Type", "text/event-stream")
		wants(t, "during", scrape(t, m), `polyid_http_requests_in_flight{route="/v1/events"} 1`)
		return c.NoContent(http.StatusOK)
	})
	for _, r := range []string{"GET /v1/things/a", "GET /v1/things/b", "GET /v1/things/none", "GET /nothing/at/all", "BREW /nothing", "GET /v1/events"} {
		method, path, _ := strings.Cut(r, " ")
		e.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), method, path, nil))
	}
	wants(t, "after", scrape(t, m),
		`polyid_http_request_duration_seconds_count{code="204",method="GET",route="/v1/things/:id"} 2`,
		`polyid_http_request_duration_seconds_count{code="404",method="GET",route="/v1/things/:id"} 1`,
		`polyid_http_request_duration_seconds_count{code="404",method="GET",route="none"} 1`,
		`polyid_http_request_duration_seconds_count{code="404",method="other",route="none"} 1`,
		`!polyid_http_request_duration_seconds_count{code="200",method="GET",route="/v1/events"}`,
		`polyid_http_requests_in_flight{route="/v1/events"} 0`,
	)
}

func TestTasks(t *testing.T) {
	m := metrics.New("v1", nil)
	stopped, stop := context.WithCancel(t.Context())
	stop()
	broken := errors.New("broken")
	for _, c := range []struct {
		ctx  context.Context
		err  error
		want string
	}{
		{t.Context(), nil, "done"},
		{t.Context(), fmt.Errorf("x: %w", jobs.ErrLost), "lost"},
		{t.Context(), jobs.Permanent(broken), "failed"},
		{t.Context(), broken, "retried"},
		{stopped, broken, "handed_back"},
	} {
		handle := m.Tasks(func(context.Context, jobs.Task) error { return c.err })
		if err := handle(c.ctx, jobs.Task{Kind: jobs.Predict}); !errors.Is(err, c.err) {
			t.Errorf("the handler's error became %v", err)
		}
		wants(t, c.want, scrape(t, m), fmt.Sprintf(`polyid_task_duration_seconds_count{kind="predict",outcome=%q} 1`, c.want))
	}
}

func TestCounters(t *testing.T) {
	m := metrics.New("v1", nil)
	m.Webhook("delivered")
	m.Webhook("refused")
	m.Webhook("refused")
	m.Predicted(9, 1, 20*time.Millisecond)
	wants(t, "counted", scrape(t, m),
		`polyid_webhook_attempts_total{outcome="delivered"} 1`, `polyid_webhook_attempts_total{outcome="refused"} 2`,
		`polyid_predictions_total{outcome="ok"} 9`, `polyid_predictions_total{outcome="failed"} 1`, `polyid_prediction_request_duration_seconds_count 1`,
	)
}

// Scrapes from many sides, while everything is counted.
func TestConcurrent(t *testing.T) {
	w := &world{now: noon, jobs: []*jobs.Job{training(t)}}
	m := metrics.New("v1", w.sources())
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			m.Webhook("delivered")
			m.Predicted(1, 0, time.Millisecond)
			scrape(t, m)
		})
	}
	wg.Wait()
	wants(t, "after", scrape(t, m), `polyid_webhook_attempts_total{outcome="delivered"} 8`)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
