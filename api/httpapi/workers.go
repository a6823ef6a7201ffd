package httpapi

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"polyid-trainer/api/fleet"
)

// Workers serves /v1/workers and /v1/queue.
type Workers struct{ Service *fleet.Service }

// Routes implements Area.
func (a *Workers) Routes(s *Server) {
	type list struct{ Body List[fleet.Worker] }
	route(s, huma.Operation{
		OperationID: "list-workers", Method: http.MethodGet, Path: "/v1/workers", Tags: []string{"workers"},
		Summary:     "The workers that are alive, and what each does",
		Description: "All of them in one page, by name. Who is not an admin sees of the jobs of others only how many folds they have.",
	}, func(ctx context.Context, _ *struct{}) (*list, error) {
		workers, err := a.Service.Workers(ctx)
		if err != nil {
			return nil, err
		}
		return &list{newList(workers, false, func(w fleet.Worker) string { return w.Name })}, nil
	})
	type queue struct{ Body *fleet.Queue }
	route(s, huma.Operation{
		OperationID: "queue", Method: http.MethodGet, Path: "/v1/queue", Tags: []string{"workers"},
		Summary: "Who waits for what, and since when",
	}, func(ctx context.Context, _ *struct{}) (*queue, error) {
		q, err := a.Service.Waiting(ctx)
		if err != nil {
			return nil, err
		}
		return &queue{q}, nil
	})
}
