package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"polyid-trainer/api/datasets"
	"polyid-trainer/data"
	"polyid-trainer/jobs"
	"polyid-trainer/nn/checkpoint"
)

// plan is a job that was looked at: what it is in full, and all that is wrong
// with it.
type plan struct {
	spec     jobs.Spec
	table    *datasets.Table // nil if it could not be opened
	holdout  *datasets.Table // nil if it is none of its own
	weights  fs.FS           // of the models to start from, nil if there are none
	folds    data.Folds      // nil if they are dealt later
	warnings []jobs.Warning
	problems []jobs.Problem
}

func (p *plan) tables() *tables {
	return &tables{dataset: p.table, holdout: p.holdout, weights: p.weights}
}

func (p *plan) problem(pointer, format string, args ...any) {
	p.problems = append(p.problems, jobs.Problem{Pointer: pointer, Detail: fmt.Sprintf(format, args...)})
}

// leastPerFold is how many values of a target a fold needs, on average, to be
// judged by.
const leastPerFold = 2

// What a POST waits for the Hub, and for it to send what a job starts from.
const (
	hubTimeout     = 10 * time.Second
	weightsTimeout = 5 * time.Minute
)

// dealtAtOnce bounds the rows that are dealt into folds in a request; larger
// tables are dealt when the job is prepared.
const dealtAtOnce = 20_000

// preflight looks at everything about a job that could fail at once, given what
// is known to be wrong already. An error is not the request's fault, or a matter
// of rights.
func (a *TrainingJobs) preflight(ctx context.Context, spec jobs.Spec, problems []jobs.Problem) (*plan, error) {
	p := &plan{spec: spec, problems: problems}
	if n := len(spec.Split.Folds); n > jobs.MaxFolds {
		p.problem("/split/folds", "are %d, more than %d", n, jobs.MaxFolds)
	} else if n > 0 {
		p.spec.KFolds = n
	}
	if spec.MaxUSD > 0 && a.CostPerHour == 0 {
		p.problem("/max_cost_usd", "cannot be kept: the server has no COST_PER_HOUR to reckon with")
	}
	if err := a.openTables(ctx, p); err != nil {
		return nil, err
	}
	a.deal(p)
	if err := a.askHub(ctx, p); err != nil {
		return nil, err
	}
	if err := a.openWeights(ctx, p); err != nil {
		return nil, err
	}
	return p, nil
}

// bad reports whether a field, or anything in it, is known to be wrong.
func (p *plan) bad(field string) bool {
	return slices.ContainsFunc(p.problems, func(q jobs.Problem) bool {
		return q.Pointer == field || strings.HasPrefix(q.Pointer, field+"/")
	})
}

// openTables opens the datasets and names the targets they give.
func (a *TrainingJobs) openTables(ctx context.Context, p *plan) error {
	if len(p.spec.Dataset) == 0 || p.bad("/dataset") || p.bad("/prediction_columns") || p.bad("/columns") || p.bad("/units") {
		return nil
	}
	folds := min(max(p.spec.KFolds, jobs.MinFolds), jobs.MaxFolds)
	t, err := a.Library.Open(ctx, p.spec.Dataset, p.spec.Columns, datasets.Use{MinValues: leastPerFold * folds})
	if err != nil {
		return p.take(err, "")
	}
	p.table = t
	for _, w := range t.Warnings {
		p.warnings = append(p.warnings, jobs.Warning{Code: w.Code, Detail: w.Detail})
	}
	p.spec.Targets = nil
	for _, target := range t.Targets {
		p.spec.Targets = append(p.spec.Targets, target.Name)
	}
	if h := p.spec.Holdout; h != nil && len(h.Dataset) > 0 && !p.bad("/holdout") {
		if p.holdout, err = a.Library.Open(ctx, h.Dataset, p.spec.Columns, datasets.Use{Holdout: true}); err != nil {
			return p.take(err, "/holdout")
		}
		for i, target := range p.holdout.Targets {
			if mine := t.Targets[i].Units; target.Units != mine && target.Column != "" {
				p.problem("/holdout/dataset", "has %s in %q, the dataset in %q", target.Name, target.Units, mine)
			}
		}
	}
	return nil
}

