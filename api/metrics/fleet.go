package metrics

import (
	"context"
	"encoding/json"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"polyid-trainer/jobs"
)

// Fleet is where workers, and what waits for them, are read.
type Fleet struct {
	Workers interface {
		Workers(ctx context.Context) ([]jobs.Worker, error)
	}
	Queue interface {
		Waiting(ctx context.Context) (jobs.Waiting, error)
	}
	Live interface {
		Progress(ctx context.Context, job string, folds int) ([]json.RawMessage, error)
	}
	Now func() time.Time
	Log *slog.Logger
}

// Fleet shows the workers that are alive, the folds that they train, and what waits,
// by token.
func (m *Metrics) Fleet(f Fleet) { m.registry.MustRegister(&fleet{Fleet: f}) }

// fleet collects them, and reads them anew at most every few seconds.
type fleet struct {
	Fleet

	mu    sync.Mutex
	taken time.Time
	last  []prometheus.Metric
}

var (
	workersDesc  = prometheus.NewDesc("polyid_workers", "Workers that are alive.", nil, nil)
	slotsDesc    = prometheus.NewDesc("polyid_worker_slots", "Folds that a worker trains at once.", []string{"worker", "device"}, nil)
	busyDesc     = prometheus.NewDesc("polyid_worker_slots_busy", "Folds that a worker trains now.", []string{"worker"}, nil)
	cpuDesc      = prometheus.NewDesc("polyid_worker_cpu_cores", "Cores that a worker uses.", []string{"worker"}, nil)
	residentDesc = prometheus.NewDesc("polyid_worker_resident_bytes", "Resident memory of a worker.", []string{"worker"}, nil)
	freeDesc     = prometheus.NewDesc("polyid_worker_memory_free_bytes", "What a worker has left of the memory that folds may use.", []string{"worker"}, nil)
	foldPaceDesc = prometheus.NewDesc("polyid_fold_steps_per_second", "Steps a second of a fold that a worker trains now.", []string{"job", "fold", "worker"}, nil)
	waitingDesc  = prometheus.NewDesc("polyid_token_folds_waiting", "Folds of a token that wait for a worker.", []string{"token"}, nil)
	runningDesc  = prometheus.NewDesc("polyid_token_folds_running", "Folds of a token that workers train.", []string{"token"}, nil)
	servedDesc   = prometheus.NewDesc("polyid_token_served_seconds", "Worker-seconds of a token in the last hour, of which those of ten minutes ago count half.", []string{"token"}, nil)
	oldestDesc   = prometheus.NewDesc("polyid_oldest_waiting_fold_seconds", "How long the fold has waited that waits longest; 0 if none does.", nil, nil)
)

// Describe implements prometheus.Collector.
func (f *fleet) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{workersDesc, slotsDesc, busyDesc, cpuDesc, residentDesc, freeDesc, foldPaceDesc, waitingDesc, runningDesc, servedDesc, oldestDesc} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (f *fleet) Collect(ch chan<- prometheus.Metric) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if now := f.Now(); f.taken.IsZero() || now.Sub(f.taken) >= refreshEvery {
		ctx, cancel := context.WithTimeout(context.Background(), refreshWithin)
		defer cancel()
		f.taken, f.last = now, f.read(ctx, now)
	}
	for _, m := range f.last {
		ch <- m
	}
}

// read reads everything anew: nothing while Redis is away.
func (f *fleet) read(ctx context.Context, now time.Time) (all []prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		all = append(all, prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...))
	}
	workers, err := f.Workers.Workers(ctx)
	if err != nil {
		f.Log.Warn("reading metrics", "source", "workers", "error", err)
		return nil
	}
	waiting, err := f.Queue.Waiting(ctx)
	if err != nil {
		f.Log.Warn("reading metrics", "source", "queue", "error", err)
		return nil
	}
	busy := map[string]int{}
	for _, r := range waiting.Runs {
		busy[r.Worker]++
		f.pace(ctx, r, gauge)
	}
	gauge(workersDesc, float64(len(workers)))
	for _, w := range workers {
		gauge(slotsDesc, float64(w.Slots), w.Name, w.Device)
		gauge(busyDesc, float64(busy[w.Name]), w.Name)
		if w.Resident > 0 { // the system tells
			gauge(cpuDesc, w.CPU, w.Name)
			gauge(residentDesc, float64(w.Resident), w.Name)
		}
		if w.Memory > 0 {
			gauge(freeDesc, float64(w.MemoryFree), w.Name)
		}
	}
	oldest := 0.0
	for _, s := range waiting.Shares {
		gauge(waitingDesc, float64(s.Waiting), s.Token)
		gauge(runningDesc, float64(s.Running), s.Token)
		gauge(servedDesc, s.Served, s.Token)
		for _, i := range waiting.Items[s.Token] {
			oldest = max(oldest, now.Sub(i.Since).Seconds())
		}
	}
	gauge(oldestDesc, oldest)
	return all
}

// pace shows how fast a fold is trained, once it tells.
func (f *fleet) pace(ctx context.Context, r jobs.Run, gauge func(*prometheus.Desc, float64, ...string)) {
	told, err := f.Live.Progress(ctx, r.Job, r.Fold+1)
	if err != nil {
		return // progress may always be missing
	}
	var b jobs.Heartbeat
	if json.Unmarshal(told[r.Fold], &b) == nil && b.MSPerStep > 0 {
		gauge(foldPaceDesc, 1000/b.MSPerStep, r.Job, strconv.Itoa(r.Fold), r.Worker)
	}
}
