package httpapi

import (
	"context"
	"net/http"
	"sync"

	"github.com/labstack/echo/v4"
)

// streams counts the event streams that each token and each address has open.
type streams struct {
	mu   sync.Mutex
	open map[string]int
}

// enter counts a stream, unless the token or the address that asks for it has
// most already.
func (s *streams) enter(ctx context.Context, c echo.Context, most int) (leave func(), err error) {
	who := []string{"address " + c.RealIP()}
	if name := Principal(ctx); name != "" {
		who = append(who, "token "+name)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open == nil {
		s.open = map[string]int{}
	}
	for _, w := range who {
		if s.open[w] >= most {
			c.Response().Header().Set("Retry-After", "5")
			return nil, newProblem(http.StatusTooManyRequests, RateLimited, "too many event streams are open: close one, or ask for the events as a list")
		}
	}
	for _, w := range who {
		s.open[w]++
	}
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, w := range who {
			if s.open[w]--; s.open[w] == 0 {
				delete(s.open, w)
			}
		}
	}, nil
}
