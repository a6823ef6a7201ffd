package pipeline

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"polyid-trainer/data"
	"polyid-trainer/featurize/structure"
	"polyid-trainer/jobs"
	"polyid-trainer/nn/ensemble"
	"polyid-trainer/nn/revision"
)

// config is what a revision says of its training. Whatever it says follows from
// the records, so that every attempt says the same.
func (s *stage) config(c *corpus, prep *Preparation, folds []*jobs.Fold) revision.Config {
	j, spec := s.job, &s.job.Spec
	run := &revision.Run{StartedAt: j.StartedAt.UTC(), Hardware: []string{}}
	usd, priced := 0.0, false
	var paths []string
	for _, f := range folds {
		seconds, cost := f.Spent()
		run.WorkerSeconds += seconds
		usd += cost
		priced = priced || cost > 0
		if f.Checkpoint != nil && f.Checkpoint.Time.After(run.FinishedAt) {
			run.FinishedAt = f.Checkpoint.Time.UTC()
		}
		paths = append(paths, f.Result.KernelPaths...)
	}
	if priced {
		run.USD = &usd
	}
	if s.Hardware != "" {
		run.Hardware = append(run.Hardware, s.Hardware)
	}
	slices.Sort(paths)
	var intervals ensemble.Intervals // the usual ones go without saying
	if i := spec.Intervals.WithDefaults(); i != (ensemble.Intervals{}).WithDefaults() {
		intervals = i
	}
	withoutRows := spec.Publish != nil && !spec.Publish.HoldsRows()
	graphs := prep.Graphs
	training := spec.Config
	return revision.Config{
		Job: j.ID, CreatedAt: run.FinishedAt.Truncate(time.Second), CodeVersion: s.Code,
		Targets: targets(c.table), Seed: spec.Seed, Model: spec.Model, Features: spec.Features, Training: &training,
		KernelPaths: slices.Compact(paths), Chains: described(c, prep.Grower), Intervals: intervals,
		Data: revision.Data{
			Name: prep.Data.Name, Hash: prep.Data.Hash, Licence: prep.Data.Licence, Source: source(spec.Dataset), Rows: prep.Data.Rows,
			Polymers: prep.Graphs.Polymers, Holdout: len(prep.Holdout), GroupBy: spec.Split.GroupBy, OrderBy: spec.Split.OrderBy, Graphs: &graphs,
		},
		Columns:     data.Columns{Roles: spec.Columns.Roles, Units: spec.Columns.Units, Conditions: spec.Columns.Conditions, Weights: spec.Columns.Weights, Censored: spec.Columns.Censored},
		WithoutRows: withoutRows, Run: run,
	}
}

// described says how the rows' polymers became chains.
func described(c *corpus, g structure.Grower) revision.Chains {
	out := revision.Chains{Replicates: g.Replicates, Periodic: g.Periodic, MaxHeavyAtoms: g.MaxHeavyAtoms}
	notations, mechanisms, dps := map[data.Notation]int{}, map[string]bool{}, map[int]bool{}
	for i := range c.rows {
		st := &c.table.Structures[i]
		n := st.Notation()
		notations[n]++
		if st.Mechanism != "" {
			mechanisms[st.Mechanism] = true
		}
		dp := st.DP
		if dp == 0 && n != data.Polymer {
			dp = g.DP
		}
		dps[dp] = true
	}
	out.Notations = slices.SortedFunc(maps.Keys(notations), func(a, b data.Notation) int {
		return cmp.Or(cmp.Compare(notations[b], notations[a]), cmp.Compare(a, b))
	})
	out.Mechanisms = slices.Sorted(maps.Keys(mechanisms))
	for dp := range dps {
		if len(dps) == 1 {
			out.DP = dp
		}
	}
	switch {
	case notations[data.Polymer] == c.rows:
		out.EndGroups = "as the rows' chains have them"
	case g.Periodic:
		out.EndGroups = "none"
	default:
		out.EndGroups = "hydrogen on repeat units; of monomers what polymerization leaves"
	}
	return out
}

// source lists where shipped datasets come from.
func source(names []string) string {
	var found []string
	for _, name := range names {
		if d, ok := data.Shipped(name); ok && !slices.Contains(found, d.Source) {
			found = append(found, d.Source)
		}
	}
	return strings.Join(found, "; ")
}
