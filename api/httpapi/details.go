package httpapi

import (
	"bytes"
	"context"
	"net/http"
	"reflect"

	"github.com/danielgtaylor/huma/v2"

	"polyid-trainer/jobs"
)

// changeDetails is a PATCH of what an owner says of a thing.
type changeDetails struct {
	Exchange
	ID string `path:"id" maxLength:"100"`
}

// detailsRoute registers a PATCH that changes name, notes, tags and shared_with of
// what is at a path.
func detailsRoute[O any](s *Server, id, path string, tags []string, change func(context.Context, string, jobs.DetailsPatch) (*O, error)) {
	route(s, huma.Operation{
		OperationID: id, Method: http.MethodPatch, Path: path, Tags: tags,
		Summary:     "Change name, notes and tags, and whom it is shared with",
		Description: "A merge patch (RFC 7396): what is left out stays, null clears. shared_with are names of tokens that may read it, or \"*\" for all of them.",
	}, func(ctx context.Context, in *changeDetails) (*O, error) {
		body, err := in.body(s.Limits.JSON)
		if err != nil {
			return nil, err
		}
		p, err := jobs.ReadDetailsPatch(bytes.NewReader(body))
		if err != nil {
			return nil, err
		}
		return change(ctx, in.ID, p)
	})
	s.api.OpenAPI().Paths[path].Patch.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{
		"application/json": {Schema: s.api.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[jobs.Details](), true, "")},
	}}
}
