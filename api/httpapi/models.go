package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"golang.org/x/sync/errgroup"

	"polyid-trainer/jobs"
	"polyid-trainer/nn/checkpoint"
	"polyid-trainer/nn/keras"
	"polyid-trainer/nn/revision"
	"polyid-trainer/storage/hub"
	"polyid-trainer/worker/predict"
)

// Models serves /v1/models.
type Models struct {
	Serving Serving
	Hub     interface {
		Refs(ctx context.Context, repo string) (*hub.Refs, error)
		Download(ctx context.Context, repo, revision, path string, progress hub.Progress) (string, error)
		CreateTag(ctx context.Context, repo, revision, tag, message string) error
		Model(ctx context.Context, repo, revision string) (*hub.Model, error)
		Promote(ctx context.Context, repo, revision, branch string) (string, error)
	}
	HubURL  string                 // where the Hub's pages are; "" is the public one
	Default jobs.Revision          // what predicts unless a request says otherwise
	Allow   func(repo string) bool // which repositories may be changed; nil allows the default's alone
	// Import publishes what PolyID itself saved; nil where nothing is published.
	Import func(ctx context.Context, from jobs.Revision, to jobs.Destination) (*jobs.Publication, error)

	about sync.Map // what revisions say of themselves, by repository and commit
}

// ModelRevision is a revision that can predict.
type ModelRevision struct {
	Object    string              `json:"object" enum:"model"`
	Repo      string              `json:"repo"`
	Revision  string              `json:"revision"`
	Type      string              `json:"type" enum:"branch,tag,commit"`
	Commit    string              `json:"commit"`
	Default   bool                `json:"default" doc:"Predicts unless a request says otherwise."`
	Loaded    bool                `json:"loaded"`
	LoadedAt  *time.Time          `json:"loaded_at"`
	Stale     bool                `json:"stale" doc:"From the cache: the Hub was away when it was last asked."`
	Error     *string             `json:"error" doc:"Why it could not be loaded when last tried."`
	Targets   []checkpoint.Target `json:"targets" nullable:"false"`
	Metrics   json.RawMessage     `json:"metrics" doc:"metrics.json of the revision; null if it has none."`
	CreatedAt *time.Time          `json:"created_at" doc:"When its last fold was done."`
}

// describe is how many revisions are asked about themselves at a time.
const describe = 8

func (a *Models) routes(s *Server) {
	s.page("/models", "Models", a.listPage)
	tags := []string{"models"}
	type listed struct{ Body List[ModelRevision] }
	route(s, huma.Operation{
		OperationID: "list-models", Method: http.MethodGet, Path: "/v1/models", Tags: tags,
		Summary:     "Revisions that can predict",
		Description: "The branches and tags of the configured repository, and what else has been asked for; the one that predicts unless a request says otherwise comes first.",
	}, func(ctx context.Context, _ *struct{}) (*listed, error) {
		found, err := a.list(ctx)
		return &listed{newList(found, false, func(m ModelRevision) string { return m.Repo + "@" + m.Revision })}, err
	})
	type request struct {
		Body struct {
			Repo     string `json:"repo,omitempty" maxLength:"200" doc:"The configured one if left out."`
			Revision string `json:"revision" minLength:"1" maxLength:"200" doc:"A branch, tag or commit."`
			To       string `json:"to" minLength:"1" maxLength:"200" pattern:"^[A-Za-z0-9][A-Za-z0-9._/-]*$" doc:"main or another branch, which is moved, or a tag, which is set."`
		}
	}
	type answer struct{ Body Promotion }
	route(s, huma.Operation{
		OperationID: "promote-model", Method: http.MethodPost, Path: "/v1/models/promote", Tags: tags,
		Summary:     "Move a branch to a revision, or tag it",
		Description: "A branch gets one commit more, with the revision's files. A tag that names another revision stays: 409. What predicts by the branch changes as soon as it is loaded.",
	}, func(ctx context.Context, in *request) (*answer, error) {
		if in.Body.Repo == "" {
			in.Body.Repo = a.Default.Repo
		}
		p, err := a.promote(ctx, in.Body.Repo, in.Body.Revision, in.Body.To)
		if err != nil {
			return nil, a.explain(err, in.Body.Repo, in.Body.Revision, in.Body.To)
		}
		a.Serving.Moved()
		logOf(ctx).Info("promoted", "repo", p.Repo, "revision", in.Body.Revision, "to", p.To, "commit", p.Commit, "token", Principal(ctx))
		return &answer{*p}, nil
	})
	if a.Import != nil {
		a.importing(s, tags)
	}
}

