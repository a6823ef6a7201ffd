package httpapi

import (
	"context"
	"io"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
)

// datasetRoute serves the table of a job.
func (a *TrainingJobs) datasetRoute(s *Server, base string, tags []string) {
	type named struct {
		Exchange
		Named
	}
	route(s, huma.Operation{
		OperationID: "get-job-dataset", Method: http.MethodGet, Path: base + "/{id}/dataset", Tags: tags,
		Summary:     "The table that a job trains on",
		Description: "The job's own copy, as CSV: its rows, counted from 0 below the header, are those that the folds name.",
		Responses: map[string]*huma.Response{"200": {Description: "OK", Content: map[string]*huma.MediaType{
			"text/csv": {Schema: &huma.Schema{Type: huma.TypeString}},
		}}},
	}, func(ctx context.Context, in *named) (*huma.StreamResponse, error) {
		table, err := a.Dataset(ctx, in.ID)
		if err != nil {
			return nil, err
		}
		return &huma.StreamResponse{Body: func(huma.Context) {
			defer table.Close()
			w := in.echo.Response()
			w.Header().Set("Content-Type", "text/csv; charset=utf-8")
			_, _ = io.Copy(w, table) // the status is written: nobody is left to tell
		}}, nil
	})
}
