package httpapi

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"polyid-trainer/jobs"
)

// Token lets its holder in under a name, which records keep.
type Token struct{ Name, Secret string }

// ParseTokens reads API_TOKENS: name:token, separated by commas.
func ParseTokens(s string) ([]Token, error) {
	var ts []Token
	for i, entry := range strings.Split(s, ",") {
		entry = strings.TrimSpace(entry)
		if entry == "" {
			continue
		}
		name, secret, ok := strings.Cut(entry, ":")
		if !ok || name == "" || secret == "" {
			return nil, fmt.Errorf("API_TOKENS: entry %d is not of the form name:token", i+1)
		}
		if slices.ContainsFunc(ts, func(t Token) bool { return t.Name == name }) {
			return nil, fmt.Errorf("API_TOKENS: the name %q appears twice", name)
		}
		ts = append(ts, Token{name, secret})
	}
	return ts, nil
}

// Anyone is the name of who works with a server that has no tokens.
const Anyone = "local"

const (
	sessionCookie = "polyid_session"
	sessionLasts  = 7 * 24 * time.Hour
	principalKey  = "principal" // in echo.Context
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
		return s.session(cookie.Value)
	}
	return ""
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

// newSession is a cookie's value that lets t's holder in until a time. It is
// signed with the token and does not hold it, so it is good on every replica,
// for as long as the token is, and for nothing but browsing.
func newSession(t Token, until time.Time) string {
	text := base64.RawURLEncoding.EncodeToString([]byte(t.Name)) + "." + strconv.FormatInt(until.Unix(), 10)
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
	encoded, expiry, _ := strings.Cut(text, ".")
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
