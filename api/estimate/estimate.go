// Package estimate measures how fast a training job will go, by a few steps of
// its very network on its own polymers, on this machine.
package estimate

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"polyid-trainer/data"
	"polyid-trainer/featurize"
	"polyid-trainer/featurize/structure"
	"polyid-trainer/jobs"
	"polyid-trainer/nn"
	"polyid-trainer/nn/dataset"
	"polyid-trainer/nn/train"
)

// Pace is how fast a job's folds train, as many at once as the worker takes.
type Pace struct {
	Step     time.Duration  // of one fold
	Validate time.Duration  // of one row of the pass after an epoch
	Prepare  time.Duration  // of one row: its chains are grown and featurized
	Spread   float64        // how far off Step may be, as a part of it
	Parallel int            // folds at once
	Path     string         // kernels in use, as nn.Engine.Path names them
	Steps    int            // measured
	Warnings []jobs.Warning // of chains that are not as the job asks
}

// Estimator measures, and remembers what it measured. Its fields are set before
// use and not changed.
type Estimator struct {
	NewEngine nn.NewEngine
	Parallel  int // folds that a worker trains at once

	once  sync.Once
	known *lru.Cache[string, Pace]
	turn  sync.Mutex // two measurements at once would measure each other
}

const (
	remembered = 128
	least      = 64                      // rows of a sample, spread over the table
	most       = 512                     // of a job with large batches
	budget     = 1600 * time.Millisecond // for steps; validation gets a quarter
	warmUp     = 2                       // steps, which fill caches and arenas

	// spread is how far off a step's time is for reasons that no spread of the
	// measured ones shows: a processor's clock, validation, checkpoints.
	spread = 0.08
)

// Pace measures a job on its table: a second or two the first time, nothing
// from then on. A job whose folds begin with fewer at once than Parallel goes at
// the pace of that many.
func (e *Estimator) Pace(ctx context.Context, s *jobs.Spec, t *data.Table) (Pace, error) {
	e.once.Do(func() { e.known, _ = lru.New[string, Pace](remembered) }) // the size is no error
	parallel := max(1, min(e.Parallel, s.KFolds))
	key, err := identify(s, t, parallel)
	if err != nil {
		return Pace{}, err
	}
	if p, ok := e.known.Get(key); ok {
		return p, nil
	}
	e.turn.Lock()
	defer e.turn.Unlock()
	if p, ok := e.known.Get(key); ok {
		return p, nil
	}
	p, err := e.measure(ctx, s, t, parallel)
	if err == nil {
		p.Warnings, err = shortfall(ctx, s, t)
	}
	if err != nil {
		return Pace{}, fmt.Errorf("measure steps: %w", err)
	}
	e.known.Add(key, p)
	return p, nil
}

// identify names what a pace depends on.
func identify(s *jobs.Spec, t *data.Table, parallel int) (string, error) {
	text, err := json.Marshal([]any{s.Model, s.Features, s.BatchSize, s.ClipNorm, s.AverageWeights, s.Chains, parallel, t.Hash()})
	if err != nil {
		return "", fmt.Errorf("measure steps: %w", err)
	}
	sum := sha256.Sum256(text)
	return string(sum[:]), nil
}

// sampled is a few rows of a table as a fold that trains and validates on them.
type sampled struct {
	fold     *dataset.Fold
	set      *dataset.Dataset
	examples []nn.Example
	scale    float64       // rows of the table for each of the sample
	prepare  time.Duration // of one row: its chains are grown and featurized
	rebuild  time.Duration // of one row: its plan is built
}

func sample(ctx context.Context, s *jobs.Spec, t *data.Table) (*sampled, error) {
	began := time.Now()
	part, smiles, err := pick(s, t)
	if err != nil {
		return nil, err
	}
	f, err := featurize.New(s.Features)
	if err != nil {
		return nil, err
	}
	set, err := dataset.New(ctx, f, slices.Values(smiles), s.Model.NumMessages)
	if err != nil {
		return nil, err
	}
	n := len(smiles)
	out := &sampled{set: set, scale: float64(t.Rows()) / float64(n), prepare: time.Since(began) / time.Duration(n)}
	rows := make([]int, n)
	for i := range rows {
		rows[i] = i
	}
	if out.fold, err = set.Fold(part, data.Fold{Train: rows, Validate: rows}); err != nil {
		return nil, err
	}
	began = time.Now()
	out.examples = out.fold.Train.All()
	out.rebuild = time.Since(began) / time.Duration(n)
	return out, nil
}

// held is the bytes of the table's graphs and of the plans that a worker holds of
// them, and the part of the plans that it builds again each time.
func (x *sampled) held() (bytes int64, rebuilt float64) {
	graphs, plans := x.set.Bytes()
	all := x.scale * float64(plans)
	held := min(all, dataset.PlanBytes)
	if all > 0 {
		rebuilt = 1 - held/all
	}
	return int64(x.scale*float64(graphs) + held), rebuilt
}

