package training

import (
	"context"
	"fmt"
	"math"

	"polyid-trainer/api/estimate"
	"polyid-trainer/jobs"
	"polyid-trainer/worker/memory"
)

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
	Range    *[2]float64    `json:"hours_range" doc:"Hours that the job should take at least and at most."`
	USD      *float64       `json:"usd" doc:"At COST_PER_HOUR."`
	MemoryMB *float64       `json:"memory_mb" doc:"What a worker needs to train one fold, with the job's data; null if there are problems."`
	Warnings []jobs.Warning `json:"warnings" nullable:"false"`
	Problems []jobs.Problem `json:"problems" nullable:"false" doc:"What the job would be refused for."`
	Spec     *jobs.Spec     `json:"spec" doc:"The job in full, with every default; null if there are problems."`
}

// Estimate checks a job as Submit would, and measures a few of its steps if
// there are no problems. Nothing is stored.
func (s *Service) Estimate(ctx context.Context, r Request) (*Estimate, error) {
	p, err := s.check(ctx, r)
	if err != nil {
		return nil, err
	}
	e := &Estimate{
		Object: "estimate", Targets: []jobs.Target{}, Folds: []jobs.Size{},
		Warnings: append([]jobs.Warning{}, p.warnings...), Problems: append([]jobs.Problem{}, p.problems...),
	}
	if p.spec.EarlyStopping != nil {
		e.Warnings = append(e.Warnings, jobs.Warning{Code: "upper_bound", Detail: "Folds that stop early take less than this."})
	}
	if p.table == nil {
		return e, nil
	}
	e.countTargets(p)
	// A number that is out of range multiplies nothing.
	if p.bad("/kfolds", "/split", "/holdout", "/epochs", "/batch_size") {
		return e, nil
	}
	e.countSteps(p)
	if len(p.problems) > 0 {
		return e, nil
	}
	e.Spec = &p.spec
	if s.Estimator == nil {
		return e, nil
	}
	mb := math.Ceil(float64(p.memory.Job()) / 1e6)
	e.MemoryMB = &mb
	if s.tooLarge(p.memory) {
		e.Warnings = append(e.Warnings, jobs.Warning{Code: "not_measured", Detail: fmt.Sprintf(
			"The time is not known: a fold takes %s, more than the %s that this server may use to measure it.", memory.Format(p.memory.Job()), memory.Format(s.MemoryLimit))})
		return e, nil
	}
	pace, err := s.Estimator.Pace(ctx, &p.spec, p.table.Table)
	if err != nil {
		return nil, err
	}
	e.Warnings = append(e.Warnings, pace.Warnings...)
	e.addTime(p, pace, s.CostPerHour)
	return e, nil
}

// countTargets fills in the rows and the values of each target.
func (e *Estimate) countTargets(p *plan) {
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
}

// countSteps fills in the folds' rows and the steps of all epochs.
func (e *Estimate) countSteps(p *plan) {
	for _, f := range p.folds {
		e.Folds = append(e.Folds, jobs.Size{Train: len(f.Train), Validate: len(f.Validate)})
	}
	if p.folds == nil { // the preparation deals the rows as evenly as it can
		held := 0
		if h := p.spec.Holdout; h != nil {
			held = max(len(h.Rows), int(h.Fraction*float64(e.Rows)))
		}
		rows := max(0, e.Rows-held)
		for range p.spec.KFolds {
			validate := rows / p.spec.KFolds
			e.Folds = append(e.Folds, jobs.Size{Train: rows - validate, Validate: validate})
		}
	}
	for _, f := range e.Folds {
		e.Steps += steps(f, p.spec.BatchSize) * p.spec.Epochs
	}
}

// steps of one epoch.
func steps(f jobs.Size, batch int) int { return (f.Train + batch - 1) / batch }

// addTime fills in time and cost: folds train in rounds of as many as a worker
// takes at once.
func (e *Estimate) addTime(p *plan, pace estimate.Pace, perHour float64) {
	longest := 0.0 // hours of a fold
	for _, f := range e.Folds {
		validations := float64((p.spec.Epochs + p.spec.ValidateEvery - 1) / p.spec.ValidateEvery)
		epochs := float64(p.spec.Epochs) * float64(steps(f, p.spec.BatchSize)) * pace.Step.Hours()
		longest = max(longest, epochs+validations*float64(f.Validate)*pace.Validate.Hours())
	}
	rounds := (len(e.Folds) + pace.Parallel - 1) / pace.Parallel
	const passes = 3 // over all chains: to prepare, to train, to finalize
	hours := longest*float64(rounds) + passes*float64(e.Rows)*pace.Prepare.Hours()
	usd := hours * perHour
	ms := float64(pace.Step.Microseconds()) / 1000
	hours, usd = math.Round(hours*1e4)/1e4, math.Round(usd*1e4)/1e4
	e.MS, e.Hours, e.USD, e.Parallel, e.Kernel = &ms, &hours, &usd, &pace.Parallel, &pace.Path
	e.Range = &[2]float64{math.Round(hours*(1-pace.Spread)*1e4) / 1e4, math.Round(hours*(1+pace.Spread)*1e4) / 1e4}
	if most := p.spec.MaxUSD; most > 0 && usd > most {
		e.Warnings = append(e.Warnings, jobs.Warning{Code: "over_budget", Detail: "The estimate is above max_cost_usd: the job would pause before its end."})
	}
}
