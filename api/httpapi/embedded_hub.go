package httpapi

import (
	"net/http"

	"github.com/labstack/echo/v4"
)

// EmbeddedHub serves the embedded Hub, which knows its users by itself: clients send it
// a Hub token, and what is public needs none.
type EmbeddedHub struct{ Handler http.Handler }

const hubPath = "/hub"

func (a *EmbeddedHub) routes(s *Server) {
	s.open(hubPath, hubPath+"/*")
	handle := func(c echo.Context) error {
		// The Hub's pages are not this server's: files of a repository must not
		// run as pages of it.
		c.Response().Header().Set("Content-Security-Policy", "default-src 'none'; sandbox")
		a.Handler.ServeHTTP(c.Response(), c.Request())
		return nil
	}
	s.link(hubPath, "Hub")
	s.echo.Any(hubPath, handle)
	s.echo.Any(hubPath+"/*", handle)
}
