package httpapi

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"

	"polyid-trainer/jobs/access"
	"polyid-trainer/jobs/audit"
)

const ndjson = "application/x-ndjson"

// audit serves /v1/audit.
func (s *Server) audit() {
	if s.Audit == nil {
		return
	}
	type request struct {
		Exchange
		Date string `query:"date" doc:"A day in UTC, such as 2026-01-31; today if left out."`
	}
	route(s, huma.Operation{
		OperationID: "read-audit-log", Method: http.MethodGet, Path: "/v1/audit", Tags: []string{"tokens"},
		Summary:     "Who did what, of a day",
		Description: "One JSON object a line: time, token, role, address, method, path, status, outcome. Everything that changes something, and everything that was refused for want of rights. Kept as long as KEEP_AUDIT_DAYS says.",
		Responses:   map[string]*huma.Response{"200": {Description: "The lines.", Content: map[string]*huma.MediaType{ndjson: {Schema: &huma.Schema{Type: huma.TypeString}}}}},
	}, func(ctx context.Context, in *request) (*huma.StreamResponse, error) {
		if in.Date == "" {
			in.Date = s.Now().UTC().Format("2006-01-02")
		}
		if err := audit.CheckDay(in.Date); err != nil {
			return nil, err
		}
		return &huma.StreamResponse{Body: func(c huma.Context) {
			c.SetHeader("Content-Type", ndjson)
			if err := s.Audit.Read(ctx, in.Date, c.BodyWriter()); err != nil {
				logOf(ctx).Warn("answering with the audit log", "error", err)
				panic(http.ErrAbortHandler) // so that nobody takes a part for the whole
			}
		}}, nil
	})
}

// note enters a request that was answered into the audit log: what changes something,
// what was refused for want of rights, and what only admins read.
func (s *Server) note(c echo.Context, v middleware.RequestLoggerValues) {
	if s.Audit == nil {
		return
	}
	switch v.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		denied := v.Status == http.StatusUnauthorized || v.Status == http.StatusForbidden
		if !denied && s.actionOf(v.Method, c.Path()) != access.Administer {
			return
		}
	}
	id, _ := access.From(c.Request().Context())
	name, _ := c.Get(principalKey).(string) // also of who has just logged in
	s.Audit.Add(audit.Entry{
		Time: s.Now(), Token: name, Role: string(id.Role), Address: v.RemoteIP, Method: v.Method, Path: v.URIPath,
		Status: v.Status, Outcome: audit.OutcomeOf(v.Status), Request: c.Response().Header().Get(echo.HeaderXRequestID),
	})
}
