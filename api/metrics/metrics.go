// Package metrics tells Prometheus how the service is doing.
//
// What this process does itself is counted as it happens: requests, tasks,
// webhook attempts, predictions. What all processes share (the queue, the jobs
// and the folds under way) is read from Redis and the records when asked for,
// at most every few seconds, so that scrapes are cheap however often they come;
// every api process shows the same of it: take the maximum, not the sum.
package metrics

import (
	"net/http"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Metrics are those of one process. It is safe for concurrent use.
type Metrics struct {
	registry    *prometheus.Registry
	requests    *prometheus.HistogramVec
	streams     *prometheus.GaugeVec
	tasks       *prometheus.HistogramVec
	webhooks    *prometheus.CounterVec
	inputs      *prometheus.CounterVec
	predictions prometheus.Histogram
}

// quick are buckets of what should take milliseconds, in seconds.
var quick = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}

// New makes the metrics of a process of a version of the code. With no sources
// there is nothing shared to show.
func New(version string, sources *Sources) *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "polyid_http_request_duration_seconds", Help: "Time until a request was answered, event streams apart.", Buckets: quick,
		}, []string{"method", "route", "code"}),
		streams: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "polyid_http_requests_in_flight", Help: "Requests being answered, event streams included.",
		}, []string{"route"}),
		tasks: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "polyid_task_duration_seconds", Help: "Time that this process worked on a delivered task.",
			Buckets: []float64{.01, .05, .1, .5, 1, 5, 15, 60, 300, 1800, 7200, 36000},
		}, []string{"kind", "outcome"}),
		webhooks: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "polyid_webhook_attempts_total", Help: "Attempts to deliver a webhook.",
		}, []string{"outcome"}),
		inputs: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "polyid_predictions_total", Help: "Inputs that were predicted, or could not be.",
		}, []string{"outcome"}),
		predictions: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "polyid_prediction_request_duration_seconds", Help: "Time to predict all inputs of one request.", Buckets: quick,
		}),
	}
	m.registry.MustRegister(
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), buildInfo(version),
		m.requests, m.streams, m.tasks, m.webhooks, m.inputs, m.predictions,
	)
	if sources != nil {
		m.registry.MustRegister(newShared(*sources))
	}
	return m
}

// Handler answers scrapes.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError, Registry: m.registry})
}

// Damaged shows how many records are known to be damaged.
func (m *Metrics) Damaged(count func() int) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "polyid_damaged_records", Help: "Records that were met and cannot be read: see api doctor.",
	}, func() float64 { return float64(count()) }))
}

// Webhook counts one attempt to deliver a webhook.
func (m *Metrics) Webhook(outcome string) { m.webhooks.WithLabelValues(outcome).Inc() }

// Predicted counts the inputs of one request that was answered.
func (m *Metrics) Predicted(ok, failed int, took time.Duration) {
	m.inputs.WithLabelValues("ok").Add(float64(ok))
	m.inputs.WithLabelValues("failed").Add(float64(failed))
	m.predictions.Observe(took.Seconds())
}

// buildInfo is constantly 1 and says in its labels what runs.
func buildInfo(version string) prometheus.Collector {
	revision := ""
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				revision = s.Value
			}
		}
	}
	g := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "polyid_build_info", Help: "What runs.",
		ConstLabels: prometheus.Labels{"version": version, "revision": revision, "go": runtime.Version(), "platform": runtime.GOOS + "/" + runtime.GOARCH},
	})
	g.Set(1)
	return g
}
