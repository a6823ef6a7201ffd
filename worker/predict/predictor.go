package predict

import (
	"context"
	"log/slog"
	"runtime"
	"time"

	"golang.org/x/sync/errgroup"

	"polyid-trainer/data"
	"polyid-trainer/jobs"
	"polyid-trainer/jobs/predictions"
	"polyid-trainer/nn/ensemble"
	"polyid-trainer/nn/train"
)

// Config is what a Predictor needs.
type Config struct {
	Models *Models
	Store  *predictions.Store // of queued predictions; nil answers at once only
	Worker string             // "host:pid", as records show it
	Log    *slog.Logger

	// Folds computed at once, over all requests; 0 is one per core.
	Workers int
	// Those of them for queued predictions; 0 is half, so that trainings beside
	// them go on.
	Queued int
	// Observe hears of every request that was answered; nil for nobody.
	Observe func(ok, failed int, took time.Duration)
	TempDir string // for results while they are made; "" is the system's

	Now   func() time.Time                     // nil is time.Now
	After func(time.Duration) <-chan time.Time // nil is time.After
}

// Predictor answers predictions. It is safe for concurrent use.
type Predictor struct {
	Config
	all, queued slots
}

// slots are semaphores: a slot is taken of each, in this order.
type slots []chan struct{}

// enter waits for a slot.
func (t slots) enter() (leave func()) {
	for _, c := range t {
		c <- struct{}{}
	}
	return func() {
		for _, c := range t {
			<-c
		}
	}
}

// most is how many slots there are.
func (t slots) most() int { return cap(t[0]) }

// New makes a Predictor.
func New(c Config) *Predictor {
	if c.Workers == 0 {
		c.Workers = runtime.GOMAXPROCS(0)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.After == nil {
		c.After = time.After
	}
	if c.Queued == 0 {
		c.Queued = max(1, c.Workers/2)
	}
	all := make(chan struct{}, c.Workers)
	return &Predictor{Config: c, all: slots{all}, queued: slots{make(chan struct{}, c.Queued), all}}
}

// Answer predicts at once. Errors are those of [Models.Use].
func (p *Predictor) Answer(ctx context.Context, q *Request) (*Response, error) {
	began := p.Now()
	model, done, err := p.Models.Use(ctx, q.Model)
	if err != nil {
		return nil, err
	}
	defer done()
	out := &Response{ID: jobs.NewID(jobs.PredictionPrefix), Object: "prediction", Status: predictions.Succeeded,
		Model: named(q.Model, model, p.Models.Default), Results: make([]Result, 0, len(q.Inputs))}
	err = run(ctx, model, p.all, len(q.Inputs), ensemble.Together, q.polymer(model), func(_ int, r Result) error {
		out.add(r)
		return nil
	})
	if err != nil {
		return nil, err
	}
	out.Aggregate = aggregate(q.Aggregate, model, out.Results)
	p.observe(out.Counts, began)
	return out, nil
}

func (out *Response) add(r Result) {
	out.Results = append(out.Results, r)
	count(&out.Counts, r)
}

func count(c *predictions.Counts, r Result) {
	c.Total++
	if r.Error != nil {
		c.Failed++
	} else {
		c.OK++
	}
}

func (p *Predictor) observe(c predictions.Counts, began time.Time) {
	if p.Observe != nil {
		p.Observe(c.OK, c.Failed, p.Now().Sub(began))
	}
}

// named is the model as an answer names it: as asked for, with its commit.
func named(ref jobs.Revision, m *Model, configured jobs.Revision) predictions.Model {
	if ref.Revision == "" {
		ref.Revision = configured.Revision
	}
	return predictions.Model{Repo: m.Repo, Revision: ref.Revision, Commit: m.Commit}
}

// polymer gives the polymers of q's inputs.
func (q *Request) polymer(m *Model) func(int) polymer {
	return func(i int) polymer {
		in := q.Inputs[i].polymer(&m.Config)
		in.explain = q.Explain
		if q.Aggregate != nil {
			in.keys = q.Aggregate.Keys(&in.structure)
		}
		return in
	}
}

// run predicts n polymers and passes the results on in their order, from one
// goroutine. No more than a few are held at a time. Whatever is computed takes a
// slot; at most so many go through the ensemble together.
func run(ctx context.Context, m *Model, t slots, n, most int, at func(int) polymer, emit func(int, Result) error) error {
	type job struct {
		polymers []polymer
		results  chan []Result
	}
	groups := max(1, min(t.most(), n))
	size := min(most, (n+groups-1)/groups)
	group, ctx := errgroup.WithContext(ctx)
	todo := make(chan job)
	order := make(chan chan []Result, 2*groups) // results to come
	group.Go(func() error {
		defer close(todo)
		defer close(order)
		for i := 0; i < n; i += size {
			j := job{results: make(chan []Result, 1)}
			for k := i; k < min(i+size, n); k++ {
				j.polymers = append(j.polymers, at(k))
			}
			select {
			case order <- j.results:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
			select {
			case todo <- j:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		return nil
	})
	for range groups {
		group.Go(func() error {
			for j := range todo {
				j.results <- m.predict(j.polymers, t.enter)
			}
			return nil
		})
	}
	group.Go(func() error {
		i := 0
		for results := range order {
			select {
			case rs := <-results:
				for _, r := range rs {
					if err := emit(i, r); err != nil {
						return err
					}
					i++
				}
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		return nil
	})
	return group.Wait()
}

// aggregate averages results as PolyID does: over the folds' predictions of all
// inputs that agree in the columns asked for. Failed inputs are in none.
func aggregate(a *data.Aggregation, m *Model, results []Result) []Aggregate {
	if a == nil {
		return nil
	}
	var keys [][]string
	var values [][]float64
	var input []int // of each row of values
	for i, r := range results {
		for _, chain := range r.perChain {
			for k := range m.ensemble.Folds() {
				row := make([]float64, len(chain))
				for t := range chain {
					row[t] = chain[t][k]
				}
				keys, values, input = append(keys, r.keys), append(values, row), append(input, i)
			}
		}
	}
	out := []Aggregate{}
	if len(values) == 0 {
		return out
	}
	for _, g := range a.Apply(keys, values) {
		one := Aggregate{Keys: map[string]string{}, Predictions: map[string]map[string]train.Measure{}}
		for i, by := range a.By {
			one.Keys[by] = g.Keys[i]
		}
		for _, row := range g.Rows {
			if n := len(one.Inputs); n == 0 || one.Inputs[n-1] != input[row] {
				one.Inputs = append(one.Inputs, input[row])
			}
		}
		for t, target := range m.Config.Targets {
			one.Predictions[target.Name] = map[string]train.Measure{}
			for f, name := range a.Functions {
				one.Predictions[target.Name][name] = train.Measure(g.Values[t*len(a.Functions)+f])
			}
		}
		out = append(out, one)
	}
	return out
}
