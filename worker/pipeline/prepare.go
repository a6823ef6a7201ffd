package pipeline

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"polyid-trainer/data"
	"polyid-trainer/featurize/structure"
	"polyid-trainer/jobs"
	"polyid-trainer/jobs/keys"
	"polyid-trainer/storage"
)

// prepare turns a job's tables into folds: it grows the chains, featurizes
// them, which shows that they can be, and deals the rows.
func (p *Pipeline) prepare(ctx context.Context, id string) error {
	start := func(j *jobs.Job) error { return j.Start(p.now()) }
	return p.stage(ctx, jobs.Prepare, id, []jobs.State{jobs.Queued, jobs.Preparing}, start, func(ctx context.Context, s *stage) error {
		prep, err := s.preparation(ctx)
		if err != nil {
			return err
		}
		if err := p.Store.CreateFolds(ctx, id, len(prep.Folds)); err != nil {
			return err
		}
		return s.done(ctx, func(j *jobs.Job) error { return j.Train(prep.Data, prep.Warnings) })
	})
}

// preparation makes prepared.json, or reads what an earlier attempt made.
func (s *stage) preparation(ctx context.Context) (*Preparation, error) {
	prep, err := readPreparation(ctx, s.Bucket, s.job.ID)
	if !errors.Is(err, storage.ErrNotExist) {
		return prep, err
	}
	item, err := s.corpora.acquire(ctx, s.job.ID, func() (*corpus, *Preparation, error) { return s.divide(ctx) })
	if err != nil {
		return nil, err
	}
	defer s.corpora.release(item)
	// It may be in memory from an attempt that could not write it.
	body, err := json.Marshal(item.prep)
	if err != nil {
		return nil, err
	}
	if err := putOnce(ctx, s.Bucket, keys.Chains(s.job.ID), item.corpus.grown); err != nil {
		return nil, err
	}
	if err := putOnce(ctx, s.Bucket, keys.Prepared(s.job.ID), body); err != nil {
		return nil, err
	}
	return readPreparation(ctx, s.Bucket, s.job.ID) // perhaps another's: it is the one that folds read
}

// divide reads, grows, featurizes and deals.
func (s *stage) divide(ctx context.Context) (*corpus, *Preparation, error) {
	spec := &s.job.Spec
	table, holdout, err := s.readTables(ctx, s.job.ID, spec)
	if err != nil {
		return nil, nil, err
	}
	grower := structure.Grower{Chains: spec.Chains.WithDefaults(), Seed: spec.Seed}
	all := table
	if holdout != nil {
		all = appended(table, holdout)
	}
	var grown chains
	c, err := newCorpus(ctx, spec, table, holdout, grown.record(grow(ctx, grower, all)))
	if err != nil {
		return nil, nil, err
	}
	c.grown = grown
	groups := c.groupKeys()
	request := data.PartitionRequest{Folds: spec.KFolds, Seed: spec.Seed, Split: spec.Split, Holdout: spec.Holdout, GraphKeys: groups[:c.rows]}
	if spec.Split.GroupBy == data.ByCluster {
		if request.ClusterKeys, err = clusterKeys(table); err != nil {
			return nil, nil, err
		}
	}
	part, err := table.Partition(request)
	if err != nil {
		return nil, nil, failure("invalid_split", "%v", err)
	}
	if err := tooFew(table, part.Folds); err != nil {
		return nil, nil, err
	}
	prep := &Preparation{
		SchemaVersion: preparationSchema, Folds: part.Folds, Holdout: part.Holdout, Groups: part.Groups,
		Graphs: c.graphStats(part.Folds), Grower: grower,
		Data: jobs.Prepared{Name: strings.Join(spec.Dataset, "+"), Hash: table.Hash(), Licence: licence(spec.Dataset), Rows: table.Rows()},
	}
	warned := part.Warnings
	if holdout != nil {
		warned = append(warned, prep.holdOut(all, c.rows)...)
	}
	for i, n := range table.Counts(inFolds(part.Folds)) {
		prep.Data.Targets = append(prep.Data.Targets, jobs.Target{Name: table.Targets[i].Name, Units: table.Targets[i].Units, Values: n})
	}
	for _, f := range part.Folds {
		prep.Data.Folds = append(prep.Data.Folds, jobs.Size{Train: len(f.Train), Validate: len(f.Validate)})
	}
	short, err := notGrown(grower, grown)
	if err != nil {
		return nil, nil, err
	}
	prep.Warnings = append(s.warnings(warned, prep.Graphs), short...)
	return c, prep, prep.name(grown)
}

