package httpapi

import (
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"
)

// login exchanges a token for a session that pages, streams and dashboards
// share.
func (s *Server) login() {
	s.Open("/login", "/logout")
	often := limiter(s.Limits.Logins, 10, echo.Context.RealIP)
	s.echo.GET("/login", func(c echo.Context) error {
		if len(s.Tokens) == 0 || c.Get(principalKey) != nil {
			return c.Redirect(http.StatusSeeOther, local(c.QueryParam("next")))
		}
		return s.showLogin(c, http.StatusOK, c.QueryParam("next"), "")
	})
	s.echo.POST("/login", s.enter, often)
	s.echo.POST("/logout", func(c echo.Context) error {
		if cookie, err := c.Cookie(sessionCookie); err == nil && s.session(cookie.Value) != "" {
			if err := s.Sessions.End(c.Request().Context(), cookie.Value); err != nil {
				return err
			}
		}
		c.SetCookie(s.cookie(c, "", -1))
		return c.Redirect(http.StatusSeeOther, "/login")
	})
}

// enter takes a form or a JSON object.
func (s *Server) enter(c echo.Context) error {
	var in struct {
		Token string `form:"token" json:"token"`
		Next  string `form:"next" json:"next"`
	}
	r := c.Request()
	r.Body = http.MaxBytesReader(c.Response(), r.Body, 16<<10)
	if err := (&echo.DefaultBinder{}).BindBody(c, &in); err != nil {
		return newProblem(http.StatusBadRequest, Malformed, "the body is neither a form nor JSON with a token")
	}
	name := s.holder(in.Token)
	for _, t := range s.Tokens {
		if t.Name != name {
			continue
		}
		until := s.Now().Add(SessionLasts)
		c.SetCookie(s.cookie(c, newSession(t, until), int(SessionLasts.Seconds())))
		return c.Redirect(http.StatusSeeOther, local(in.Next))
	}
	if strings.Contains(r.Header.Get("Accept"), "text/html") {
		return s.showLogin(c, http.StatusUnauthorized, in.Next, "That is not a token of this server.")
	}
	return newProblem(http.StatusUnauthorized, Unauthorized, "that is not a token of this server")
}

func (s *Server) showLogin(c echo.Context, status int, next, wrong string) error {
	return s.Draw(c, status, &Page{Title: "Log in", Template: "login.html", Data: struct{ Next, Wrong string }{local(next), wrong}})
}

func (s *Server) cookie(c echo.Context, value string, age int) *http.Cookie {
	return &http.Cookie{
		Name: sessionCookie, Value: value, Path: "/", MaxAge: age,
		HttpOnly: true, SameSite: http.SameSiteStrictMode, Secure: c.Scheme() == "https",
	}
}

// local is a path on this server to go to, whatever was asked for.
func local(next string) string {
	if !strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") || strings.ContainsAny(next, "\\\r\n\t") {
		return "/"
	}
	return next
}
