package pages

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/hibiken/asynqmon"
	"github.com/labstack/echo/v4"
	"github.com/redis/go-redis/v9"

	"polyid-trainer/api/httpapi"
	"polyid-trainer/api/web"
)

// Queues serves the queue's dashboard, asynqmon, under /queues/, and a page around
// it under /queues.
type Queues struct {
	Redis redis.UniversalClient
	// Writable lets the dashboard run, archive and delete tasks. The records know
	// nothing of it: what they still need is enqueued again.
	Writable bool
}

const queuesPath = "/queues"

// sharedRedis hands asynqmon a client that stays another's to close.
type sharedRedis struct{ redis.UniversalClient }

// MakeRedisClient implements asynq.RedisConnOpt.
func (r sharedRedis) MakeRedisClient() any { return r.UniversalClient }

// Routes implements httpapi.Area.
func (a *Queues) Routes(s *httpapi.Server) {
	dashboard := asynqmon.New(asynqmon.Options{RootPath: queuesPath, RedisConnOpt: sharedRedis{a.Redis}, ReadOnly: !a.Writable})
	policy := queuesPolicy(dashboard)
	handle := func(c echo.Context) error {
		c.Response().Header().Set("Content-Security-Policy", policy)
		c.Response().Header().Set("X-Frame-Options", "SAMEORIGIN")
		dashboard.ServeHTTP(c.Response(), c.Request())
		return nil
	}
	s.ShowPage(queuesPath, "Queues", func(echo.Context) (*httpapi.Page, error) {
		return &httpapi.Page{Title: "Queues", Template: "queues.html", Data: queuesPath + "/", Policy: web.Policy + "; frame-src 'self'"}, nil
	})
	s.Echo().Any(queuesPath+"/*", handle)
}

var inlineScript = regexp.MustCompile(`(?s)<script>(.*?)</script>`)

// queuesPolicy allows the dashboard its own scripts, the two inside its page by
// their hashes, and the styles that they make; nothing from elsewhere, so its
// page comes without the fonts that it would fetch.
func queuesPolicy(dashboard http.Handler) string {
	page := &captured{header: http.Header{}}
	dashboard.ServeHTTP(page, &http.Request{Method: http.MethodGet, URL: &url.URL{Path: queuesPath}, Header: http.Header{}})
	scripts := []string{"'self'"}
	for _, m := range inlineScript.FindAllSubmatch(page.Bytes(), -1) {
		sum := sha256.Sum256(m[1])
		scripts = append(scripts, fmt.Sprintf("'sha256-%s'", base64.StdEncoding.EncodeToString(sum[:])))
	}
	return "default-src 'none'; script-src " + strings.Join(scripts, " ") +
		"; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'; connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
}

// captured is an http.ResponseWriter that keeps what is written.
type captured struct {
	bytes.Buffer
	header http.Header
}

func (p *captured) Header() http.Header { return p.header }
func (*captured) WriteHeader(int)       {}
