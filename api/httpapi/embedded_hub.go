package httpapi

import (
	"context"
	"errors"
	"html/template"
	"net/http"

	"github.com/labstack/echo/v4"
)

// EmbeddedHub serves the embedded Hub, which knows its users by itself: clients send it
// a Hub token, and what is public needs none. What it cannot know are a browser's
// session, whose identity is in the context of the request, and the frame of the
// pages, which is Frame.
type EmbeddedHub struct {
	Handler http.Handler
	server  *Server
}

const hubPath = "/hub"

// LoginPath is where a browser gets a session.
const LoginPath = "/login"

// hubContext is the key of the echo.Context in the context of a request to the Hub.
type hubContext struct{}

func (a *EmbeddedHub) Routes(s *Server) {
	a.server = s
	s.Open(hubPath, hubPath+"/*")
	handle := func(c echo.Context) error {
		// The Hub's pages are not this server's: files of a repository must not
		// run as pages of it.
		c.Response().Header().Set("Content-Security-Policy", "default-src 'none'; sandbox")
		r := c.Request()
		a.Handler.ServeHTTP(c.Response(), r.WithContext(context.WithValue(r.Context(), hubContext{}, c)))
		return nil
	}
	s.Link(hubPath, "Hub")
	s.echo.Any(hubPath, handle)
	s.echo.Any(hubPath+"/*", handle)
}

// Frame answers a request to the Hub with a page around body, which is HTML that
// brings its style with it.
func (a *EmbeddedHub) Frame(_ http.ResponseWriter, r *http.Request, status int, title string, body template.HTML) error {
	c, ok := r.Context().Value(hubContext{}).(echo.Context)
	if !ok {
		return errors.New("the embedded Hub has no page for a request from inside")
	}
	return a.server.Draw(c, status, &Page{Title: title, Template: "hub.html", Data: body})
}
