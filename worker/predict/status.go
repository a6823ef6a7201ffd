package predict

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"polyid-trainer/jobs"
	"polyid-trainer/nn/revision"
)

// Status is a revision that is served, or is to be.
type Status struct {
	Repo     string            `json:"repo"`
	Revision string            `json:"revision"`
	Default  bool              `json:"default"`
	Loaded   bool              `json:"loaded"`
	Commit   string            `json:"commit,omitempty"`
	LoadedAt *time.Time        `json:"loaded_at,omitempty"`
	Stale    bool              `json:"stale"` // from the cache: the Hub was away
	Error    string            `json:"error,omitempty"`
	Config   *revision.Config  `json:"config,omitempty"`
	Metrics  *revision.Metrics `json:"metrics,omitempty"`
}

// Status lists the revisions that are served, the default one first.
func (m *Models) Status() []Status {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []Status
	for ref, e := range m.entries {
		s := Status{Repo: ref.Repo, Revision: ref.Revision, Default: ref == m.Default, Stale: e.stale}
		if e.err != nil {
			s.Error = e.err.Error()
		}
		if e.model != nil {
			s.Loaded, s.Commit, s.LoadedAt, s.Config, s.Metrics = true, e.model.Commit, &e.model.LoadedAt, &e.model.Config, &e.model.Metrics
		}
		out = append(out, s)
	}
	slices.SortFunc(out, func(a, b Status) int {
		if a.Default != b.Default {
			if a.Default {
				return -1
			}
			return 1
		}
		return cmp.Or(cmp.Compare(a.Repo, b.Repo), cmp.Compare(a.Revision, b.Revision))
	})
	return out
}

// Ready is nil once the default revision is loaded, and otherwise the error that
// Use gives.
func (m *Models) Ready() error {
	m.mu.Lock()
	e := m.entries[m.Default]
	model, err := e.model, e.err
	m.mu.Unlock()
	switch {
	case model != nil:
		return nil
	case err == nil:
		return &jobs.Error{Code: jobs.ModelNotLoaded, Detail: fmt.Sprintf("%s at %s is being loaded: try again in a moment", m.Default.Repo, m.Default.Revision)}
	}
	return m.explain(m.Default, err)
}
