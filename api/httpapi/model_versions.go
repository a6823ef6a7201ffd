package httpapi

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"polyid-trainer/api/registry"
)

// versions adds the routes that show what was published, and what a promotion
// would change.
func (a *Models) versions(s *Server, tags []string) {
	type listed struct{ Body List[registry.Version] }
	route(s, huma.Operation{
		OperationID: "list-model-versions", Method: http.MethodGet, Path: "/v1/models/versions", Tags: tags,
		Summary:     "Every published model",
		Description: "The commits of all branches of the configured repository that hold a model, newest first, with the branches and tags that name them.",
	}, func(ctx context.Context, _ *struct{}) (*listed, error) {
		found, err := a.Registry.Versions(ctx)
		return &listed{newList(found, false, func(v registry.Version) string { return v.Repo + "@" + v.Commit })}, err
	})
	type compared struct {
		Repo     string `query:"repo" maxLength:"200" doc:"The configured one if left out."`
		Revision string `query:"revision" required:"true" minLength:"1" maxLength:"200" doc:"A branch, tag or commit."`
		With     string `query:"with" default:"main" maxLength:"200" doc:"The branch or tag that it would replace."`
	}
	type difference struct{ Body *registry.Difference }
	route(s, huma.Operation{
		OperationID: "compare-models", Method: http.MethodGet, Path: "/v1/models/difference", Tags: tags,
		Summary:     "What a promotion would change",
		Description: "Compares a revision with what a branch or tag names now: errors of every property before and after, and properties that are lost. Nothing is changed.",
	}, func(ctx context.Context, in *compared) (*difference, error) {
		d, err := a.Registry.Difference(ctx, in.Repo, in.Revision, in.With)
		return &difference{d}, err
	})
}
