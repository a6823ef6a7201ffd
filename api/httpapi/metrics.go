package httpapi

import (
	"net/http"

	"github.com/labstack/echo/v4"
)

// Metrics serves /metrics.
type Metrics struct{ Handler http.Handler }

func (a *Metrics) routes(s *Server) { s.echo.GET("/metrics", echo.WrapHandler(a.Handler)) }
