package predict

import (
	"context"
	"os"
	"time"

	"polyid-trainer/jobs"
	"polyid-trainer/nn/revision"
	"polyid-trainer/storage/hub"
)

// load makes the model of ref's commit the one that serves ref. Calls for one
// ref at a time are one call.
func (m *Models) load(ctx context.Context, ref jobs.Revision) error {
	done := m.flight.DoChan(ref.Repo+"\x00"+ref.Revision, func() (any, error) {
		// Whoever called first may leave; others may be waiting.
		return nil, m.loadNow(context.WithoutCancel(ctx), ref)
	})
	select {
	case r := <-done:
		return r.Err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (m *Models) loadNow(ctx context.Context, ref jobs.Revision) error {
	began := time.Now()
	var total int64
	at, err := m.Hub.Snapshot(ctx, ref.Repo, ref.Revision, func(e hub.Entry) bool {
		if revision.Wanted(e.Path) {
			total += e.Size
		}
		return false
	}, nil)
	if err != nil {
		m.note(ref, func(e *entry) { e.err = err })
		return err
	}
	served, err := m.serveLoaded(ref, at)
	if served || err != nil {
		return err
	}
	model, err := m.read(ctx, ref.Repo, at.Commit, total)
	if err != nil {
		m.note(ref, func(e *entry) { e.err = err })
		return err
	}
	m.mu.Lock()
	m.serve(ref, model, at.Stale)
	m.mu.Unlock()
	m.Log.Info("model loaded", "repo", ref.Repo, "revision", ref.Revision, "commit", at.Commit, "stale", at.Stale, "took", time.Since(began).Round(time.Millisecond))
	return nil
}

// serveLoaded serves ref by a model that is loaded, where there is one of its
// commit; the error is why that commit was refused.
func (m *Models) serveLoaded(ref jobs.Revision, at *hub.Snapshot) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, e := range m.entries {
		if e.model != nil && e.model.Repo == ref.Repo && e.model.Commit == at.Commit {
			m.serve(ref, e.model, at.Stale)
			return true, nil
		}
	}
	err := m.refused[ref.Repo+"@"+at.Commit]
	if e := m.entries[ref]; e != nil && err != nil {
		e.err = err
	}
	return false, err
}

// read downloads and loads a commit.
func (m *Models) read(ctx context.Context, repo, commit string, total int64) (*Model, error) {
	p := &progress{log: m.Log.With("repo", repo, "commit", commit), total: total}
	snap, err := m.Hub.Snapshot(ctx, repo, commit, func(e hub.Entry) bool { return revision.Wanted(e.Path) }, p.hear)
	if err != nil {
		return nil, err
	}
	model, err := m.open(repo, snap)
	if err != nil { // its files are what the Hub says they are: reading them again will not help
		m.mu.Lock()
		m.refused[repo+"@"+commit] = err
		m.mu.Unlock()
	}
	return model, err
}

func (m *Models) open(repo string, snap *hub.Snapshot) (*Model, error) {
	r, err := revision.Open(os.DirFS(snap.Dir))
	if err != nil {
		return nil, err
	}
	model, err := newModel(repo, snap.Commit, r, m.NewEngine, m.MaxAtoms)
	if err != nil {
		return nil, err
	}
	model.LoadedAt = time.Now().UTC()
	return model, nil
}

// serve puts model behind ref. Revisions beyond the limit that were not used for
// longest are let go. It is called under mu.
func (m *Models) serve(ref jobs.Revision, model *Model, stale bool) {
	e := m.entries[ref]
	if e == nil {
		e = &entry{}
		m.entries[ref] = e
	}
	m.clock++
	e.used = m.clock
	old := e.model
	e.model, e.stale, e.err = model, stale, nil
	m.drop(old)
	for m.distinct() > m.Loaded {
		oldest, found := jobs.Revision{}, false
		for r, e := range m.entries {
			if r != m.Default && r != ref && e.model != nil && (!found || e.used < m.entries[oldest].used) {
				oldest, found = r, true
			}
		}
		if !found {
			break
		}
		gone := m.entries[oldest].model
		delete(m.entries, oldest)
		m.drop(gone)
	}
}

// drop retires a model that no entry serves any more. It is called under mu.
func (m *Models) drop(model *Model) {
	if model == nil {
		return
	}
	for _, e := range m.entries {
		if e.model == model {
			return
		}
	}
	model.retire()
}

// distinct counts the models loaded. It is called under mu.
func (m *Models) distinct() int {
	seen := map[*Model]bool{}
	for _, e := range m.entries {
		if e.model != nil {
			seen[e.model] = true
		}
	}
	return len(seen)
}

// note changes the entry of a revision that is served; of others nothing is
// kept.
func (m *Models) note(ref jobs.Revision, change func(*entry)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if e := m.entries[ref]; e != nil {
		change(e)
	}
}
