package predict

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"

	"polyid-trainer/jobs"
	"polyid-trainer/nn/keras"
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
	var entries []hub.Entry
	at, err := m.Hub.Snapshot(ctx, ref.Repo, ref.Revision, func(e hub.Entry) bool {
		entries = append(entries, e)
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
	model, err := m.read(ctx, ref.Repo, at.Commit, layoutOf(entries))
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

// layout is what to download of a revision and how to read it.
type layout struct {
	want  func(path string) bool
	total int64 // bytes of that
	open  func(dir fs.FS, name string) (*revision.Revision, error)
}

// errNoModel is of a revision with nothing to load: a branch that was only made.
var errNoModel = fmt.Errorf("it holds no model: neither %s nor PolyID's %s is there", revision.ConfigPath, keras.Parameters)

// layoutOf tells a revision of this project from one that PolyID saved. What has
// a config.json is ours, and then no pickle beside it is looked at.
func layoutOf(entries []hub.Entry) layout {
	l := layout{want: revision.Wanted, open: func(dir fs.FS, _ string) (*revision.Revision, error) { return revision.Open(dir) }}
	has := func(path string) bool {
		return slices.ContainsFunc(entries, func(e hub.Entry) bool { return e.Path == path })
	}
	switch {
	case has(revision.ConfigPath):
	case has(keras.Parameters):
		l.want, l.open = keras.Wanted, revision.Import
	default:
		l.want, l.open = func(string) bool { return false }, func(fs.FS, string) (*revision.Revision, error) { return nil, errNoModel }
	}
	for _, e := range entries {
		if l.want(e.Path) {
			l.total += e.Size
		}
	}
	return l
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
func (m *Models) read(ctx context.Context, repo, commit string, l layout) (*Model, error) {
	p := &progress{log: m.Log.With("repo", repo, "commit", commit), total: l.total}
	snap, err := m.Hub.Snapshot(ctx, repo, commit, func(e hub.Entry) bool { return l.want(e.Path) }, p.hear)
	if err != nil {
		return nil, err
	}
	model, err := m.open(repo, snap, l)
	if err != nil { // its files are what the Hub says they are: reading them again will not help
		m.mu.Lock()
		m.refused[repo+"@"+commit] = err
		m.mu.Unlock()
	}
	return model, err
}

func (m *Models) open(repo string, snap *hub.Snapshot, l layout) (*Model, error) {
	r, err := l.open(os.DirFS(snap.Dir), repo+" at "+snap.Commit)
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
