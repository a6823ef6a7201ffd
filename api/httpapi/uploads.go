package httpapi

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"polyid-trainer/api/datasets"
)

type (
	beginUpload struct {
		Name     string            `query:"name" maxLength:"200" doc:"Shown with the dataset."`
		OnDefect datasets.OnDefect `query:"on_defect" enum:"refuse,drop,keep" doc:"As of POST /v1/datasets."`
	}
	appendUpload struct {
		Exchange
		Named
		Offset int64 `query:"offset" minimum:"0" doc:"Bytes that are stored already: where the body begins."`
	}
	uploadAnswer struct {
		Status   int
		Location string `header:"Location"`
		Body     *datasets.Upload
	}
)

// uploadRoutes take tables of any length in parts.
func (a *Datasets) uploadRoutes(s *Server, tags []string) {
	const base = "/v1/datasets/uploads"
	route(s, huma.Operation{
		OperationID: "begin-upload", Method: http.MethodPost, Path: base, Tags: tags, DefaultStatus: http.StatusCreated,
		Summary:     "Begin a resumable upload",
		Description: "Append with PUT, as often as need be; complete makes the dataset. A table that is larger than those to train on, or has no targets, is a library to screen.",
	}, func(ctx context.Context, in *beginUpload) (*uploadAnswer, error) {
		u, err := a.Library.BeginUpload(ctx, in.Name, in.OnDefect)
		if err != nil {
			return nil, err
		}
		return &uploadAnswer{Status: http.StatusCreated, Location: base + "/" + u.ID, Body: u}, nil
	})
	route(s, huma.Operation{
		OperationID: "get-upload", Method: http.MethodGet, Path: base + "/{id}", Tags: tags, Summary: "How far an upload is",
	}, func(ctx context.Context, in *Named) (*uploadAnswer, error) {
		u, err := a.Library.Upload(ctx, in.ID)
		return &uploadAnswer{Status: http.StatusOK, Body: u}, err
	})
	route(s, huma.Operation{
		OperationID: "append-upload", Method: http.MethodPut, Path: base + "/{id}", Tags: tags,
		Summary: "Append the body to an upload", Description: "From ?offset= on, which is the upload's own; otherwise 409 says what that is. Of a body that is cut off what came is kept.",
	}, func(ctx context.Context, in *appendUpload) (*uploadAnswer, error) {
		u, err := a.Library.Append(ctx, in.ID, in.Offset, in.echo.Request().Body)
		return &uploadAnswer{Status: http.StatusOK, Body: u}, err
	})
	route(s, huma.Operation{
		OperationID: "complete-upload", Method: http.MethodPost, Path: base + "/{id}/complete", Tags: tags, DefaultStatus: http.StatusCreated,
		Summary: "Make a dataset of an upload",
	}, func(ctx context.Context, in *Named) (*createdDataset, error) {
		d, err := a.Library.CompleteUpload(ctx, in.ID)
		if err != nil {
			return nil, err
		}
		return &createdDataset{Location: "/v1/datasets/" + d.ID, Body: d}, nil
	})
}
