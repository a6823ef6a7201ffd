package httpapi

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"polyid-trainer/jobs"
)

// Token lets its holder in under a name, which records keep.
type Token struct{ Name, Secret string }

// Anyone is the name of who works with a server that has no tokens.
const Anyone = "local"

const (
	sessionCookie = "polyid_session"
	// SessionLasts is how long a browser stays logged in.
	SessionLasts = 7 * 24 * time.Hour
	principalKey = "principal" // in echo.Context
)

type principalContext struct{}

// Principal is the name of the token that a request came with.
func Principal(ctx context.Context) string {
	name, _ := ctx.Value(principalContext{}).(string)
	return name
}

// identify finds out who asks.
func (s *Server) identify(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if name := s.who(c.Request()); name != "" {
			c.Set(principalKey, name)
			r := c.Request()
			c.SetRequest(r.WithContext(context.WithValue(r.Context(), principalContext{}, name)))
		}
		return next(c)
	}
}

// who is the name of who made a request, "" if it shows nothing that is good.
// A token that is not good is not mended by a session.
func (s *Server) who(r *http.Request) string {
	if len(s.Tokens) == 0 {
		return Anyone
	}
	if h := r.Header.Get("Authorization"); h != "" {
		scheme, secret, _ := strings.Cut(h, " ")
		if !strings.EqualFold(scheme, "Bearer") {
			return ""
		}
		return s.holder(strings.TrimSpace(secret))
	}
	if cookie, err := r.Cookie(sessionCookie); err == nil {
		return s.browser(r.Context(), cookie.Value)
	}
	return ""
}

// browser is the name of the token that a cookie stands for, unless its session
// has logged out.
func (s *Server) browser(ctx context.Context, cookie string) string {
	name := s.session(cookie)
	if name == "" {
		return ""
	}
	ended, err := s.Sessions.Ended(ctx, cookie)
	if err != nil {
		logOf(ctx).Warn("whether a session has logged out is not known; it goes on", "error", err)
	}
	if ended {
		return ""
	}
	return name
}

// holder is the name of a token. How long it takes says nothing about how much
// of a guess was right, nor about which token it was near.
func (s *Server) holder(secret string) (name string) {
	guess := sha256.Sum256([]byte(secret))
	for _, t := range s.Tokens {
		want := sha256.Sum256([]byte(t.Secret))
		if subtle.ConstantTimeCompare(guess[:], want[:]) == 1 {
			name = t.Name
		}
	}
	return name
}

// newSession is a cookie's value that lets t's holder in until a time; no two are
// equal, so that each can be ended by itself. It is
// signed with the token and does not hold it, so it is good on every replica,
// for as long as the token is, and for nothing but browsing.
func newSession(t Token, until time.Time) string {
	text := base64.RawURLEncoding.EncodeToString([]byte(t.Name)) + "." + strconv.FormatInt(until.Unix(), 10) + "." + rand.Text()
	return text + "." + sign(t, text)
}

// session is the name of the token that signed a cookie, "" if none did or its
// time is over.
func (s *Server) session(value string) string {
	i := strings.LastIndexByte(value, '.')
	if i < 0 {
		return ""
	}
	text, mac := value[:i], value[i+1:]
	encoded, rest, _ := strings.Cut(text, ".")
	expiry, _, _ := strings.Cut(rest, ".")
	name, err := base64.RawURLEncoding.DecodeString(encoded)
	until, err2 := strconv.ParseInt(expiry, 10, 64)
	if err != nil || err2 != nil || s.Now().Unix() >= until {
		return ""
	}
	for _, t := range s.Tokens {
		if t.Name == string(name) && hmac.Equal([]byte(mac), []byte(sign(t, text))) {
			return t.Name
		}
	}
	return ""
}

func sign(t Token, text string) string {
	h := hmac.New(sha256.New, []byte("polyid session\x00"+t.Secret))
	h.Write([]byte(text))
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}

// authorize refuses who has not been identified: pages send to the login, the
// rest says what is wanted.
func (s *Server) authorize(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if c.Get(principalKey) != nil || s.public[c.Path()] {
			return next(c)
		}
		r := c.Request()
		if r.Method == http.MethodGet && strings.Contains(r.Header.Get("Accept"), "text/html") {
			return c.Redirect(http.StatusSeeOther, "/login?next="+url.QueryEscape(r.URL.RequestURI()))
		}
		c.Response().Header().Set("WWW-Authenticate", `Bearer realm="polyid-trainer"`)
		return newProblem(http.StatusUnauthorized, Unauthorized, "a token is needed: Authorization: Bearer …, or log in at /login")
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
		if len(s.Tokens) == 0 {
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
