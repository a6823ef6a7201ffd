package httpapi

import (
	"net/http"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"
	"golang.org/x/time/rate"
)

// Limits bound what one request, or one user, may ask for. A zero field takes
// its default.
type Limits struct {
	Dataset     int64   // bytes of an uploaded dataset; 100 MB
	Prediction  int64   // bytes of a CSV of inputs; 50 MB
	Inputs      int     // of a JSON prediction; 1,000
	TrainingJob int64   // bytes of a training job's JSON, folds and all; 8 MB
	JSON        int64   // bytes of any other body; 1 MB
	Rate        float64 // requests a second of one token, or address without one; 500
	Burst       int     // of them at once; 10,000, a backlog of predictions
	Streams     int     // event streams of one token or address at a time; 100
	Logins      float64 // tries to log in a second of one address; 1, 10 at once
}

// WithDefaults fills what is unset.
func (l Limits) WithDefaults() Limits {
	def(&l.Dataset, 100<<20)
	def(&l.Prediction, 50<<20)
	def(&l.Inputs, 1000)
	def(&l.TrainingJob, 8<<20)
	def(&l.JSON, 1<<20)
	def(&l.Rate, 500)
	def(&l.Burst, 10_000)
	def(&l.Streams, 100)
	def(&l.Logins, 1)
	return l
}

func def[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}

// limitRate refuses who asks too often: each token, and each address that shows
// none, has a bucket of its own.
func (s *Server) limitRate() echo.MiddlewareFunc {
	return limiter(s.Limits.Rate, s.Limits.Burst, func(c echo.Context) string {
		if name := c.Get(principalKey); name != nil {
			return "token " + name.(string)
		}
		return "address " + c.RealIP()
	})
}

// limiter allows so many requests a second of each who.
func limiter(perSecond float64, burst int, who func(echo.Context) string) echo.MiddlewareFunc {
	return middleware.RateLimiterWithConfig(middleware.RateLimiterConfig{
		Store: middleware.NewRateLimiterMemoryStoreWithConfig(middleware.RateLimiterMemoryStoreConfig{
			Rate: rate.Limit(perSecond), Burst: burst, ExpiresIn: 5 * time.Minute,
		}),
		IdentifierExtractor: func(c echo.Context) (string, error) { return who(c), nil },
		DenyHandler: func(c echo.Context, _ string, _ error) error {
			c.Response().Header().Set("Retry-After", "1")
			return newProblem(http.StatusTooManyRequests, RateLimited, "too many requests: try again in a second")
		},
	})
}
