package httpapi

import (
	"net/http"

	"github.com/labstack/echo/v4"
)

// Metrics serves /metrics.
type Metrics struct{ Handler http.Handler }

func (a *Metrics) Routes(s *Server) { s.echo.GET("/metrics", echo.WrapHandler(a.Handler)) }
