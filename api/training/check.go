package training

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
	"polyid-trainer/api/estimate"
	"polyid-trainer/data"
	"polyid-trainer/jobs"
	"polyid-trainer/nn/checkpoint"
	"polyid-trainer/storage/hub"
	"polyid-trainer/worker/memory"
)

// plan is a job that was checked: its full settings, and everything that is wrong
// with it.
type plan struct {
	spec     jobs.Spec
	table    *datasets.Table // nil if it could not be opened
	holdout  *datasets.Table // nil if the job has no hold-out table of its own
	weights  fs.FS           // the models to start from; nil if there are none
	folds    data.Folds      // nil if the preparation will deal them
	memory   estimate.Memory // zero if it could not be computed
	warnings []jobs.Warning
	problems []jobs.Problem
}

// add reports a problem.
func (p *plan) add(pointer, format string, args ...any) {
	p.problems = append(p.problems, jobs.Problem{Pointer: pointer, Detail: fmt.Sprintf(format, args...)})
}

// bad reports whether a field, or anything in it, is known to be wrong.
func (p *plan) bad(fields ...string) bool {
	return slices.ContainsFunc(p.problems, func(q jobs.Problem) bool {
		return slices.ContainsFunc(fields, func(field string) bool {
			return q.Pointer == field || strings.HasPrefix(q.Pointer, field+"/")
		})
	})
}

// leastPerFold is how many values of a target a fold needs, on average, for its
// errors to mean anything.
const leastPerFold = 2

// How long a request waits for the Hub, and for the models that a job starts
// from.
const (
	hubTimeout     = 10 * time.Second
	weightsTimeout = 5 * time.Minute
)

// dealtAtOnce bounds the rows that are dealt into folds while a request waits;
// larger tables are dealt when the job is prepared.
const dealtAtOnce = 20_000

// check looks at everything about a job that could fail at once. Values of the
// spec come first: nothing is computed or allocated in proportion to a number
// that is out of range. An error is not the request's fault, or a matter of
// rights.
func (s *Service) check(ctx context.Context, r Request) (*plan, error) {
	p := &plan{spec: r.Spec, problems: slices.Clone(r.Unread)}
	if slices.ContainsFunc(r.Unread, func(q jobs.Problem) bool { return q.Pointer == "" }) {
		return p, nil // nothing could be read
	}
	for _, q := range r.Spec.Problems() {
		// One problem a field: a dataset that could not be read is not missing.
		if !slices.ContainsFunc(p.problems, func(have jobs.Problem) bool { return have.Pointer == q.Pointer }) {
			p.problems = append(p.problems, q)
		}
	}
	p.checkNames()
	if n := len(p.spec.Split.Folds); n > jobs.MaxFolds {
		p.add("/split/folds", "has %d folds, more than %d", n, jobs.MaxFolds)
	} else if n > 0 {
		p.spec.KFolds = n
	}
	if p.spec.MaxUSD > 0 && s.CostPerHour == 0 {
		p.add("/max_cost_usd", "cannot be enforced: the server has no COST_PER_HOUR to compute costs with; leave it out")
	}
	if err := s.openTables(ctx, p); err != nil {
		return nil, err
	}
	if p.spec.Stack != nil && p.table != nil && p.table.Rows() > jobs.MaxStackRows {
		p.add("/stack", "a stack takes tables of up to %d rows; this one has %d. Leave the stack out", jobs.MaxStackRows, p.table.Rows())
	}
	if n := len(p.spec.Targets); p.table != nil && n > 0 && p.spec.Epochs > checkpoint.MaxEpochs(n) && !p.bad("/epochs") {
		p.add("/epochs", "%d is more than %d, which is what a checkpoint can remember of %d properties", p.spec.Epochs, checkpoint.MaxEpochs(n), n)
	}
	p.deal()
	if err := s.checkMemory(ctx, p); err != nil {
		return nil, err
	}
	if err := s.askHub(ctx, p); err != nil {
		return nil, err
	}
	if err := s.openWeights(ctx, p); err != nil {
		return nil, err
	}
	return p, s.checkQuota(ctx, p, r.Owner)
}

