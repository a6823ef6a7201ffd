package metrics

import (
	"context"
	"encoding/json"
	"log/slog"
	"maps"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"polyid-trainer/jobs"
)

const (
	// refreshEvery is how old what is shown may be.
	refreshEvery = 10 * time.Second
	// refreshWithin is how long a scrape waits for what is shared.
	refreshWithin = 5 * time.Second
	// alive is the age of a heartbeat at which its fold no longer counts as running.
	alive = 30 * time.Second
)

// Sources are where what is shared is read.
type Sources struct {
	Queue interface {
		Depth() (map[jobs.Kind]int, error)
	}
	Jobs interface {
		Job(ctx context.Context, id string) (*jobs.Job, error)
		Active(ctx context.Context) ([]*jobs.Job, error)
		CountEnded(ctx context.Context) (map[jobs.State]int, error)
	}
	Live interface {
		Progress(ctx context.Context, job string, folds int) ([]json.RawMessage, error)
	}
	Now func() time.Time
	Log *slog.Logger
}

// shared collects what all processes share.
type shared struct {
	Sources
	began time.Time // what happened before is not counted

	epochs    prometheus.Counter
	durations prometheus.Histogram
	errors    *prometheus.CounterVec

	mu    sync.Mutex
	taken time.Time
	last  snapshot
	seen  map[string]int // events of each job that was active
	epoch map[foldOf]int // up to which each fold's are counted
}

// foldOf names a fold.
type foldOf struct {
	job   string
	index int
}

// place is what a fold trains on: kernels, and a device if it tells of one.
type place struct{ path, device string }

// snapshot is what was last read.
type snapshot struct {
	depth map[jobs.Kind]int // nil if it could not be read
	jobs  map[jobs.State]int
	folds int           // that told of themselves just now
	on    map[place]int // of these, by what they train on
	pace  float64
}

func newShared(s Sources) *shared {
	return &shared{
		Sources: s, began: s.Now(), seen: map[string]int{}, epoch: map[foldOf]int{},
		epochs: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "polyid_training_epochs_total", Help: "Epochs that folds were seen to finish since this process began.",
		}),
		durations: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "polyid_fold_duration_seconds", Help: "Time from a fold's first start to its end, waiting included.",
			Buckets: []float64{1, 10, 60, 300, 900, 3600, 3 * 3600, 6 * 3600, 12 * 3600, 24 * 3600, 48 * 3600, 7 * 24 * 3600},
		}),
		errors: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "polyid_metrics_errors_total", Help: "Times that a source of these metrics could not be read.",
		}, []string{"source"}),
	}
}

var (
	depthDesc = prometheus.NewDesc("polyid_queue_depth", "Tasks that wait to be worked on.", []string{"kind"}, nil)
	jobsDesc  = prometheus.NewDesc("polyid_training_jobs", "Training jobs in each state.", []string{"state"}, nil)
	foldsDesc = prometheus.NewDesc("polyid_training_folds_running", "Folds that a worker trains now.", nil, nil)
	pathsDesc = prometheus.NewDesc("polyid_training_folds_on", "Folds that a worker trains now on each kind of kernels, cuda is a GPU, and on each of a worker's devices.", []string{"path", "device"}, nil)
	paceDesc  = prometheus.NewDesc("polyid_training_steps_per_second", "Steps a second of all folds together.", nil, nil)
)

// Describe implements prometheus.Collector.
func (s *shared) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{depthDesc, jobsDesc, foldsDesc, pathsDesc, paceDesc, s.epochs.Desc(), s.durations.Desc()} {
		ch <- d
	}
	s.errors.Describe(ch)
}

// Collect implements prometheus.Collector.
func (s *shared) Collect(ch chan<- prometheus.Metric) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now := s.Now(); s.taken.IsZero() || now.Sub(s.taken) >= refreshEvery {
		s.refresh(now)
	}
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	for kind, n := range s.last.depth {
		gauge(depthDesc, float64(n), string(kind))
	}
	for state, n := range s.last.jobs {
		gauge(jobsDesc, float64(n), string(state))
	}
	if s.last.jobs != nil {
		gauge(foldsDesc, float64(s.last.folds))
		gauge(paceDesc, s.last.pace)
		for on, n := range s.last.on {
			gauge(pathsDesc, float64(n), on.path, on.device)
		}
	}
	ch <- s.epochs
	ch <- s.durations
	s.errors.Collect(ch)
}

