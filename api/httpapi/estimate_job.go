package httpapi

import (
	"context"
	"math"
	"time"

	"polyid-trainer/api/estimate"
	"polyid-trainer/data"
	"polyid-trainer/jobs"
)

// Estimator measures how fast a job will train.
type Estimator interface {
	Pace(ctx context.Context, s *jobs.Spec, t *data.Table) (estimate.Pace, error)
}

var _ Estimator = (*estimate.Estimator)(nil)

// Estimate is what a training job would take.
type Estimate struct {
	Object   string         `json:"object" enum:"estimate"`
	Rows     int            `json:"rows" doc:"Of the dataset that have a value of any target."`
	Targets  []jobs.Target  `json:"targets" nullable:"false"`
	Folds    []jobs.Size    `json:"folds" nullable:"false" doc:"Rows of each fold."`
	Steps    int            `json:"steps" doc:"Of all folds and epochs, unless folds stop early."`
	MS       *float64       `json:"ms_per_step" doc:"Measured; null if there are problems."`
	Parallel *int           `json:"folds_parallel" doc:"Folds that a worker trains at once."`
	Kernel   *string        `json:"kernel_path" doc:"What the steps were measured with."`
	Hours    *float64       `json:"hours" doc:"Of one worker."`
	USD      *float64       `json:"usd" doc:"At COST_PER_HOUR."`
	Warnings []jobs.Warning `json:"warnings" nullable:"false"`
	Problems []jobs.Problem `json:"problems" nullable:"false" doc:"What the job would be refused for."`
	Spec     *jobs.Spec     `json:"spec" doc:"The job in full, with every default; null if there are problems."`
}

type (
	estimateJob struct{ Exchange }
	estimated   struct{ Body Estimate }
)

// estimate looks at a job as its creation would, and measures it.
func (a *TrainingJobs) estimate(ctx context.Context, body []byte) (*estimated, error) {
	spec, problems, err := readSpec(body)
	if err != nil {
		return nil, err
	}
	p, err := a.preflight(ctx, spec, problems)
	if err != nil {
		return nil, err
	}
	e := Estimate{Object: "estimate", Targets: []jobs.Target{}, Folds: []jobs.Size{}, Warnings: p.warnings, Problems: p.problems}
	if len(p.problems) == 0 {
		e.Spec = &p.spec
	}
	if e.Warnings == nil {
		e.Warnings = []jobs.Warning{}
	}
	if e.Problems == nil {
		e.Problems = []jobs.Problem{}
	}
	if p.spec.EarlyStopping != nil {
		e.Warnings = append(e.Warnings, jobs.Warning{Code: "upper_bound", Detail: "Folds that stop early take less than this."})
	}
	if p.table == nil {
		return &estimated{e}, nil
	}
	e.count(p)
	if len(p.problems) > 0 || a.Estimator == nil {
		return &estimated{e}, nil
	}
	pace, err := a.Estimator.Pace(ctx, &p.spec, p.table.Table)
	if err != nil {
		return nil, err
	}
	e.Warnings = append(e.Warnings, pace.Warnings...)
	e.reckon(p, pace, a.CostPerHour)
	return &estimated{e}, nil
}

// count fills in rows and steps.
func (e *Estimate) count(p *plan) {
	all := make([]int, p.table.Rows())
	for r := range all {
		all[r] = r
		if p.table.Measured(r) {
			e.Rows++
		}
	}
	for i, n := range p.table.Counts(all) {
		t := p.table.Targets[i]
		e.Targets = append(e.Targets, jobs.Target{Name: t.Name, Units: t.Units, Values: n})
	}
	for _, f := range p.folds {
		e.Folds = append(e.Folds, jobs.Size{Train: len(f.Train), Validate: len(f.Validate)})
	}
	if p.folds == nil { // dealt when the job is prepared, as evenly as can be
		held := 0
		if h := p.spec.Holdout; h != nil {
			held = max(len(h.Rows), int(h.Fraction*float64(e.Rows)))
		}
		rows := max(0, e.Rows-held)
		for range p.spec.KFolds {
			validate := rows / max(1, p.spec.KFolds)
			e.Folds = append(e.Folds, jobs.Size{Train: rows - validate, Validate: validate})
		}
	}
	for _, f := range e.Folds {
		e.Steps += steps(f, p.spec.BatchSize) * p.spec.Epochs
	}
}

// steps of one epoch.
func steps(f jobs.Size, batch int) int {
	batch = max(1, batch)
	return (f.Train + batch - 1) / batch
}

// reckon fills in time and cost: folds train in rounds of as many as a worker
// takes at once.
func (e *Estimate) reckon(p *plan, pace estimate.Pace, perHour float64) {
	var longest time.Duration
	for _, f := range e.Folds {
		epoch := time.Duration(steps(f, p.spec.BatchSize))*pace.Step + time.Duration(f.Validate)*pace.Validate
		longest = max(longest, epoch)
	}
	rounds := (len(e.Folds) + pace.Parallel - 1) / pace.Parallel
	hours := longest.Hours() * float64(p.spec.Epochs) * float64(rounds)
	usd := hours * perHour
	ms := float64(pace.Step.Microseconds()) / 1000
	hours, usd = math.Round(hours*1e4)/1e4, math.Round(usd*1e4)/1e4
	e.MS, e.Hours, e.USD, e.Parallel, e.Kernel = &ms, &hours, &usd, &pace.Parallel, &pace.Path
	if most := p.spec.MaxUSD; most > 0 && usd > most {
		e.Warnings = append(e.Warnings, jobs.Warning{Code: "over_budget", Detail: "The estimate is above max_cost_usd: the job would pause on the way."})
	}
}
