package predict

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"polyid-trainer/jobs"
	"polyid-trainer/nn"
	"polyid-trainer/storage/hub"
)

// Defaults of ModelsConfig.
const (
	// DefaultPoll is how often the Hub is asked whether a revision has moved, for
	// those that are published by others. What this system publishes is Moved.
	DefaultPoll = 30 * time.Second
	// DefaultLoaded is how many revisions are loaded at once: a full-size
	// ensemble takes about 100 MB.
	DefaultLoaded = 3
	// DefaultMaxAtoms is how many heavy atoms a polymer may have.
	DefaultMaxAtoms = 1200
)

// ModelsConfig says where revisions come from.
type ModelsConfig struct {
	Hub       *hub.Client
	NewEngine nn.NewEngine
	Default   jobs.Revision          // what predicts unless a request says otherwise; loaded from the start
	Allow     func(repo string) bool // which repositories may be asked for; nil allows the default's alone
	// May reports why who asks in ctx may not use a repository; nil is everyone.
	May      func(ctx context.Context, repo string) error
	Loaded   int // revisions loaded at once; 0 is DefaultLoaded
	MaxAtoms int // heavy atoms of a polymer; 0 is DefaultMaxAtoms
	Log      *slog.Logger
}

// Models keeps revisions loaded. It is safe for concurrent use.
type Models struct {
	ModelsConfig
	flight singleflight.Group
	wake   chan struct{} // Refresh now

	mu      sync.Mutex
	entries map[jobs.Revision]*entry
	refused map[string]error // by repo and commit: revisions that cannot be loaded, ever
	clock   int64            // of uses
}

// entry is a branch, tag or commit that is served.
type entry struct {
	model *Model // nil before the first is loaded
	used  int64
	stale bool  // the Hub was away when it was last asked
	err   error // of the last try to load what the revision resolves to
}

// NewModels makes Models without any loaded.
func NewModels(c ModelsConfig) *Models {
	if c.Default.Revision == "" {
		c.Default.Revision = "main"
	}
	if c.Loaded == 0 {
		c.Loaded = DefaultLoaded
	}
	if c.MaxAtoms == 0 {
		c.MaxAtoms = DefaultMaxAtoms
	}
	return &Models{ModelsConfig: c, wake: make(chan struct{}, 1),
		entries: map[jobs.Revision]*entry{c.Default: {}}, refused: map[string]error{}}
}

// Run loads the default revision and then, at every tick and whenever told by
// Moved, whatever has moved. It returns when ctx ends.
func (m *Models) Run(ctx context.Context, tick <-chan time.Time) {
	for {
		m.Refresh(ctx)
		select {
		case <-ctx.Done():
			return
		case <-tick:
		case <-m.wake:
		}
	}
}

// Moved says that something was published, so that Run looks at once.
func (m *Models) Moved() {
	select {
	case m.wake <- struct{}{}:
	default: // it is about to look anyway
	}
}

// Refresh asks the Hub where the revisions served stand, and loads those that
// have moved. What cannot be loaded leaves the one before it in place, and is
// told by Status.
func (m *Models) Refresh(ctx context.Context) {
	m.mu.Lock()
	refs := make([]jobs.Revision, 0, len(m.entries))
	for ref := range m.entries {
		refs = append(refs, ref)
	}
	m.mu.Unlock()
	for _, ref := range refs {
		if commitID(ref.Revision) && m.peek(ref) != nil {
			continue // it cannot have moved
		}
		before := m.lastError(ref)
		err := m.load(ctx, ref)
		if err == nil || ctx.Err() != nil || before != nil && before.Error() == err.Error() {
			continue // nothing new
		}
		if m.peek(ref) == nil && missing(err) {
			m.Log.Info("there is no model to predict with until one is published", "repo", ref.Repo, "revision", ref.Revision)
			continue
		}
		m.Log.Warn("loading a model: what was loaded before, if anything, goes on serving", "repo", ref.Repo, "revision", ref.Revision, "error", err)
	}
}

func (m *Models) lastError(ref jobs.Revision) (err error) {
	m.note(ref, func(e *entry) { err = e.err })
	return err
}

// Use gives the model of a revision, of the default one where its fields are
// empty, loading it if need be. The caller calls done when it no longer uses it.
// The error has code ModelNotLoaded if there is nothing to predict with, NotFound
// or Forbidden if a revision asked for is not to be had.
func (m *Models) Use(ctx context.Context, ref jobs.Revision) (model *Model, done func(), err error) {
	if ref.Repo == "" {
		ref.Repo = m.Default.Repo
	}
	if ref.Revision == "" {
		ref.Revision = m.Default.Revision
	}
	if ref.Repo != m.Default.Repo && (m.Allow == nil || !m.Allow(ref.Repo)) {
		return nil, nil, &jobs.Error{Code: jobs.Forbidden, Detail: fmt.Sprintf("models of %s are not served here: HUB_ALLOW does not name it", ref.Repo)}
	}
	if m.May != nil {
		if err := m.May(ctx, ref.Repo); err != nil {
			return nil, nil, err
		}
	}
	for {
		if model := m.peek(ref); model != nil {
			if model.use() {
				return model, model.release, nil
			}
			continue // replaced this moment
		}
		if err := m.load(ctx, ref); err != nil {
			return nil, nil, m.explain(ref, err)
		}
	}
}

// peek is the model that serves ref now; nil if there is none.
func (m *Models) peek(ref jobs.Revision) *Model {
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.entries[ref]
	if e == nil {
		return nil
	}
	m.clock++
	e.used = m.clock
	return e.model
}

// explain makes an error for the one who asked for ref.
func (m *Models) explain(ref jobs.Revision, err error) error {
	e := &jobs.Error{Code: jobs.ModelNotLoaded, Err: err}
	switch {
	case missing(err) && ref == m.Default:
		e.Detail = fmt.Sprintf("no model has been published to %s at %s yet. To get one, train it: POST /v1/training-jobs with {\"dataset\": \"stereopolymer_input_nopush\"}, or run the command quickstart; or set HUB_REPO to a repository that has one",
			ref.Repo, ref.Revision)
	case missing(err):
		e.Code = jobs.NotFound
		e.Detail = fmt.Sprintf("there is no revision %s of %s that can predict: GET /v1/models lists those there are", ref.Revision, ref.Repo)
	case errors.Is(err, hub.ErrUnauthorized), errors.Is(err, hub.ErrGated):
		e.Detail = fmt.Sprintf("the Hub does not let this server read %s: set HF_TOKEN to a token that may", ref.Repo)
	case errors.Is(err, hub.ErrUnavailable):
		e.Detail = fmt.Sprintf("the Hub at %s is away and %s at %s is not in the cache: try again", m.Hub.Endpoint(), ref.Repo, ref.Revision)
	default:
		e.Detail = fmt.Sprintf("%s at %s cannot be loaded (%v): publish another revision, or ask for one that GET /v1/models lists", ref.Repo, ref.Revision, err)
	}
	return e
}

// missing reports whether an error says that there is nothing to load.
func missing(err error) bool {
	return errors.Is(err, hub.ErrRepoNotFound) || errors.Is(err, hub.ErrRevisionNotFound) || errors.Is(err, errNoModel)
}

// commitID reports whether a revision names a commit, which cannot move.
func commitID(revision string) bool {
	if len(revision) != 40 {
		return false
	}
	for _, c := range revision {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}
