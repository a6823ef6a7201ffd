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
		if s.Tokens.None() || c.Get(principalKey) != nil {
			return c.Redirect(http.StatusSeeOther, local(c.QueryParam("next")))
		}
		return s.showLogin(c, http.StatusOK, c.QueryParam("next"), "")
	})
	s.echo.POST("/login", s.enter, often)
	s.echo.POST("/logout", func(c echo.Context) error {
		if cookie, err := c.Cookie(sessionCookie); err == nil && s.signed(cookie.Value) {
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
	if !s.Tokens.None() {
		if cookie, ok := s.Tokens.NewSession(in.Token, s.Now().Add(SessionLasts)); ok {
			h, _ := s.Tokens.Find(in.Token)
			c.Set(principalKey, h.Name) // for the logs
			c.SetCookie(s.cookie(c, cookie, int(SessionLasts.Seconds())))
			return c.Redirect(http.StatusSeeOther, local(in.Next))
		}
	}
	if strings.Contains(r.Header.Get("Accept"), "text/html") {
		return s.showLogin(c, http.StatusUnauthorized, in.Next, "That is not a token of this server.")
	}
	return newProblem(http.StatusUnauthorized, Unauthorized, "that is not a token of this server")
}

// signed reports whether a cookie is one of a session.
func (s *Server) signed(cookie string) bool {
	if s.Tokens.None() {
		return false
	}
	_, ok := s.Tokens.Session(cookie)
	return ok
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