// holdOut takes the measured rows of another table, which begin at row from of
// all, as the hold-out set. Their groups go on from those of the job's own rows.
func (p *Preparation) holdOut(all *data.Table, from int) (warnings []data.Warning) {
	next := int32(0)
	for _, g := range p.Groups {
		next = max(next, g+1)
	}
	for r := from; r < all.Rows(); r++ {
		p.Groups = append(p.Groups, next)
		next++
	}
	p.Groups = p.Groups.Merge(all.PolymerGroups())
	known := map[int32]bool{}
	for _, r := range inFolds(p.Folds) {
		known[p.Groups[r]] = true
	}
	seen := 0
	for r := from; r < all.Rows(); r++ {
		if !all.Measured(r) {
			continue
		}
		p.Holdout = append(p.Holdout, r)
		if known[p.Groups[r]] {
			seen++
		}
	}
	if seen > 0 {
		warnings = append(warnings, data.Warning{Code: "holdout_overlaps", Detail: fmt.Sprintf(
			"%d of %d hold-out rows are of a polymer that folds train on, so the hold-out errors are too small", seen, len(p.Holdout))})
	}
	return warnings
}

// graphStats counts what the network can tell apart, by chains.
func (c *corpus) graphStats(folds data.Folds) data.GraphStats {
	own := c.own()
	for i := range own.Structures { // equal chains are one polymer, however they are stated
		own.Structures[i].Polymer = fmt.Sprint(c.set.Texts()[i])
	}
	return own.GraphStats(c.set.GraphKeys()[:own.Rows()], c.folds(folds))
}

func (s *stage) warnings(split []data.Warning, graphs data.GraphStats) []jobs.Warning {
	var out []jobs.Warning
	for _, w := range split {
		out = append(out, jobs.Warning{Code: w.Code, Detail: w.Detail})
	}
	if w, ok := graphs.Warning(); ok {
		out = append(out, jobs.Warning{Code: w.Code, Detail: w.Detail})
	}
	if s.job.Spec.MaxUSD > 0 && s.CostPerHour == 0 {
		out = append(out, jobs.Warning{Code: "budget_unmeasured", Detail: "max_cost_usd has no effect while workers have no COST_PER_HOUR"})
	}
	return out
}

// notGrown says how many rows have chains that are not as the job asks.
func notGrown(g structure.Grower, grown chains) ([]jobs.Warning, error) {
	var short structure.Shortfall
	for row, err := range grown.each() {
		if err != nil {
			return nil, err
		}
		short.Note(row)
	}
	var out []jobs.Warning
	for _, w := range short.Warnings(g.Chains) {
		out = append(out, jobs.Warning{Code: w.Code, Detail: w.Detail})
	}
	return out, nil
}

// leastPerFold is how many values of a target a fold needs on average to be
// validated: with fewer, some fold has none, or one that says nothing.
const leastPerFold = 2

// tooFew reports targets that cannot be learned by every fold.
func tooFew(t *data.Table, folds data.Folds) error {
	var found []string
	for i, n := range t.Counts(inFolds(folds)) {
		name := t.Targets[i].Name
		if n < leastPerFold*len(folds) {
			found = append(found, fmt.Sprintf("%s has %d values for %d folds, at least %d are needed", name, n, len(folds), leastPerFold*len(folds)))
			continue
		}
		for k, f := range folds {
			if t.Counts(f.Train)[i] == 0 {
				found = append(found, fmt.Sprintf("fold %d trains on no value of %s", k, name))
			}
		}
	}
	if found != nil {
		return failure("too_few_values", "%s", strings.Join(found, "; "))
	}
	return nil
}

// inFolds lists every row of any fold, ascending.
func inFolds(folds data.Folds) []int {
	var rows []int
	for _, f := range folds {
		rows = append(append(rows, f.Train...), f.Validate...)
	}
	slices.Sort(rows)
	return slices.Compact(rows)
}

// licence lists the licences of shipped datasets; "" if any is a user's own.
func licence(names []string) string {
	var found []string
	for _, name := range names {
		d, ok := data.Shipped(name)
		if !ok {
			return ""
		}
		if !slices.Contains(found, d.License) {
			found = append(found, d.License)
		}
	}
	return strings.Join(found, " and ")
}
