package httpapi

import (
	"net/http"

	"github.com/labstack/echo/v4"
	"github.com/swaggest/swgui/v5/static"
	"github.com/vearutop/statigz"
)

// docs serves Swagger UI, out of this binary, over the OpenAPI document.
func (s *Server) docs() {
	const policy = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
	page := func(c echo.Context, file string) error {
		http.ServeFileFS(c.Response(), c.Request(), web, "web/"+file)
		return nil
	}
	s.echo.GET("/docs", func(c echo.Context) error {
		c.Response().Header().Set("Content-Security-Policy", policy)
		return page(c, "docs.html")
	})
	s.echo.GET("/docs/docs.js", func(c echo.Context) error { return page(c, "docs.js") })
	s.echo.GET("/docs/*", echo.WrapHandler(http.StripPrefix("/docs", statigz.FileServer(static.FS))))
}
