package httpapi

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"polyid-trainer/jobs"
	"polyid-trainer/jobs/access"
	"polyid-trainer/jobs/tokens"
)

const (
	sessionCookie = "polyid_session"
	// SessionLasts is how long a browser stays logged in.
	SessionLasts = 7 * 24 * time.Hour
	principalKey = "principal" // in echo.Context
)

// Principal is the name of the token that a request came with.
func Principal(ctx context.Context) string { return access.Name(ctx) }

// identify finds out who asks, and puts that into the context, where stores look for
// it: also of who is nobody. What reads ends when its token is revoked.
func (s *Server) identify(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		holder, known := s.who(r)
		if known {
			c.Set(principalKey, holder.Name)
		}
		ctx := access.With(r.Context(), holder.Identity)
		if holder.Good != nil && holder.Good.Done() != nil && r.Method == http.MethodGet {
			reading, cancel := context.WithCancel(ctx)
			defer cancel()
			defer context.AfterFunc(holder.Good, cancel)()
			ctx = reading
		}
		c.SetRequest(r.WithContext(ctx))
		return next(c)
	}
}

// who made a request; known is false if it shows nothing that is good. A token that
// is not good is not mended by a session.
func (s *Server) who(r *http.Request) (h tokens.Holder, known bool) {
	if s.Tokens.None() {
		return tokens.Holder{Identity: access.Identity{Name: access.Local, Role: access.Admin}}, true
	}
	if header := r.Header.Get("Authorization"); header != "" {
		scheme, secret, _ := strings.Cut(header, " ")
		if _, password, ok := r.BasicAuth(); ok && outside(r.URL.Path) { // git, at the embedded Hub
			return s.Tokens.Find(password)
		}
		if !strings.EqualFold(scheme, "Bearer") {
			return tokens.Holder{}, false
		}
		return s.Tokens.Find(strings.TrimSpace(secret))
	}
	if cookie, err := r.Cookie(sessionCookie); err == nil {
		return s.browser(r.Context(), cookie.Value)
	}
	return tokens.Holder{}, false
}

// browser is the holder of the token that a cookie stands for, unless its session
// has logged out.
func (s *Server) browser(ctx context.Context, cookie string) (h tokens.Holder, known bool) {
	if h, known = s.Tokens.Session(cookie); !known {
		return tokens.Holder{}, false
	}
	ended, err := s.Sessions.Ended(ctx, cookie)
	if err != nil {
		logOf(ctx).Warn("whether a session has logged out is not known; it goes on", "error", err)
	}
	if ended {
		return tokens.Holder{}, false
	}
	return h, true
}

// authorize refuses who has not been identified, where pages send to the login, and
// what the role of who has been does not allow.
func (s *Server) authorize(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		action := s.actionOf(r.Method, c.Path())
		if action == access.Open {
			return next(c)
		}
		page := r.Method == http.MethodGet && strings.Contains(r.Header.Get("Accept"), "text/html")
		if c.Get(principalKey) == nil {
			if page {
				return c.Redirect(http.StatusSeeOther, "/login?next="+url.QueryEscape(r.URL.RequestURI()))
			}
			c.Response().Header().Set("WWW-Authenticate", `Bearer realm="polyid-trainer"`)
			return newProblem(http.StatusUnauthorized, Unauthorized, "a token is needed: Authorization: Bearer …, or log in at /login")
		}
		id, _ := access.From(r.Context())
		if err := id.Check(action); err != nil {
			if links := s.linksFor(id); page && r.URL.Path == "/" && len(links) > 0 {
				return c.Redirect(http.StatusSeeOther, links[0].Path) // the first page there is for them
			}
			return err
		}
		return next(c)
	}
}

// sameSite refuses what pages of other sites make a browser send: writes always,
// and while there are no tokens everything, under whatever name the site has
// itself reach this machine.
func (s *Server) sameSite(next echo.HandlerFunc) echo.HandlerFunc {
	protection := http.NewCrossOriginProtection()
	refused := func(why string) error { return newProblem(http.StatusForbidden, jobs.Forbidden, why) }
	return func(c echo.Context) error {
		r := c.Request()
		if s.Tokens.None() {
			if !loopback(r.Host) {
				return refused(fmt.Sprintf("the host %q is not this machine: without API_TOKENS only loopback names are served", r.Host))
			}
			if origin := r.Header.Get("Origin"); origin != "" && !sameHost(origin, r.Host) {
				return refused("the request comes from a page of another site")
			}
			// A GET that a page makes a browser send comes without Origin.
			switch r.Header.Get("Sec-Fetch-Site") {
			case "cross-site", "same-site": // another name, or another port of this machine
				return refused("the request comes from a page of another site")
			}
		}
		if err := protection.Check(r); err != nil {
			return refused("the request comes from a page of another site")
		}
		return next(c)
	}
}

func sameHost(origin, host string) bool {
	u, err := url.Parse(origin)
	return err == nil && u.Host != "" && strings.EqualFold(u.Host, host)
}

// loopback reports whether a Host header names this machine to itself.
func loopback(host string) bool {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	name = strings.TrimSuffix(strings.TrimPrefix(name, "["), "]")
	if strings.EqualFold(name, "localhost") {
		return true
	}
	ip := net.ParseIP(name)
	return ip != nil && ip.IsLoopback()
}
