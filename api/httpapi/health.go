package httpapi

import (
	"context"
	"errors"
	"net/http"
	"runtime"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"polyid-trainer/jobs"
)

// readyWithin is how long a dependency may take to say that it is there.
const readyWithin = 3 * time.Second

// Health is the answer of /livez and /readyz.
type Health struct {
	Status string            `json:"status" enum:"ok,unavailable"`
	Checks map[string]string `json:"checks" doc:"Of each thing the server depends on: ok, or what is wrong with it. Damaged records are named under records, damaged repositories of the embedded Hub under hub; the server goes on without them."`
}

type healthAnswer struct {
	Status int
	Body   Health
}

// Life is the answer of /livez.
type Life struct {
	Health
	Version  string `json:"version" doc:"The release, or the commit that the program was built from."`
	Go       string `json:"go"`
	Platform string `json:"platform" doc:"Operating system and architecture."`
}

type lifeAnswer struct{ Body Life }

// health says whether the process lives, and whether what it depends on does.
func (s *Server) health() {
	s.Open("/livez", "/readyz")
	free := []map[string][]string{}
	route(s, huma.Operation{
		OperationID: "live", Method: http.MethodGet, Path: "/livez", Tags: []string{"health"}, Security: free,
		Summary: "Whether the process serves, and what was built",
	}, func(context.Context, *struct{}) (*lifeAnswer, error) {
		a := &lifeAnswer{Body: Life{Health: Health{Status: "ok", Checks: map[string]string{}}, Version: s.Version, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}}
		return a, nil
	})
	route(s, huma.Operation{
		OperationID: "ready", Method: http.MethodGet, Path: "/readyz", Tags: []string{"health"}, Security: free,
		Summary:     "Whether what the server depends on is there",
		Description: "503 with the same answer if something is away; it says what.",
	}, func(ctx context.Context, _ *struct{}) (*healthAnswer, error) { return s.ready(ctx), nil })
}

// causeOf is what anybody may know of why something is away: addresses are for
// the log.
func causeOf(err error) string {
	var known *jobs.Error
	if errors.As(err, &known) {
		return "away: " + known.Detail
	}
	return "away"
}

func (s *Server) ready(ctx context.Context) *healthAnswer {
	ctx, cancel := context.WithTimeout(ctx, readyWithin)
	defer cancel()
	a := &healthAnswer{http.StatusOK, Health{Status: "ok", Checks: map[string]string{}}}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for name, check := range s.Ready {
		wg.Go(func() {
			err := check(ctx)
			mu.Lock()
			defer mu.Unlock()
			a.Body.Checks[name] = "ok"
			if err != nil {
				logOf(ctx).Warn("not ready", "check", name, "error", err)
				a.Body.Checks[name] = causeOf(err)
				a.Status, a.Body.Status = http.StatusServiceUnavailable, "unavailable"
			}
		})
	}
	wg.Wait()
	for name, check := range s.Damage {
		a.Body.Checks[name] = "ok"
		if err := check(ctx); err != nil {
			a.Body.Checks[name] = err.Error()
		}
	}
	return a
}
