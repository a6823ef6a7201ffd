package httpapi

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"polyid-trainer/api/registry"
	"polyid-trainer/api/training"
	"polyid-trainer/jobs"
)

// Models serves /v1/models.
type Models struct {
	Registry *registry.Registry
	// Import publishes what PolyID itself saved; nil where nothing is published.
	Import func(ctx context.Context, from jobs.Revision, to jobs.Destination) (*jobs.Publication, error)
}

func (a *Models) Routes(s *Server) {
	tags := []string{"models"}
	type listed struct{ Body List[registry.ModelRevision] }
	route(s, huma.Operation{
		OperationID: "list-models", Method: http.MethodGet, Path: "/v1/models", Tags: tags,
		Summary:     "Revisions that can predict",
		Description: "The branches and tags of the configured repository, and what else has been asked for; the one that predicts unless a request says otherwise comes first.",
	}, func(ctx context.Context, _ *struct{}) (*listed, error) {
		found, err := a.Registry.List(ctx)
		return &listed{newList(found, false, func(m registry.ModelRevision) string { return m.Repo + "@" + m.Revision })}, err
	})
	a.versions(s, tags)
	type request struct {
		Body struct {
			Repo     string `json:"repo,omitempty" maxLength:"200" doc:"The configured one if left out."`
			Revision string `json:"revision" minLength:"1" maxLength:"200" doc:"A branch, tag or commit."`
			To       string `json:"to" minLength:"1" maxLength:"200" pattern:"^[A-Za-z0-9][A-Za-z0-9._/-]*$" doc:"main or another branch, which is moved, or a tag, which is set."`
		}
	}
	type answer struct{ Body *registry.Promotion }
	route(s, huma.Operation{
		OperationID: "promote-model", Method: http.MethodPost, Path: "/v1/models/promote", Tags: tags,
		Summary:     "Move a branch to a revision, or tag it",
		Description: "A branch gets one commit more, with the revision's files. A tag that names another revision stays: 409. What predicts by the branch changes as soon as it is loaded.",
	}, func(ctx context.Context, in *request) (*answer, error) {
		p, err := a.Registry.Promote(ctx, in.Body.Repo, in.Body.Revision, in.Body.To)
		if err != nil {
			return nil, err
		}
		logOf(ctx).Info("promoted", "repo", p.Repo, "revision", in.Body.Revision, "to", p.To, "commit", p.Commit, "token", Principal(ctx))
		return &answer{p}, nil
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
		full := *jobs.Spec{Publish: &to}.WithDefaults().Publish
		if wrong := training.CheckDestination(full, "/publish"); wrong != nil {
			return nil, &jobs.Error{Code: jobs.Invalid, Detail: "the destination has invalid settings", Problems: wrong}
		}
		p, err := a.Import(ctx, from, to)
		if err != nil {
			return nil, err
		}
		a.Registry.Serving.Moved()
		return &answer{Imported{"import", p.Repo, p.Branch, p.Tag, p.Commit, p.URL}}, nil
	})
}
