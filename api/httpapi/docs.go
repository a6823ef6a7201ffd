package httpapi

import (
	"net/http"

	"github.com/labstack/echo/v4"
	"github.com/swaggest/swgui/v5/static"
	"github.com/vearutop/statigz"
)

// docs serves Swagger UI, out of this binary, over the OpenAPI document.
func (s *Server) docs() {
	// Swagger UI sets styles inside its page.
	const policy = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
	s.ShowPage("/docs", "API", func(echo.Context) (*Page, error) {
		return &Page{Title: "API", Template: "docs.html", Script: "docs.js", Policy: policy}, nil
	})
	s.echo.GET("/docs/*", echo.WrapHandler(http.StripPrefix("/docs", statigz.FileServer(static.FS))))
}