func (e *Estimator) measure(ctx context.Context, s *jobs.Spec, t *data.Table, parallel int) (Pace, error) {
	x, err := sample(ctx, s, t)
	if err != nil {
		return Pace{}, err
	}
	runs := make([]run, parallel)
	var wg sync.WaitGroup
	for i := range runs {
		wg.Go(func() { runs[i] = e.run(ctx, s, x, i) })
	}
	wg.Wait()
	p := Pace{Parallel: parallel, Prepare: x.prepare}
	var validating time.Duration
	var steps []float64
	validated := 0
	for _, r := range runs {
		if r.err != nil {
			return Pace{}, r.err
		}
		p.Path = r.path
		steps = append(steps, r.steps...)
		validating, validated = validating+r.validating, validated+r.validated
	}
	mean, deviation := meanStd(steps)
	p.Steps, p.Validate = len(steps), validating/time.Duration(validated)
	p.Spread = spread + 2*deviation/math.Sqrt(float64(len(steps)))/mean
	_, rebuilt := x.held()
	p.Step = time.Duration(mean + float64(s.BatchSize)*rebuilt*float64(x.rebuild))
	return p, nil
}

func meanStd(x []float64) (mean, std float64) {
	for _, v := range x {
		mean += v / float64(len(x))
	}
	for _, v := range x {
		std += (v - mean) * (v - mean) / float64(max(1, len(x)-1))
	}
	return mean, math.Sqrt(std)
}

// shortfall says how many rows get chains that are not as the job asks.
func shortfall(ctx context.Context, s *jobs.Spec, t *data.Table) ([]jobs.Warning, error) {
	var short structure.Shortfall
	grower := structure.Grower{Chains: s.Chains, Seed: s.Seed}
	for r := range t.Structures {
		if err := context.Cause(ctx); err != nil {
			return nil, err
		}
		short.Preview(grower, &t.Structures[r])
	}
	var out []jobs.Warning
	for _, w := range short.Warnings(s.Chains) {
		out = append(out, jobs.Warning{Code: w.Code, Detail: w.Detail})
	}
	return out, nil
}

// pick takes rows from all over the table, and for every target one that has
// it, with their chains.
func pick(s *jobs.Spec, t *data.Table) (*data.Table, []string, error) {
	chosen := map[int]bool{}
	var rows []int
	take := func(r int) {
		if !chosen[r] && t.Measured(r) {
			chosen[r] = true
			rows = append(rows, r)
		}
	}
	for target := range t.Targets {
		for r := range t.Rows() {
			if v := t.Values(r)[target]; v == v { // no NaN
				take(r)
				break
			}
		}
	}
	sample := min(max(least, 2*s.BatchSize), most) // equal graphs of a batch are computed once
	for i := range sample {
		take(i * t.Rows() / sample)
	}
	part := &data.Table{Targets: t.Targets}
	grower := structure.Grower{Chains: s.Chains, Seed: s.Seed}
	var smiles []string
	for _, r := range rows {
		chains, err := grower.Grow(&t.Structures[r])
		if err != nil {
			return nil, nil, fmt.Errorf("row %d: %w", r, err)
		}
		part.Structures = append(part.Structures, t.Structures[r])
		part.Origin = append(part.Origin, t.Origin[r])
		part.Y = append(part.Y, t.Values(r)...)
		smiles = append(smiles, chains[0].SMILES)
	}
	return part, smiles, nil
}

// run is what one engine measured.
type run struct {
	steps      []float64 // nanoseconds of each
	validated  int
	validating time.Duration
	path       string
	err        error
}

// run trains and validates on an engine of its own until the budget is spent.
func (e *Estimator) run(ctx context.Context, s *jobs.Spec, x *sampled, worker int) (r run) {
	examples, f := x.examples, x.fold
	engine, err := e.NewEngine(s.Model, f.Sizes(), train.FoldSeed(s.Seed, worker))
	if err != nil {
		return run{err: err}
	}
	defer engine.Close()
	r.path = engine.Path()
	adam := s.Config.Adam(s.LearningRate)
	random := rand.New(rand.NewPCG(s.Seed, uint64(worker)))
	var order []int
	batch := nn.Batch{Examples: make([]nn.Example, s.BatchSize)}
	step := func() error {
		for i := range batch.Examples {
			if len(order) == 0 {
				order = random.Perm(len(examples))
			}
			batch.Examples[i], order = examples[order[0]], order[1:]
		}
		_, err := engine.Step(&batch, adam)
		return err
	}
	for range warmUp {
		if r.err = step(); r.err != nil {
			return r
		}
	}
	for spent := time.Duration(0); spent < budget; {
		if r.err = ctx.Err(); r.err != nil {
			return r
		}
		start := time.Now()
		if r.err = step(); r.err != nil {
			return r
		}
		took := time.Since(start)
		spent += took
		r.steps = append(r.steps, float64(took))
	}
	for start := time.Now(); r.validated == 0 || r.validating < budget/4 && r.validated < 4*len(examples); {
		if _, r.err = train.Predict(ctx, engine, f.Validate, len(f.Scaler.Center)); r.err != nil {
			return r
		}
		r.validating, r.validated = time.Since(start), r.validated+len(examples)
	}
	return r
}