// Imported is a revision made of PolyID's own files.
type Imported struct {
	Object string `json:"object" enum:"import"`
	Repo   string `json:"repo"`
	Branch string `json:"branch"`
	Tag    string `json:"tag,omitempty"`
	Commit string `json:"commit"`
	URL    string `json:"url"`
}

// Import asks for a revision made of PolyID's own files.
type Import struct {
	Repo     string             `json:"repo" minLength:"3" maxLength:"200" doc:"The repository on the Hub that holds what PolyID saved: parameters.pk and a folder for every fold."`
	Revision string             `json:"revision,omitempty" maxLength:"200" doc:"A branch, tag or commit of it; main if left out."`
	Publish  *ImportDestination `json:"publish,omitempty" doc:"main of the configured repository if left out."`
}

// ImportDestination says where an import is published.
type ImportDestination struct {
	Repo    string `json:"repo,omitempty" maxLength:"200" doc:"The configured one if left out."`
	Branch  string `json:"branch,omitempty" maxLength:"200" doc:"main if left out."`
	Tag     string `json:"tag,omitempty" maxLength:"200" doc:"v1.2.0 or the like; none if left out."`
	Private *bool  `json:"private,omitempty" doc:"A new repository is private unless this says otherwise; one that is there keeps its own."`
}

// importing adds the route that imports.
func (a *Models) importing(s *Server, tags []string) {
	type request struct{ Body Import }
	type answer struct{ Body Imported }
	route(s, huma.Operation{
		OperationID: "import-model", Method: http.MethodPost, Path: "/v1/models/import", Tags: tags, DefaultStatus: http.StatusCreated,
		Summary: "Publish an ensemble that PolyID saved",
		Description: "Reads PolyID's own .h5 and .pk files from a repository, running no code, and publishes them as a revision of this service's kind beside Python's files. " +
			"Such a repository can also be predicted with as it is. Intervals and the domain of validity are null, since PolyID keeps neither.",
	}, func(ctx context.Context, in *request) (*answer, error) {
		from, to := jobs.Revision{Repo: in.Body.Repo, Revision: in.Body.Revision}, jobs.Destination{}
		if from.Revision == "" {
			from.Revision = "main"
		}
		if p := in.Body.Publish; p != nil {
			to = jobs.Destination{Repo: p.Repo, Branch: p.Branch, Tag: p.Tag, Private: p.Private}
		}
		spec := jobs.Spec{Publish: &to}.WithDefaults()
		var wrong []jobs.Problem
		for _, q := range spec.Problems() {
			if strings.HasPrefix(q.Pointer, "/publish/") {
				wrong = append(wrong, q)
			}
		}
		if wrong != nil {
			return nil, &jobs.Error{Code: jobs.Invalid, Detail: "the destination cannot be", Problems: wrong}
		}
		p, err := a.Import(ctx, from, to)
		if err != nil {
			return nil, err
		}
		a.Serving.Moved()
		return &answer{Imported{"import", p.Repo, p.Branch, p.Tag, p.Commit, p.URL}}, nil
	})
}