// checkQuota refuses a job of an owner whose quota of the month is spent.
func (s *Service) checkQuota(ctx context.Context, p *plan, owner string) error {
	if s.Budget == nil {
		return nil
	}
	limit, spent, err := s.Budget(ctx, owner)
	if err == nil && limit > 0 && spent >= limit {
		p.add("", "the quota of %q is %.2f USD a month (QUOTAS), and its jobs have cost %.2f this month: wait for the next one, or ask for a larger quota", owner, limit, spent)
	}
	return err
}

// CheckDestination lists what is wrong with a destination that has its defaults,
// as far as that can be told without the Hub, with pointers below at.
func CheckDestination(d jobs.Destination, at string) []jobs.Problem {
	p := &plan{spec: jobs.Spec{Publish: &d}, problems: d.Problems("/publish")}
	p.checkNames()
	for i := range p.problems {
		p.problems[i].Pointer = at + strings.TrimPrefix(p.problems[i].Pointer, "/publish")
	}
	return p.problems
}

// checkNames reports names that no Hub takes.
func (p *plan) checkNames() {
	check := func(pointer, name string, valid func(string) error) {
		if name == "" || p.bad(pointer) {
			return
		}
		if err := valid(name); err != nil {
			p.add(pointer, "%s", strings.TrimPrefix(err.Error(), "hub: "))
		}
	}
	if d := p.spec.Publish; d != nil {
		check("/publish/repo", d.Repo, hub.CheckRepo)
		check("/publish/branch", d.Branch, hub.CheckBranch)
		check("/publish/tag", d.Tag, hub.CheckTag)
	}
	if r := p.spec.InitFrom; r != nil {
		check("/init_from/repo", r.Repo, hub.CheckRepo)
	}
}

// checkMemory computes what a fold takes and compares it with what this process
// may use, if it trains the job.
func (s *Service) checkMemory(ctx context.Context, p *plan) (err error) {
	if s.Estimator == nil || p.table == nil || len(p.problems) > 0 {
		return nil
	}
	if p.memory, err = s.Estimator.Memory(ctx, &p.spec, p.table.Table); err != nil {
		return err
	}
	if s.TrainsHere && s.tooLarge(p.memory) {
		at := "/model"
		if p.memory.Data > p.memory.Fold {
			at = "/dataset"
		}
		p.add(at, "training one fold would take %s, and this process may use %s (MEMORY_LIMIT): choose a smaller network, a smaller batch_size or fewer rows",
			memory.Format(p.memory.Job()), memory.Format(s.MemoryLimit))
	}
	return nil
}

// tooLarge reports whether a fold does not fit into this process.
func (s *Service) tooLarge(m estimate.Memory) bool {
	return s.MemoryLimit > 0 && m.Job() > s.MemoryLimit
}

// openTables opens the datasets and names the targets that they give.
func (s *Service) openTables(ctx context.Context, p *plan) error {
	if len(p.spec.Dataset) == 0 || p.bad("/dataset", "/prediction_columns", "/columns", "/units", "/conditions", "/weights") {
		return nil
	}
	folds := min(max(p.spec.KFolds, jobs.MinFolds), jobs.MaxFolds)
	t, err := s.Library.Open(ctx, p.spec.Dataset, p.spec.Columns, datasets.Use{MinValues: leastPerFold * folds, Keep: p.spec.Split.Columns()})
	if err != nil {
		return p.addAll(err, "")
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
		if p.holdout, err = s.Library.Open(ctx, h.Dataset, p.spec.Columns, datasets.Use{Holdout: true}); err != nil {
			return p.addAll(err, "/holdout")
		}
		for i, target := range p.holdout.Targets {
			if mine := t.Targets[i].Units; target.Units != mine && target.Column != "" {
				p.add("/holdout/dataset", "has %s in %q, the dataset has it in %q", target.Name, target.Units, mine)
			}
		}
	}
	return nil
}

