// Package estimate measures how fast a training job will go, by a few steps of
// its very network on its own polymers, on this machine.
package estimate

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
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
	sample     = 24                      // rows, spread over the table
	budget     = 1200 * time.Millisecond // for steps; validation gets a quarter
	warmUp     = 2                       // steps, which fill caches and arenas
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
	text, err := json.Marshal([]any{s.Model, s.Features, s.BatchSize, s.Chains, parallel, t.Hash()})
	if err != nil {
		return "", fmt.Errorf("measure steps: %w", err)
	}
	sum := sha256.Sum256(text)
	return string(sum[:]), nil
}

// sample reads a few rows of the table as a fold that trains and validates on
// them, with the bytes of a row's graph and plan.
func (e *Estimator) sample(ctx context.Context, s *jobs.Spec, t *data.Table) (fold *dataset.Fold, perRow int, err error) {
	part, smiles, err := pick(s, t)
	if err != nil {
		return nil, 0, err
	}
	f, err := featurize.New(s.Features)
	if err != nil {
		return nil, 0, err
	}
	set, err := dataset.New(ctx, f, smiles, s.Model.NumMessages, nil)
	if err != nil {
		return nil, 0, err
	}
	rows := make([]int, len(smiles))
	for i := range rows {
		rows[i] = i
	}
	fold, err = set.Fold(part, data.Fold{Train: rows, Validate: rows})
	return fold, set.PlanBytes() / max(1, set.Distinct()), err
}

func (e *Estimator) measure(ctx context.Context, s *jobs.Spec, t *data.Table, parallel int) (Pace, error) {
	fold, _, err := e.sample(ctx, s, t)
	if err != nil {
		return Pace{}, err
	}
	runs := make([]run, parallel)
	var wg sync.WaitGroup
	for i := range runs {
		wg.Go(func() { runs[i] = e.run(ctx, s, fold, i) })
	}
	wg.Wait()
	p := Pace{Parallel: parallel}
	var stepping, validating time.Duration
	validated := 0
	for _, r := range runs {
		if r.err != nil {
			return Pace{}, r.err
		}
		p.Path, p.Steps = r.path, p.Steps+r.steps
		stepping, validating, validated = stepping+r.stepping, validating+r.validating, validated+r.validated
	}
	p.Step, p.Validate = stepping/time.Duration(p.Steps), validating/time.Duration(validated)
	return p, nil
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
	steps, validated     int
	stepping, validating time.Duration
	path                 string
	err                  error
}

// run trains and validates on an engine of its own until the budget is spent.
func (e *Estimator) run(ctx context.Context, s *jobs.Spec, f *dataset.Fold, worker int) (r run) {
	engine, err := e.NewEngine(s.Model, f.Sizes(), train.FoldSeed(s.Seed, worker))
	if err != nil {
		return run{err: err}
	}
	defer engine.Close()
	r.path = engine.Path()
	adam := s.Config.Adam(s.LearningRate)
	batch := nn.Batch{Examples: make([]nn.Example, s.BatchSize)}
	at := worker * len(f.Train) / 2 // two workers at two places of the table
	step := func() error {
		for i := range batch.Examples {
			batch.Examples[i] = f.Train[at%len(f.Train)]
			at++
		}
		_, err := engine.Step(&batch, adam)
		return err
	}
	for range warmUp {
		if r.err = step(); r.err != nil {
			return r
		}
	}
	// Whole rounds over the rows, if there is time, so that all count alike.
	for r.steps == 0 || r.stepping < budget && (r.stepping < budget/2 || r.steps*s.BatchSize%len(f.Train) != 0) {
		if r.err = ctx.Err(); r.err != nil {
			return r
		}
		start := time.Now()
		if r.err = step(); r.err != nil {
			return r
		}
		r.stepping += time.Since(start)
		r.steps++
	}
	out := make([]float32, len(f.Scaler.Center))
	for r.validated == 0 || r.validating < budget/4 && r.validated < len(f.Validate) {
		one := nn.Batch{Examples: f.Validate[r.validated : r.validated+1]}
		start := time.Now()
		if r.err = engine.Predict(&one, out); r.err != nil {
			return r
		}
		r.validating += time.Since(start)
		r.validated++
	}
	return r
}
