package registry

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"polyid-trainer/storage/hub"
)

// mostVersions bounds how many commits Versions describes, the newest first.
const mostVersions = 100

// Version is a commit that holds a model.
type Version struct {
	ModelRevision
	Title    string    `json:"title" doc:"First line of its commit's message."`
	Date     time.Time `json:"date" doc:"Of its commit."`
	Branches []string  `json:"branches" nullable:"false" doc:"Branches that are at it."`
	Tags     []string  `json:"tags" nullable:"false" doc:"Tags that name it."`
	History  []string  `json:"history" nullable:"false" doc:"Branches whose history it is in."`
	Job      string    `json:"job" doc:"Id of the training job that made it; empty if it was imported."`
	Data     string    `json:"data" doc:"Name of the table that it was trained on."`
}

// Versions lists the commits of every branch of the default repository that hold
// a model, newest first, and what else is loaded. The Hub is asked once a commit.
func (r *Registry) Versions(ctx context.Context) ([]Version, error) {
	listed, err := r.List(ctx)
	if err != nil {
		return nil, err
	}
	all, err := r.commits(ctx)
	if err != nil && !errors.Is(err, hub.ErrUnavailable) {
		return nil, err
	}
	if err := r.describeAll(ctx, all); err != nil {
		return nil, err
	}
	at := map[string]int{}
	for i := range all {
		at[all[i].Commit] = i
	}
	for _, m := range listed {
		i, known := at[m.Commit]
		if !known || m.Repo != r.Default.Repo {
			v := Version{ModelRevision: m, Branches: []string{}, Tags: []string{}, History: []string{}}
			if m.CreatedAt != nil {
				v.Date = *m.CreatedAt
			}
			all = append(all, v)
			continue
		}
		v := &all[i]
		v.Stale = v.Stale || m.Stale
		if m.Loaded {
			v.Loaded, v.LoadedAt = true, m.LoadedAt
		}
		if m.Error != nil {
			v.Error = m.Error
		}
	}
	all = slices.DeleteFunc(all, func(v Version) bool { return !v.Loaded && len(v.Targets) == 0 })
	for i := range all {
		if about, ok := r.about.Load(all[i].Repo + "@" + all[i].Commit); ok {
			config := about.(*aboutModel).config
			all[i].Job, all[i].Data = config.Job, config.Data.Name
		}
	}
	return all, nil
}

// commits are the newest of all branches of the default repository, each once.
func (r *Registry) commits(ctx context.Context) ([]Version, error) {
	repo := r.Default.Repo
	refs, err := r.Hub.Refs(ctx, repo)
	if errors.Is(err, hub.ErrRepoNotFound) {
		return nil, nil // nothing has been published yet
	}
	if err != nil {
		return nil, err
	}
	var all []Version
	at := map[string]int{}
	for _, b := range refs.Branches {
		entries, err := r.Hub.Log(ctx, repo, b.Commit)
		if err != nil {
			return nil, err
		}
		for n, e := range entries {
			i, known := at[e.Commit]
			if !known {
				i = len(all)
				at[e.Commit] = i
				all = append(all, Version{
					ModelRevision: ModelRevision{Object: "model", Repo: repo, Revision: e.Commit, Type: "commit", Commit: e.Commit, Metrics: json.RawMessage("null")},
					Title:         e.Title, Date: e.Date, Branches: []string{}, Tags: []string{}, History: []string{},
				})
			}
			all[i].History = append(all[i].History, b.Name)
			if n == 0 {
				all[i].Branches = append(all[i].Branches, b.Name)
			}
		}
	}
	for _, t := range refs.Tags {
		if i, ok := at[t.Commit]; ok {
			all[i].Tags = append(all[i].Tags, t.Name)
		}
	}
	for i := range all {
		all[i].name(r.Default.Revision)
	}
	// A log's order is kept between commits of one second.
	slices.SortStableFunc(all, func(a, b Version) int { return b.Date.Compare(a.Date) })
	return all[:min(len(all), mostVersions)], nil
}

// name sets what a request calls the version: the branch that is at it, the
// default first, else a tag, else its commit.
func (v *Version) name(preferred string) {
	switch {
	case slices.Contains(v.Branches, preferred):
		v.Revision, v.Type, v.Default = preferred, "branch", true
	case len(v.Tags) > 0: // a branch moves on, a tag stays
		v.Revision, v.Type = v.Tags[0], "tag"
		v.Default = v.Revision == preferred
	case len(v.Branches) > 0:
		v.Revision, v.Type = v.Branches[0], "branch"
	}
}

func (r *Registry) describeAll(ctx context.Context, all []Version) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(askedAtOnce)
	for i := range all {
		group.Go(func() error { return r.describe(ctx, &all[i].ModelRevision) })
	}
	return group.Wait()
}