// refresh reads everything anew. What cannot be read is left out: a number that
// is missing raises an alarm, an old one raises none.
func (s *shared) refresh(now time.Time) {
	ctx, cancel := context.WithTimeout(context.Background(), refreshWithin)
	defer cancel()
	s.last = snapshot{on: map[place]int{}}
	s.taken = now
	depth, err := s.Queue.Depth()
	if s.ok("queue", err) {
		s.last.depth = map[jobs.Kind]int{}
		for _, k := range []jobs.Kind{jobs.Prepare, jobs.TrainFold, jobs.Finalize, jobs.Publish, jobs.Notify, jobs.Predict, jobs.StepSearch} {
			s.last.depth[k] = depth[k]
		}
	}
	active, err := s.Jobs.Active(ctx)
	if !s.ok("records", err) {
		return
	}
	count, err := s.Jobs.CountEnded(ctx)
	if !s.ok("records", err) {
		return
	}
	for _, st := range []jobs.State{jobs.Queued, jobs.Preparing, jobs.Training, jobs.Finalizing, jobs.Publishing, jobs.Paused} {
		count[st] = 0
	}
	for _, j := range active {
		if !j.State.Ended() {
			count[j.State]++
		}
	}
	s.last.jobs = count
	s.finished(ctx, active)
	for _, j := range active {
		if j.State == jobs.Training && j.Data != nil {
			s.heartbeats(ctx, now, j)
		}
	}
	maps.DeleteFunc(s.epoch, func(f foldOf, _ int) bool { _, ok := s.seen[f.job]; return !ok })
}

// finished observes the folds that ended since the last time, also of the jobs
// that ended with them.
func (s *shared) finished(ctx context.Context, active []*jobs.Job) {
	now := make(map[string]int, len(active))
	for _, j := range active {
		s.observe(j, s.seen[j.ID])
		now[j.ID] = len(j.Events)
	}
	for id, from := range s.seen {
		if _, still := now[id]; still {
			continue
		}
		j, err := s.Jobs.Job(ctx, id)
		switch {
		case jobs.ErrorCode(err) == jobs.NotFound:
		case s.ok("records", err):
			s.observe(j, from)
		default:
			now[id] = from // to be tried again
		}
	}
	s.seen = now
}

// observe looks at a job's events from a number on.
func (s *shared) observe(j *jobs.Job, from int) {
	started := map[int]time.Time{}
	for i, e := range j.Events {
		c, ok := foldEventOf(e)
		if !ok {
			continue
		}
		if _, ok := started[c.Fold]; !ok {
			started[c.Fold] = e.Time
		}
		if e.Type == jobs.EventFoldFinished && i >= from && !e.Time.Before(s.began) {
			s.durations.Observe(e.Time.Sub(started[c.Fold]).Seconds())
		}
	}
}

// foldEvent is what the events of a fold have in common.
type foldEvent struct {
	Fold  int `json:"fold"`
	Epoch int `json:"epoch"` // of one that starts or is resumed: where
}

func foldEventOf(e jobs.Event) (f foldEvent, ok bool) {
	switch e.Type {
	case jobs.EventFoldStarted, jobs.EventFoldResumed, jobs.EventFoldFinished:
		return f, json.Unmarshal(e.Data, &f) == nil
	}
	return f, false
}

// heartbeats adds what the folds of a job that is training tell of themselves.
func (s *shared) heartbeats(ctx context.Context, now time.Time, j *jobs.Job) {
	told, err := s.Live.Progress(ctx, j.ID, len(j.Data.Folds))
	if !s.ok("live", err) {
		return
	}
	for i, raw := range told {
		var b jobs.Heartbeat
		if len(raw) == 0 || json.Unmarshal(raw, &b) != nil {
			continue
		}
		if now.Sub(b.Time) < alive {
			s.last.folds++
			if b.Path != "" {
				s.last.on[place{b.Path, b.Device}]++
			}
			if b.MSPerStep > 0 {
				s.last.pace += 1000 / b.MSPerStep
			}
		}
		f := foldOf{j.ID, i}
		from, known := s.epoch[f]
		if !known {
			from = s.firstEpoch(j, i, b.Epoch)
		}
		s.epochs.Add(float64(max(0, b.Epoch-from)))
		s.epoch[f] = b.Epoch
	}
}

// firstEpoch is the epoch from which to count those of a fold that is seen for
// the first time at an epoch: where it started, if since this process began.
func (s *shared) firstEpoch(j *jobs.Job, fold, epoch int) int {
	for _, e := range j.Events {
		if c, ok := foldEventOf(e); ok && c.Fold == fold && e.Type != jobs.EventFoldFinished && !e.Time.Before(s.began) {
			return min(c.Epoch, epoch)
		}
	}
	return epoch
}

// ok notes a source that could not be read.
func (s *shared) ok(source string, err error) bool {
	if err == nil {
		return true
	}
	s.errors.WithLabelValues(source).Inc()
	s.Log.Warn("reading metrics", "source", source, "error", err)
	return false
}
