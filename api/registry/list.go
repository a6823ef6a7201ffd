package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sync/errgroup"

	"polyid-trainer/jobs"
	"polyid-trainer/nn/checkpoint"
	"polyid-trainer/nn/keras"
	"polyid-trainer/storage/hub"
	"polyid-trainer/worker/predict"
)

// askedAtOnce is how many revisions are asked about themselves at a time.
const askedAtOnce = 8

// List puts together what the Hub has and what is loaded: the branches and tags
// of the default repository, and what else has been asked for. The default comes
// first. While the Hub is away the list holds what is loaded.
func (r *Registry) List(ctx context.Context) ([]ModelRevision, error) {
	refs, err := r.Hub.Refs(ctx, r.Default.Repo)
	switch {
	case errors.Is(err, hub.ErrRepoNotFound):
		refs = &hub.Refs{} // nothing has been published yet
	case errors.Is(err, hub.ErrUnavailable):
		r.log().Warn("listing models without the Hub", "error", err)
		refs = &hub.Refs{}
	case err != nil:
		return nil, err
	}
	var models []ModelRevision
	known := map[jobs.Revision]int{}
	add := func(m ModelRevision) {
		known[jobs.Revision{Repo: m.Repo, Revision: m.Revision}] = len(models)
		models = append(models, m)
	}
	for _, st := range r.Serving.Status() {
		if st.Commit != "" && (r.MayRead == nil || r.MayRead(ctx, st.Repo) == nil) {
			add(served(st))
		}
	}
	for kind, list := range map[string][]hub.Ref{"branch": refs.Branches, "tag": refs.Tags} {
		for _, ref := range list {
			if i, ok := known[jobs.Revision{Repo: r.Default.Repo, Revision: ref.Name}]; ok {
				models[i].Type = kind
			}
		}
	}
	for _, list := range []struct {
		kind string
		refs []hub.Ref
	}{{"branch", refs.Branches}, {"tag", refs.Tags}} {
		for _, named := range list.refs {
			ref := jobs.Revision{Repo: r.Default.Repo, Revision: named.Name}
			if _, ok := known[ref]; !ok {
				add(ModelRevision{Object: "model", Repo: ref.Repo, Revision: ref.Revision, Type: list.kind, Commit: named.Commit, Default: ref == r.Default})
			}
		}
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(askedAtOnce)
	for i := range models {
		group.Go(func() error { return r.describe(ctx, &models[i]) })
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return predicting(models), nil
}

// served is a revision that is served.
func served(st predict.Status) ModelRevision {
	m := ModelRevision{
		Object: "model", Repo: st.Repo, Revision: st.Revision, Type: "commit", Commit: st.Commit,
		Default: st.Default, Loaded: st.Loaded, LoadedAt: st.LoadedAt, Stale: st.Stale,
	}
	if st.Error != "" {
		m.Error = &st.Error
	}
	return m
}

// predicting leaves out revisions that say nothing of what they predict: a main
// branch on which nothing has been published.
func predicting(models []ModelRevision) []ModelRevision {
	kept := models[:0]
	for _, m := range models {
		if m.Loaded || len(m.Targets) > 0 {
			kept = append(kept, m)
		}
	}
	return kept
}

// describe adds to m what its revision says of itself. A commit never changes,
// so it is asked once.
func (r *Registry) describe(ctx context.Context, m *ModelRevision) error {
	m.Targets, m.Metrics = []checkpoint.Target{}, json.RawMessage("null")
	key := m.Repo + "@" + m.Commit
	said, ok := r.about.Load(key)
	if !ok {
		about, err := r.read(ctx, m.Repo, m.Commit)
		if errors.Is(err, hub.ErrUnavailable) {
			return nil // what is known is shown, and asked again the next time
		}
		if err != nil {
			return fmt.Errorf("describe %s: %w", key, err)
		}
		said, _ = r.about.LoadOrStore(key, about)
	}
	about := said.(*aboutModel)
	if about.config.Targets != nil {
		m.Targets = about.config.Targets
	}
	if about.metrics != nil {
		m.Metrics = about.metrics
	}
	if t := about.config.CreatedAt; !t.IsZero() {
		m.CreatedAt = &t
	}
	return nil
}

// read fetches what a commit says of itself. What is not there, or cannot be
// read, is left out: it is another's.
func (r *Registry) read(ctx context.Context, repo, commit string) (*aboutModel, error) {
	about := &aboutModel{}
	for path, into := range map[string]any{"config.json": &about.config, "metrics.json": &about.metrics} {
		name, err := r.Hub.Download(ctx, repo, commit, path, nil)
		if errors.Is(err, hub.ErrEntryNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		body, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		if err := json.Unmarshal(body, into); err != nil {
			r.log().Debug("a file of a revision cannot be read", "repo", repo, "commit", commit, "path", path, "error", err)
		}
	}
	if about.config.Targets != nil {
		return about, nil
	}
	name, err := r.Hub.Download(ctx, repo, commit, keras.Parameters, nil) // PolyID's own
	if errors.Is(err, hub.ErrEntryNotFound) {
		return about, nil
	}
	if err != nil {
		return nil, err
	}
	body, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	if about.config.Targets, err = keras.Targets(body); err != nil {
		r.log().Debug("a file of a revision cannot be read", "repo", repo, "commit", commit, "error", err)
	}
	return about, nil
}
