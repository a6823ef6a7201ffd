package httpapi

import (
	"slices"
	"strings"

	"polyid-trainer/jobs/access"
)

// rules say which kind of action every route is. What of it each role may do stands
// in package access; whose things it may do it to, the stores ask. A route that is
// not here is an admin's, and fails TestIsolation: write its rule when you add it.
//
// Keys are a method and a path as the router has it, or a path for all methods.
var rules = map[string]access.Action{
	"GET /openapi.json":     access.View,
	"GET /openapi.yaml":     access.View,
	"GET /openapi-3.0.json": access.View,
	"GET /openapi-3.0.yaml": access.View,
	"GET /docs":             access.View,
	"GET /docs/*":           access.View,
	"GET /metrics":          access.View,

	"GET /v1/datasets":                       access.View,
	"POST /v1/datasets":                      access.Create,
	"POST /v1/datasets/uploads":              access.Create,
	"GET /v1/datasets/uploads/:id":           access.View,
	"PUT /v1/datasets/uploads/:id":           access.Modify,
	"POST /v1/datasets/uploads/:id/complete": access.Modify,

	"GET /v1/datasets/:id":        access.View,
	"PATCH /v1/datasets/:id":      access.Modify,
	"DELETE /v1/datasets/:id":     access.Modify,
	"GET /v1/datasets/:id/rows":   access.View,
	"GET /v1/datasets/:id/report": access.View,

	"GET /v1/training-jobs":                              access.View,
	"POST /v1/training-jobs":                             access.Create,
	"POST /v1/training-jobs/estimate":                    access.Create,
	"GET /v1/training-jobs/:id":                          access.View,
	"PATCH /v1/training-jobs/:id":                        access.Modify,
	"DELETE /v1/training-jobs/:id":                       access.Modify,
	"POST /v1/training-jobs/:id/cancel":                  access.Modify,
	"POST /v1/training-jobs/:id/pause":                   access.Modify,
	"POST /v1/training-jobs/:id/resume":                  access.Modify,
	"POST /v1/training-jobs/:id/publish":                 access.Modify,
	"GET /v1/training-jobs/:id/events":                   access.View,
	"GET /v1/training-jobs/:id/dataset":                  access.View,
	"GET /v1/training-jobs/:id/folds":                    access.View,
	"GET /v1/training-jobs/:id/folds/:index/history":     access.View,
	"GET /v1/training-jobs/:id/folds/:index/predictions": access.View,
	"GET /v1/recipes":                                    access.View,

	"POST /v1/schedules":       access.Create,
	"GET /v1/schedules":        access.View,
	"GET /v1/schedules/:id":    access.View,
	"DELETE /v1/schedules/:id": access.Modify,

	"GET /v1/searches":                       access.View,
	"POST /v1/searches":                      access.Create,
	"GET /v1/searches/:id":                   access.View,
	"PATCH /v1/searches/:id":                 access.Modify,
	"DELETE /v1/searches/:id":                access.Modify,
	"GET /v1/searches/:id/trials":            access.View,
	"GET /v1/searches/:id/trials/:trial/job": access.View,
	"GET /v1/searches/:id/events":            access.View,
	"POST /v1/searches/:id/cancel":           access.Modify,
	"POST /v1/searches/:id/pause":            access.Modify,
	"POST /v1/searches/:id/resume":           access.Modify,
	"POST /v1/searches/:id/stop":             access.Modify,

	"GET /v1/screenings":             access.View,
	"POST /v1/screenings":            access.Create,
	"POST /v1/screenings/estimate":   access.Create,
	"GET /v1/screenings/:id":         access.View,
	"PATCH /v1/screenings/:id":       access.Modify,
	"DELETE /v1/screenings/:id":      access.Modify,
	"GET /v1/screenings/:id/results": access.View,
	"GET /v1/screenings/:id/events":  access.View,
	"POST /v1/screenings/:id/cancel": access.Modify,
	"POST /v1/screenings/:id/pause":  access.Modify,
	"POST /v1/screenings/:id/resume": access.Modify,

	"POST /v1/predictions":      access.Predict,
	"GET /v1/predictions/:id":   access.View,
	"GET /v1/models":            access.View,
	"GET /v1/models/versions":   access.View,
	"GET /v1/models/difference": access.View,
	"POST /v1/models/promote":   access.Modify,
	"POST /v1/models/import":    access.Create,
	"GET /v1/usage":             access.View,
	"GET /v1/workers":           access.View,
	"GET /v1/queue":             access.View,

	"POST /v1/tokens":       access.Administer,
	"GET /v1/tokens":        access.Administer,
	"DELETE /v1/tokens/:id": access.Administer,
	"GET /v1/audit":         access.Administer,

	// The plan's older shapes.
	"POST /run/predict":   access.Predict,
	"POST /batch_predict": access.Predict,

	// Pages.
	"GET /":               access.Create,
	"GET /jobs":           access.View,
	"GET /searches":       access.View,
	"GET /searches/:id":   access.View,
	"GET /screen":         access.View,
	"GET /screenings/:id": access.View,
	"GET /jobs/:id":       access.View,
	"GET /predict":        access.Predict,
	"GET /models":         access.View,
	"GET /queues":         access.Administer,
	"GET /workers":        access.View,
	"/queues/*":           access.Administer,
	"GET /guide":          access.Predict,
}

// actionOf is the kind of action that a route is. What is no route is answered as
// that, to whoever may look.
func (s *Server) actionOf(method, path string) access.Action {
	if s.public[path] {
		return access.Open
	}
	for _, key := range []string{method + " " + path, path} {
		if action, ok := rules[key]; ok {
			return action
		}
	}
	if s.known[method+" "+path] {
		return access.Administer
	}
	return access.View
}

// Unruled lists the routes that have no rule.
func (s *Server) Unruled() []string {
	var routes []string
	for route := range s.known {
		_, path, _ := strings.Cut(route, " ")
		_, one := rules[route]
		_, all := rules[path]
		if !one && !all && !s.public[path] {
			routes = append(routes, route)
		}
	}
	slices.Sort(routes)
	return routes
}
