package httpapi

import (
	"net/http"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"polyid-trainer/api/web"
	"polyid-trainer/jobs/access"
)

// Page is what a page's handler returns: the frame and the headers are the
// server's.
type Page struct {
	Title    string
	Template string // of package web
	Script   string
	Data     any
	Policy   string // "" is web.Policy
}

// ShowPage registers a ShowPage of the interface. One with a label stands in the
// navigation, in the order of navigation.
func (s *Server) ShowPage(path, label string, show func(echo.Context) (*Page, error)) {
	s.Link(path, label)
	s.echo.GET(path, func(c echo.Context) error {
		p, err := show(c)
		if err != nil || p == nil { // nil: it has answered, as by a redirect
			return err
		}
		return s.Draw(c, http.StatusOK, p)
	})
}

// Link puts a path into the navigation.
func (s *Server) Link(path, label string) {
	if label != "" {
		s.nav = append(s.nav, web.Link{Path: path, Label: label})
	}
}

// Shows reports whether a path stands in the navigation.
func (s *Server) Shows(path string) bool {
	return slices.ContainsFunc(s.nav, func(l web.Link) bool { return l.Path == path })
}

// navigation is the order of the entries, whichever area brings them.
var navigation = []string{"/", "/jobs", "/searches", "/predict", "/screen", "/models", "/workers", "/queues", "/hub", "/docs", "/guide"}

// home leads to the first page there is, where no area has a page at /: a server
// that does not train.
func (s *Server) home() {
	if len(s.nav) > 0 && s.nav[0].Path != "/" {
		s.echo.GET("/", func(c echo.Context) error { return c.Redirect(http.StatusSeeOther, s.nav[0].Path) })
	}
}

// Draw answers with a page.
func (s *Server) Draw(c echo.Context, status int, p *Page) error {
	user := ""
	if !s.Tokens.None() {
		user, _ = c.Get(principalKey).(string)
	}
	frame := web.Frame{Active: active(s.nav, c.Request().URL.Path), User: user, Version: s.Version}
	id, _ := access.From(c.Request().Context())
	frame.Nav = s.linksFor(id) // what may not be opened is not shown
	body, err := s.pages.Draw(web.Page{Title: p.Title, Template: p.Template, Script: p.Script, Data: p.Data, Frame: frame})
	if err != nil {
		return err
	}
	def(&p.Policy, web.Policy)
	c.Response().Header().Set("Content-Security-Policy", p.Policy)
	return c.HTMLBlob(status, body)
}

// linksFor are the entries of the navigation that somebody may open; a stranger sees
// none.
func (s *Server) linksFor(id access.Identity) []web.Link {
	return slices.DeleteFunc(slices.Clone(s.nav), func(l web.Link) bool {
		return !id.May(access.View) || !id.May(s.actionOf(http.MethodGet, l.Path))
	})
}

// active is the entry that a path belongs to: the longest that leads to it.
func active(nav []web.Link, path string) string {
	best := ""
	for _, l := range nav {
		if path == l.Path || l.Path != "/" && strings.HasPrefix(path, l.Path+"/") {
			best = l.Path
		}
	}
	return best
}

// wantsPage reports whether a person's browser asks, for something that is not
// the programs' interface.
func wantsPage(r *http.Request) bool {
	return r.Method == http.MethodGet && strings.Contains(r.Header.Get("Accept"), "text/html") &&
		!strings.HasPrefix(r.URL.Path, "/v1/")
}

// assets serves what pages are made of, to everybody: the login is a page too.
func (s *Server) assets() {
	path := s.pages.AssetsPath() + "*"
	s.Open(path)
	s.echo.GET(path, echo.WrapHandler(s.pages))
}