// list puts together what the Hub has and what is loaded.
func (a *Models) list(ctx context.Context) ([]ModelRevision, error) {
	refs, err := a.Hub.Refs(ctx, a.Default.Repo)
	switch {
	case errors.Is(err, hub.ErrRepoNotFound):
		refs = &hub.Refs{} // nothing has been published yet
	case errors.Is(err, hub.ErrUnavailable):
		logOf(ctx).Warn("listing models without the Hub", "error", err)
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
	for _, st := range a.Serving.Status() {
		if st.Commit != "" {
			add(served(st))
		}
	}
	for kind, list := range map[string][]hub.Ref{"branch": refs.Branches, "tag": refs.Tags} {
		for _, r := range list {
			if i, ok := known[jobs.Revision{Repo: a.Default.Repo, Revision: r.Name}]; ok {
				models[i].Type = kind
			}
		}
	}
	for _, list := range []struct {
		kind string
		refs []hub.Ref
	}{{"branch", refs.Branches}, {"tag", refs.Tags}} {
		for _, r := range list.refs {
			ref := jobs.Revision{Repo: a.Default.Repo, Revision: r.Name}
			if _, ok := known[ref]; !ok {
				add(ModelRevision{Object: "model", Repo: ref.Repo, Revision: ref.Revision, Type: list.kind, Commit: r.Commit, Default: ref == a.Default})
			}
		}
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(describe)
	for i := range models {
		group.Go(func() error { return a.describe(ctx, &models[i]) })
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

// aboutModel is what a revision says of itself.
type aboutModel struct {
	config  revision.Config
	metrics json.RawMessage
}

// describe adds to m what its revision says of itself. A commit never changes,
// so it is asked once.
func (a *Models) describe(ctx context.Context, m *ModelRevision) error {
	m.Targets, m.Metrics = []checkpoint.Target{}, json.RawMessage("null")
	key := m.Repo + "@" + m.Commit
	said, ok := a.about.Load(key)
	if !ok {
		about, err := a.read(ctx, m.Repo, m.Commit)
		if errors.Is(err, hub.ErrUnavailable) {
			return nil // what is known is shown, and asked again the next time
		}
		if err != nil {
			return fmt.Errorf("describe %s: %w", key, err)
		}
		said, _ = a.about.LoadOrStore(key, about)
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
func (a *Models) read(ctx context.Context, repo, commit string) (*aboutModel, error) {
	about := &aboutModel{}
	for path, into := range map[string]any{"config.json": &about.config, "metrics.json": &about.metrics} {
		name, err := a.Hub.Download(ctx, repo, commit, path, nil)
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
			logOf(ctx).Debug("a file of a revision cannot be read", "repo", repo, "commit", commit, "path", path, "error", err)
		}
	}
	if about.config.Targets != nil {
		return about, nil
	}
	name, err := a.Hub.Download(ctx, repo, commit, keras.Parameters, nil) // PolyID's own
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
		logOf(ctx).Debug("a file of a revision cannot be read", "repo", repo, "commit", commit, "error", err)
	}
	return about, nil
}

// Promotion is what a branch or tag names now.
type Promotion struct {
	Object string `json:"object" enum:"promotion"`
	Repo   string `json:"repo"`
	To     string `json:"to"`
	Type   string `json:"type" enum:"branch,tag"`
	Commit string `json:"commit"`
}

var errTagTaken = errors.New("the tag names another revision")

func (a *Models) promote(ctx context.Context, repo, rev, to string) (*Promotion, error) {
	if repo != a.Default.Repo && (a.Allow == nil || !a.Allow(repo)) {
		return nil, &jobs.Error{Code: jobs.Forbidden, Detail: fmt.Sprintf("%s may not be changed from here: HUB_ALLOW does not name it", repo)}
	}
	refs, err := a.Hub.Refs(ctx, repo)
	if err != nil {
		return nil, err
	}
	for _, b := range refs.Branches {
		if b.Name == to {
			commit, err := a.Hub.Promote(ctx, repo, rev, to)
			return &Promotion{"promotion", repo, to, "branch", commit}, err
		}
	}
	from, err := a.Hub.Model(ctx, repo, rev)
	if err != nil {
		return nil, err
	}
	for _, t := range refs.Tags {
		if t.Name == to && t.Commit != from.Commit {
			return nil, errTagTaken
		}
		if t.Name == to {
			return &Promotion{"promotion", repo, to, "tag", from.Commit}, nil
		}
	}
	err = a.Hub.CreateTag(ctx, repo, from.Commit, to, "")
	return &Promotion{"promotion", repo, to, "tag", from.Commit}, err
}

// explain makes an error for the one who asked for a promotion.
func (a *Models) explain(err error, repo, rev, to string) error {
	e := &jobs.Error{Err: err}
	switch {
	case errors.Is(err, errTagTaken), errors.Is(err, hub.ErrExists):
		e.Code, e.Detail = jobs.Conflict, fmt.Sprintf("the tag %s of %s names another revision: choose another name", to, repo)
	case errors.Is(err, hub.ErrConflict):
		e.Code, e.Detail = jobs.Conflict, fmt.Sprintf("%s of %s moved meanwhile: look at it and try again", to, repo)
	case errors.Is(err, hub.ErrRepoNotFound):
		e.Code, e.Detail = jobs.NotFound, fmt.Sprintf("there is no repository %s", repo)
	case errors.Is(err, hub.ErrRevisionNotFound):
		e.Code, e.Detail = jobs.NotFound, fmt.Sprintf("%s has no revision %s", repo, rev)
	case errors.Is(err, hub.ErrUnauthorized), errors.Is(err, hub.ErrGated):
		e.Code, e.Detail = jobs.Forbidden, fmt.Sprintf("the Hub does not let this server change %s: set HF_TOKEN to a token that may", repo)
	default:
		return err
	}
	return e
}
