// Package hub is a client of the Hugging Face Hub protocol: it publishes
// revisions of a model repository and downloads them again, from
// huggingface.co or from any server that speaks the protocol, such as package
// hubserver.
//
// A publication is one commit: it happens whole or not at all, and if it names
// its parent it fails with ErrConflict when another commit came first. A
// download is verified against the hash the tree names before anything can see
// it, continues where an interrupted one stopped, and is kept in a cache that
// answers while the Hub is away.
//
// Large files travel by LFS, whole or, where the server wants it, in parts. Xet
// is not spoken; servers that have it serve the same files over plain HTTP.
package hub

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// DefaultEndpoint is the public Hub.
const DefaultEndpoint = "https://huggingface.co"

// Limits on what a server may make the client hold in memory, in bytes.
const (
	maxAnswer      = 64 << 20 // a JSON answer: a tree page is a few hundred bytes a file
	maxErrorAnswer = 64 << 10
)

// Config says which Hub to talk to and how. The zero value reads public
// repositories of the public Hub.
type Config struct {
	Endpoint string // base URL, with or without a path; DefaultEndpoint if empty
	Token    string // sent as a bearer token to the endpoint, its scheme, host and port, and nowhere else
	CacheDir string // where downloads are kept; polyid-trainer/hub in the user's cache directory if empty
	// Client carries the requests; one without an overall time limit, which
	// uploads outlast, if nil.
	Client *http.Client
	// Stall is how long nothing may come or go before a request counts as failed;
	// 2 minutes if zero.
	Stall time.Duration
	// Patience is how long the Hub is asked what a revision is that the cache has
	// an answer for; 10 s if zero.
	Patience time.Duration
	// Retries is how often a request that may be repeated is repeated after a
	// network error, 429 or 5xx; 4 if zero, none if negative.
	Retries int
	// Backoff is the pause before the first repetition, doubled for each
	// further one; 500 ms if zero.
	Backoff time.Duration
}

// Client talks to one Hub. Its methods may be called concurrently.
type Client struct {
	base    *url.URL
	token   string
	cache   string
	http    *http.Client
	retries int
	backoff time.Duration

	stall, patience time.Duration
}

// New checks c and returns a client; it does not connect.
func New(c Config) (*Client, error) {
	if c.Endpoint == "" {
		c.Endpoint = DefaultEndpoint
	}
	base, err := url.Parse(strings.TrimRight(c.Endpoint, "/"))
	if err != nil {
		return nil, errors.New("hub: the endpoint is not a URL")
	}
	if base.Scheme != "http" && base.Scheme != "https" || base.Host == "" {
		return nil, errors.New("hub: the endpoint must be an http or https URL")
	}
	if base.User != nil || base.RawQuery != "" || base.Fragment != "" {
		return nil, errors.New("hub: the endpoint must have no user, query or fragment")
	}
	if strings.ContainsFunc(c.Token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return nil, errors.New("hub: the token holds a character that no token has")
	}
	if c.CacheDir == "" {
		dir, err := os.UserCacheDir()
		if err != nil {
			return nil, fmt.Errorf("hub: no place for the cache: %w", err)
		}
		c.CacheDir = filepath.Join(dir, "polyid-trainer", "hub")
	}
	if c.Client == nil {
		c.Client = &http.Client{Transport: http.DefaultTransport.(*http.Transport).Clone()}
	}
	if c.Stall <= 0 {
		c.Stall = 2 * time.Minute
	}
	if c.Patience <= 0 {
		c.Patience = 10 * time.Second
	}
	if c.Retries == 0 {
		c.Retries = 4
	}
	if c.Backoff <= 0 {
		c.Backoff = 500 * time.Millisecond
	}
	return &Client{
		base: base, token: c.Token, cache: c.CacheDir, http: following(c.Client, base),
		retries: max(c.Retries, 0), backoff: c.Backoff, stall: c.Stall, patience: c.Patience,
	}, nil
}

// maxRedirects is how often a request is sent on.
const maxRedirects = 10

// following is client with redirects that carry the token to the endpoint alone:
// net/http by itself takes every port and scheme of a host for the same place.
func following(client *http.Client, base *url.URL) *http.Client {
	out := *client
	out.CheckRedirect = func(r *http.Request, via []*http.Request) error {
		if len(via) >= maxRedirects {
			return errors.New("too many redirects")
		}
		if !sameOrigin(r.URL, base) {
			r.Header.Del("Authorization")
		}
		if client.CheckRedirect != nil {
			return client.CheckRedirect(r, via)
		}
		return nil
	}
	return &out
}

// sameOrigin reports whether two addresses have the same scheme, host and port.
func sameOrigin(a, b *url.URL) bool {
	return a.Scheme == b.Scheme && strings.EqualFold(a.Hostname(), b.Hostname()) && portOf(a) == portOf(b)
}

func portOf(u *url.URL) string {
	switch {
	case u.Port() != "":
		return u.Port()
	case u.Scheme == "https":
		return "443"
	}
	return "80"
}

// Endpoint returns the base URL of the Hub.
func (c *Client) Endpoint() string { return c.base.String() }

// URL returns the address of a page of the repository at a revision.
func (c *Client) URL(repo, revision string) string {
	return c.base.String() + "/" + repo + "/tree/" + url.PathEscape(revision)
}

var commitID = regexp.MustCompile(`^[0-9a-f]{40}$`)
