package predict_test

import (
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"polyid-trainer/jobs"
	"polyid-trainer/nn"
	"polyid-trainer/nn/cpu"
	"polyid-trainer/nn/ensemble"
	"polyid-trainer/nn/revision"
	"polyid-trainer/nn/revision/revisiontest"
	"polyid-trainer/storage/hub"
	"polyid-trainer/storage/hub/hubserver"
	"polyid-trainer/worker/predict"
)

const repo = "polyid/polyid-models"

// The repeat units of polylactide and polystyrene.
const (
	lactide = "*OC(C)C(=O)*"
	styrene = "*CC(*)c1ccccc1"
)

// bench is a Hub, and Models and a Predictor that load from it.
type bench struct {
	*testing.T
	hub    *hub.Client
	cache  string
	server *httptest.Server
	away   atomic.Bool // the Hub fails
	models *predict.Models
	*predict.Predictor
	runs   atomic.Int64    // forward passes
	before func(run int64) // each forward pass; nil is nothing
}

func newBench(t *testing.T) *bench {
	t.Helper()
	h, err := hubserver.New(hubserver.Config{Dir: t.TempDir(), Prefix: "/hub"})
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{T: t, cache: t.TempDir()}
	b.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if b.away.Load() {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		h.ServeHTTP(w, r)
	}))
	t.Cleanup(b.server.Close)
	b.restart(predict.ModelsConfig{})
	return b
}

// restart makes new Models on what is in the cache and on the Hub.
func (b *bench) restart(c predict.ModelsConfig) {
	b.Helper()
	var err error
	b.hub, err = hub.New(hub.Config{Endpoint: b.server.URL + "/hub", CacheDir: b.cache, Backoff: time.Nanosecond, Retries: -1})
	if err != nil {
		b.Fatal(err)
	}
	c.Hub, c.NewEngine, c.Log = b.hub, b.newEngine, slog.New(slog.DiscardHandler)
	c.Default = jobs.Revision{Repo: repo}
	b.models = predict.NewModels(c)
	b.Predictor = predict.New(predict.Config{Models: b.models, Worker: "a:1", Log: c.Log, Workers: 2, TempDir: b.T.TempDir()})
}

func (b *bench) newEngine(c nn.Config, s nn.Sizes, seed uint64) (nn.Engine, error) {
	e, err := cpu.New(c, s, seed)
	return counted{e, b}, err
}

// counted counts an engine's forward passes.
type counted struct {
	nn.Engine
	bench *bench
}

func (c counted) Predict(b *nn.Batch, dst []float32) error {
	run := c.bench.runs.Add(1)
	if c.bench.before != nil {
		c.bench.before(run)
	}
	return c.Engine.Predict(b, dst)
}

// revisions are made once.
var revisions = struct {
	sync.Mutex
	made map[uint64]*revision.Revision
}{made: map[uint64]*revision.Revision{}}

func tiny(t *testing.T, seed uint64) *revision.Revision {
	t.Helper()
	revisions.Lock()
	defer revisions.Unlock()
	if revisions.made[seed] == nil {
		revisions.made[seed] = revisiontest.Tiny(t, 2, seed)
	}
	return revisions.made[seed]
}

// commit publishes files on a branch and returns the commit.
func (b *bench) commit(branch string, files map[string][]byte) string {
	b.Helper()
	return b.commitTo(repo, branch, files)
}

func (b *bench) commitTo(repo, branch string, files map[string][]byte) string {
	b.Helper()
	if err := b.hub.EnsureRepo(b.Context(), repo, false); err != nil {
		b.Fatal(err)
	}
	m := hub.Commit{Summary: "publish"}
	for _, path := range slices.Sorted(maps.Keys(files)) {
		m.Add = append(m.Add, hub.Bytes(path, files[path]))
	}
	commit, err := b.hub.Commit(b.Context(), repo, branch, m)
	if err != nil {
		b.Fatal(err)
	}
	return commit
}

// publish publishes the tiny revision of a seed.
func (b *bench) publish(seed uint64) string {
	b.Helper()
	return b.commit("main", revisiontest.TinyFiles(b.T, 2, seed))
}

// answer predicts and expects it to work.
func (b *bench) answer(q *predict.Request) *predict.Response {
	b.Helper()
	r, err := b.Answer(b.Context(), q)
	if err != nil {
		b.Fatal(err)
	}
	return r
}

// expect is what nn/ensemble says of a chain.
func expect(t *testing.T, r *revision.Revision, smiles string) *ensemble.Prediction {
	t.Helper()
	e, err := ensemble.New(r.Models, cpu.New, r.Calibration)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	g, err := e.Featurizer().Graph(smiles)
	if err != nil {
		t.Fatal(err)
	}
	p, err := e.Predict(e.Plan(g))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// equal compares a result with the ensemble's own answer, exactly.
func equal(t *testing.T, got predict.Result, want *ensemble.Prediction, r *revision.Revision) {
	t.Helper()
	if got.Error != nil {
		t.Fatalf("an error instead of a prediction: %+v", got.Error)
	}
	for i, target := range r.Config.Targets {
		p, w := got.Predictions[target.Name], want.Values[i]
		if float64(p.Mean) != w.Mean || float64(p.Std) != w.Std || p.Units != target.Units || len(p.PerFold) != len(w.PerFold) {
			t.Errorf("%s is %+v, want %+v", target.Name, p, w)
		}
		for k := range w.PerFold {
			if float64(p.PerFold[k]) != w.PerFold[k] {
				t.Errorf("%s of fold %d is %v, want %v", target.Name, k, p.PerFold[k], w.PerFold[k])
			}
		}
		if (p.Interval == nil) != (w.Interval == nil) || w.Interval != nil && *p.Interval != [2]float64{w.Interval.Low, w.Interval.High} {
			t.Errorf("%s has interval %v, want %v", target.Name, p.Interval, w.Interval)
		}
	}
}