// take makes problems of an error that lists some, under a pointer.
func (p *plan) take(err error, at string) error {
	var e *jobs.Error
	if !errors.As(err, &e) || e.Code != jobs.Invalid {
		return err
	}
	for _, q := range e.Problems {
		if at != "" && !strings.HasPrefix(q.Pointer, "/dataset") { // the columns are the job's own
			q.Detail = "in the hold-out dataset: " + q.Detail
		}
		q.Pointer = at + q.Pointer
		p.problems = append(p.problems, q)
	}
	return nil
}

// deal divides the rows as the job will, to see that it can be done. Groups of
// equal graphs need the chemistry, and are left to the job's preparation.
func (a *TrainingJobs) deal(p *plan) {
	if p.table == nil || p.bad("/split") || p.bad("/holdout") || p.bad("/kfolds") ||
		p.spec.Split.GroupBy == data.ByGraph || p.table.Rows() > dealtAtOnce {
		return
	}
	part, err := p.table.Partition(data.PartitionRequest{
		Folds: p.spec.KFolds, Seed: p.spec.Seed, Split: p.spec.Split, Holdout: p.spec.Holdout,
	})
	if err != nil {
		p.settings(err)
		return
	}
	for i, target := range p.table.Targets {
		for k, f := range part.Folds {
			if p.table.Counts(f.Train)[i] == 0 {
				p.problem("/split", "fold %d would train on no value of %s", k, target.Name)
			}
		}
	}
	p.folds = part.Folds
}

// settings lists what is wrong with the split.
func (p *plan) settings(err error) {
	var joined interface{ Unwrap() []error }
	if errors.As(err, &joined) {
		for _, err := range joined.Unwrap() {
			p.settings(err)
		}
		return
	}
	at, detail := "/split", strings.TrimPrefix(err.Error(), "split: ")
	if rest, ok := strings.CutPrefix(detail, "hold-out: "); ok {
		at, detail = "/holdout", rest
	}
	var s *data.SettingError
	if errors.As(err, &s) {
		at, detail = at+"/"+strings.ReplaceAll(s.Field, ".", "/"), s.Detail
	}
	p.problem(at, "%s", detail)
}

// askHub fills in where the job publishes and asks whether it can.
func (a *TrainingJobs) askHub(ctx context.Context, p *plan) error {
	if d := p.spec.Publish; d != nil && d.Repo == "" {
		full := *d
		full.Repo = a.HubRepo
		p.spec.Publish = &full
	}
	if a.Hub == nil || p.bad("/publish") || p.bad("/init_from") || p.spec.Publish == nil && p.spec.InitFrom == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, hubTimeout)
	defer cancel()
	problems, err := a.Hub.Preflight(ctx, p.spec.Publish, p.spec.InitFrom)
	p.problems = append(p.problems, problems...)
	return err
}

// openWeights fetches the models that the job starts from and sees whether its
// network can.
func (a *TrainingJobs) openWeights(ctx context.Context, p *plan) error {
	from := p.spec.InitFrom
	if from == nil || p.bad("/init_from") {
		return nil
	}
	if a.Weights == nil {
		p.problem("/init_from", "this server starts no job from a revision")
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, weightsTimeout)
	defer cancel()
	files, err := a.Weights(ctx, *from)
	if err != nil {
		return err
	}
	f, err := files.Open(modelPath(0))
	if errors.Is(err, fs.ErrNotExist) {
		p.problem("/init_from", "%s at %q holds no model of this project", from.Repo, from.Revision)
		return nil
	}
	if err != nil {
		return fmt.Errorf("open %s: %w", from.Repo, err)
	}
	defer f.Close()
	m, err := checkpoint.Describe(f)
	if err != nil {
		p.problem("/init_from", "%s at %q: %s", from.Repo, from.Revision, err)
		return nil
	}
	network := p.spec.Model
	network.Dropout = m.Config.Dropout // shapes nothing
	if network != m.Config {
		p.problem("/model", "the network to start from is %s", compact(m.Config))
	}
	if p.spec.Features != m.Features.WithDefaults() {
		p.problem("/features", "the network to start from has %s", compact(m.Features))
	}
	p.weights = files
	return nil
}

// modelPath is where a revision holds a fold's model.
func modelPath(fold int) string { return fmt.Sprintf("model_fold_%d/model.safetensors", fold) }

// compact is a configuration as a job states it.
func compact(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(b)
}
