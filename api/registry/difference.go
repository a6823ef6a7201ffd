package registry

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"

	"polyid-trainer/nn/revision"
	"polyid-trainer/storage/hub"
)

// Difference is what changes for those who predict by a branch or tag when it
// names another revision.
type Difference struct {
	Object     string   `json:"object" enum:"model_difference"`
	Repo       string   `json:"repo"`
	Revision   string   `json:"revision"`
	Commit     string   `json:"commit"`
	With       string   `json:"with" doc:"The branch or tag that it would replace."`
	WithCommit string   `json:"with_commit" doc:"Where that is now; empty if it is not there or holds no model."`
	Same       bool     `json:"same" doc:"The two hold the same model."`
	Basis      string   `json:"basis" enum:"hold-out,out-of-fold," doc:"What both were scored on; empty if their errors cannot be compared."`
	Worse      bool     `json:"worse" doc:"It is worse, predicts less, or cannot be compared."`
	Reason     string   `json:"reason" doc:"Why it is or is not worse."`
	Properties []Change `json:"properties" nullable:"false" doc:"Of either."`
	Lost       []string `json:"lost" nullable:"false" doc:"Properties that it does not predict."`
	Gained     []string `json:"gained" nullable:"false" doc:"Properties that only it predicts."`
	Summary    string   `json:"summary" doc:"All of it in a sentence."`
}

// Change is one property's errors before and after, in its own units; null where
// there are none.
type Change struct {
	Name     string   `json:"name"`
	Units    string   `json:"units"`
	Before   *float64 `json:"mae_before"`
	After    *float64 `json:"mae_after"`
	R2Before *float64 `json:"r2_before"`
	R2After  *float64 `json:"r2_after"`
}

// Difference compares a revision with what a branch or tag names. An empty repo
// is the default's.
func (r *Registry) Difference(ctx context.Context, repo, rev, with string) (*Difference, error) {
	repo = cmp.Or(repo, r.Default.Repo)
	d, err := r.difference(ctx, repo, rev, with)
	if err != nil {
		return nil, explain(err, repo, rev, with)
	}
	return d, nil
}

func (r *Registry) difference(ctx context.Context, repo, rev, with string) (*Difference, error) {
	d := &Difference{Object: "model_difference", Repo: repo, Revision: rev, With: with, Properties: []Change{}, Lost: []string{}, Gained: []string{}}
	mine, commit, err := r.said(ctx, repo, rev)
	if err != nil {
		return nil, err
	}
	d.Commit = commit
	theirs, there, err := r.said(ctx, repo, with)
	if err != nil && !errors.Is(err, hub.ErrRevisionNotFound) {
		return nil, err
	}
	if err != nil || len(theirs.config.Targets) == 0 {
		for _, t := range mine.config.Targets {
			d.Gained = append(d.Gained, t.Name)
		}
		d.Summary = fmt.Sprintf("%s holds no model yet", with)
		return d, nil
	}
	d.WithCommit = there
	myMetrics, theirMetrics := mine.scores(), theirs.scores()
	d.Same = commit == there || mine.config.Job != "" && mine.config.Job == theirs.config.Job && string(mine.metrics) == string(theirs.metrics)
	if d.Same {
		d.Summary = fmt.Sprintf("%s holds this model already", with)
	} else {
		ok, reason := revision.NotWorse(mine.config, myMetrics, theirs.config, theirMetrics)
		d.Worse, d.Reason = !ok, reason
	}
	d.Lost = append(d.Lost, revision.Lacks(mine.config, theirs.config)...)
	d.Gained = append(d.Gained, revision.Lacks(theirs.config, mine.config)...)
	after, before, of, _ := revision.Comparable(mine.config, myMetrics, theirs.config, theirMetrics)
	d.Basis = of
	if of == "" { // both are shown all the same, and that they are of other rows
		after, before = myMetrics.OutOfFold, theirMetrics.OutOfFold
	}
	d.changes(mine.config, theirs.config, after, before)
	if !d.Same {
		d.Summary = d.inWords()
	}
	return d, nil
}

// said is what a revision says of itself, and its commit.
func (r *Registry) said(ctx context.Context, repo, rev string) (*aboutModel, string, error) {
	if r.MayRead != nil {
		if err := r.MayRead(ctx, repo); err != nil {
			return nil, "", err
		}
	}
	m, err := r.Hub.Model(ctx, repo, rev)
	if err != nil {
		return nil, "", err
	}
	key := repo + "@" + m.Commit
	if known, ok := r.about.Load(key); ok {
		return known.(*aboutModel), m.Commit, nil
	}
	about, err := r.read(ctx, repo, m.Commit)
	if err != nil {
		return nil, "", err
	}
	r.about.Store(key, about)
	return about, m.Commit, nil
}

// scores are its metrics; none if it has none that can be read.
func (a *aboutModel) scores() (m revision.Metrics) {
	if json.Unmarshal(a.metrics, &m) != nil {
		return revision.Metrics{}
	}
	return m
}

// changes lists every property of either revision, theirs first.
func (d *Difference) changes(mine, theirs revision.Config, after, before revision.Scores) {
	seen := map[string]bool{}
	for _, t := range append(append([]string{}, names(theirs)...), names(mine)...) {
		if seen[t] {
			continue
		}
		seen[t] = true
		c := Change{Name: t}
		if s, ok := before[t]; ok {
			c.Units, c.Before, c.R2Before = s.Units, finite(float64(s.MAE)), finite(float64(s.R2))
		}
		if s, ok := after[t]; ok {
			c.Units, c.After, c.R2After = cmp.Or(s.Units, c.Units), finite(float64(s.MAE)), finite(float64(s.R2))
		}
		d.Properties = append(d.Properties, c)
	}
}

func names(c revision.Config) (all []string) {
	for _, t := range c.Targets {
		all = append(all, t.Name)
	}
	return all
}

// inWords is the difference like "replaces main: Tg MAE 5 → 8.8 °C, loses Tm".
func (d *Difference) inWords() string {
	var parts []string
	for _, c := range d.Properties {
		if c.Before != nil && c.After != nil {
			parts = append(parts, strings.TrimSpace(fmt.Sprintf("%s MAE %.3g → %.3g %s", c.Name, *c.Before, *c.After, c.Units)))
		}
	}
	counted := func(verb string, names []string) {
		switch {
		case len(names) > 3:
			parts = append(parts, fmt.Sprintf("%s %d properties", verb, len(names)))
		case len(names) > 0:
			parts = append(parts, verb+" "+strings.Join(names, ", "))
		}
	}
	counted("loses", d.Lost)
	counted("gains", d.Gained)
	if len(parts) == 0 {
		return "replaces " + d.With
	}
	return "replaces " + d.With + ": " + strings.Join(parts, ", ")
}

// finite is a measured value, nil for none.
func finite(v float64) *float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return &v
}
