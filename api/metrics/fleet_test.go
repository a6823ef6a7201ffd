package metrics_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/labstack/echo/v4"

	"polyid-trainer/api/metrics"
	"polyid-trainer/jobs"
	"polyid-trainer/jobs/fairshare"
)

// workers is a fleet that says what it is told to.
type workers struct {
	*world
	alive   []jobs.Worker
	waiting jobs.Waiting
	away    error
}

func (w *workers) Workers(context.Context) ([]jobs.Worker, error) { return w.alive, w.away }

func (w *workers) Waiting(context.Context) (jobs.Waiting, error) { return w.waiting, w.away }

func newWorkers() *workers {
	task := jobs.Task{Kind: jobs.TrainFold, Job: "tj_1", Owner: "alice"}
	return &workers{
		world: &world{now: noon, depth: map[jobs.Kind]int{}, heartbeats: []json.RawMessage{heartbeat(noon, 1, 20)}},
		alive: []jobs.Worker{{Name: "a:1", Device: "cpu", Slots: 2, CPU: 1.5, Resident: 3e8, Memory: 8e9, MemoryFree: 5e9}, {Name: "b:1", Slots: 1, Device: "cuda:0"}},
		waiting: jobs.Waiting{
			Shares: []fairshare.Share{{Token: "alice", Running: 1, Waiting: 1, Served: 90}},
			Runs:   []jobs.Run{{Task: task, Worker: "a:1", Since: noon}},
			Items:  map[string][]jobs.Item{"alice": {{Task: task, Since: noon.Add(-time.Minute)}}},
		},
	}
}

func (w *workers) metrics() *metrics.Metrics {
	m := metrics.New("v1", w.sources())
	m.Fleet(metrics.Fleet{Workers: w, Queue: w, Live: w, Now: w.Now, Log: slog.New(slog.DiscardHandler)})
	m.Damaged(func() int { return 0 })
	return m
}

func TestFleet(t *testing.T) {
	w := newWorkers()
	m := w.metrics()
	wants(t, "at work", scrape(t, m),
		"polyid_workers 2", `polyid_worker_slots{device="cpu",worker="a:1"} 2`, `polyid_worker_slots_busy{worker="a:1"} 1`, `polyid_worker_slots_busy{worker="b:1"} 0`,
		`polyid_worker_cpu_cores{worker="a:1"} 1.5`, `polyid_worker_resident_bytes{worker="a:1"} 3e+08`, `polyid_worker_memory_free_bytes{worker="a:1"} 5e+09`,
		`!polyid_worker_cpu_cores{worker="b:1"}`, `polyid_fold_steps_per_second{fold="0",job="tj_1",worker="a:1"} 50`,
		`polyid_token_folds_waiting{token="alice"} 1`, `polyid_token_folds_running{token="alice"} 1`, `polyid_token_served_seconds{token="alice"} 90`, "polyid_oldest_waiting_fold_seconds 60")
	w.away = errors.New("away")
	w.now = noon.Add(time.Minute)
	wants(t, "without Redis", scrape(t, m), "!polyid_workers", "polyid_build_info")
}

// shown are the names of all metrics, once something of each kind has happened.
func shown(t *testing.T) []string {
	t.Helper()
	m := newWorkers().metrics()
	m.Webhook("delivered")
	m.Predicted(1, 1, time.Second)
	if err := m.Tasks(func(context.Context, jobs.Task) error { return nil })(t.Context(), jobs.Task{Kind: jobs.Publish}); err != nil {
		t.Fatal(err)
	}
	c := echo.New().NewContext(httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil), httptest.NewRecorder())
	if err := m.HTTP(func(c echo.Context) error { return c.NoContent(http.StatusOK) })(c); err != nil {
		t.Fatal(err)
	}
	w := newWorkers()
	w.err = errors.New("away") // so that an error is counted
	names := []string{}
	for _, m := range []*metrics.Metrics{m, w.metrics()} {
		for line := range strings.Lines(scrape(t, m)) {
			if name, ok := strings.CutPrefix(line, "# TYPE "); ok {
				name, kind, _ := strings.Cut(strings.TrimSpace(name), " ")
				names = append(names, name)
				if kind == "histogram" {
					names = append(names, name+"_bucket", name+"_count", name+"_sum")
				}
			}
		}
	}
	return names
}

// The dashboard and the alert rules ask for metrics that there are.
func TestDeployed(t *testing.T) {
	known := shown(t)
	metric := regexp.MustCompile(`\bpolyid_[a-z_]+`)
	check := func(where, expr string) {
		t.Helper()
		found := metric.FindAllString(expr, -1)
		if len(found) == 0 {
			t.Errorf("%s: %q asks for nothing", where, expr)
		}
		for _, name := range found {
			if !slices.Contains(known, name) {
				t.Errorf("%s asks for %s, which there is not", where, name)
			}
		}
		if strings.Count(expr, "(") != strings.Count(expr, ")") {
			t.Errorf("%s: %q has a parenthesis too many", where, expr)
		}
	}
	read := func(name string, into any, parse func([]byte, any) error) {
		t.Helper()
		raw, err := os.ReadFile("../deploy/" + name)
		if err != nil {
			t.Fatal(err)
		}
		if err := parse(raw, into); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	var rules struct {
		Groups []struct {
			Rules []struct {
				Alert, Expr string
				Annotations map[string]string
			}
		}
	}
	read("alerts.yaml", &rules, func(b []byte, v any) error { return yaml.Unmarshal(b, v) })
	for _, g := range rules.Groups {
		for _, r := range g.Rules {
			check(r.Alert, r.Expr)
			if r.Alert == "" || r.Annotations["summary"] == "" {
				t.Errorf("%+v says nothing", r)
			}
		}
	}
	var board struct {
		Panels []struct {
			ID      int
			Type    string
			Title   string
			Targets []struct{ Expr string }
		}
	}
	read("grafana-dashboard.json", &board, json.Unmarshal)
	for _, p := range board.Panels {
		if p.Type != "row" && len(p.Targets) == 0 {
			t.Errorf("panel %q shows nothing", p.Title)
		}
		for _, target := range p.Targets {
			check(p.Title, target.Expr)
		}
	}
	if len(board.Panels) < 10 || len(rules.Groups) == 0 {
		t.Errorf("%d panels, %d groups of rules", len(board.Panels), len(rules.Groups))
	}
}