// addAll reports the problems that an error lists, below a pointer. Any other
// error is returned.
func (p *plan) addAll(err error, at string) error {
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

// deal divides the rows as the job will, to see that it can be done. Grouping by
// equal graphs or clusters needs the chemistry and is left to the job's preparation.
func (p *plan) deal() {
	if p.table == nil || p.bad("/split", "/holdout", "/kfolds") ||
		p.spec.Split.GroupBy == data.ByGraph || p.spec.Split.GroupBy == data.ByCluster || p.table.Rows() > dealtAtOnce {
		return
	}
	part, err := p.table.Partition(data.PartitionRequest{
		Folds: p.spec.KFolds, Seed: p.spec.Seed, Split: p.spec.Split, Holdout: p.spec.Holdout,
	})
	if err != nil {
		p.addSplit(err)
		return
	}
	for i, target := range p.table.Targets {
		for k, f := range part.Folds {
			if p.table.Counts(f.Train)[i] == 0 {
				p.add("/split", "fold %d would train on no value of %s", k, target.Name)
			}
		}
	}
	p.folds = part.Folds
}

// addSplit reports what is wrong with the split.
func (p *plan) addSplit(err error) {
	var joined interface{ Unwrap() []error }
	if errors.As(err, &joined) {
		for _, err := range joined.Unwrap() {
			p.addSplit(err)
		}
		return
	}
	at, detail := "/split", strings.TrimPrefix(err.Error(), "split: ")
	if rest, ok := strings.CutPrefix(detail, "hold-out: "); ok {
		at, detail = "/holdout", rest
	}
	var setting *data.SettingError
	if errors.As(err, &setting) {
		at, detail = at+"/"+strings.ReplaceAll(setting.Field, ".", "/"), setting.Detail
	}
	p.add(at, "%s", detail)
}

// askHub fills in where the job publishes and asks whether it can.
func (s *Service) askHub(ctx context.Context, p *plan) error {
	if d := p.spec.Publish; d != nil && d.Repo == "" {
		full := *d
		full.Repo = s.home(ctx)
		p.spec.Publish = &full
	}
	if s.Hub == nil || p.bad("/publish", "/init_from") || p.spec.Publish == nil && p.spec.InitFrom == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, hubTimeout)
	defer cancel()
	problems, err := s.Hub.Preflight(ctx, p.spec.Publish, p.spec.InitFrom)
	p.problems = append(p.problems, problems...)
	return err
}

// openWeights fetches the models that the job starts from and compares their
// network with the job's.
func (s *Service) openWeights(ctx context.Context, p *plan) error {
	from := p.spec.InitFrom
	if from == nil || p.bad("/init_from") {
		return nil
	}
	if s.Weights == nil {
		p.add("/init_from", "this server has no Hub to load a revision from; leave it out")
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, weightsTimeout)
	defer cancel()
	files, err := s.Weights(ctx, *from)
	if err != nil {
		return err
	}
	f, err := files.Open(modelPath(0))
	if errors.Is(err, fs.ErrNotExist) {
		p.add("/init_from", "%s at %q holds no model of this project", from.Repo, from.Revision)
		return nil
	}
	if err != nil {
		return fmt.Errorf("open %s: %w", from.Repo, err)
	}
	defer f.Close()
	m, err := checkpoint.Describe(f)
	if err != nil {
		p.add("/init_from", "%s at %q: %s", from.Repo, from.Revision, err)
		return nil
	}
	network := p.spec.Model
	network.Dropout = m.Config.Dropout // does not shape the network
	if network != m.Config {
		p.add("/model", "must be that of the network to start from, %s", compact(m.Config))
	}
	if p.spec.Features != m.Features.WithDefaults() {
		p.add("/features", "must be those of the network to start from, %s", compact(m.Features))
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
