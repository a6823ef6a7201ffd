package metrics

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"polyid-trainer/jobs"
)

// HTTP observes requests by route, not by path, which anybody can make up. It
// goes inside whatever turns errors into answers.
func (m *Metrics) HTTP(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		began := time.Now()
		route := c.Path()
		if route == "" {
			route = "none"
		}
		inFlight := m.streams.WithLabelValues(route)
		inFlight.Inc()
		defer inFlight.Dec()
		if err := next(c); err != nil {
			c.Error(err)
		}
		r := c.Response()
		if r.Header().Get("Content-Type") != "text/event-stream" {
			m.requests.WithLabelValues(method(c.Request().Method), route, strconv.Itoa(r.Status)).Observe(time.Since(began).Seconds())
		}
		return nil
	}
}

// method is a request's method, unless it is made up.
func method(name string) string {
	switch name {
	case "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS":
		return name
	}
	return "other"
}

// Tasks observes a handler of tasks.
func (m *Metrics) Tasks(next func(context.Context, jobs.Task) error) func(context.Context, jobs.Task) error {
	return func(ctx context.Context, t jobs.Task) error {
		began := time.Now()
		err := next(ctx, t)
		m.tasks.WithLabelValues(string(t.Kind), outcome(ctx, err)).Observe(time.Since(began).Seconds())
		return err
	}
}

// outcome says how a task went, as redisjobs treats it.
func outcome(ctx context.Context, err error) string {
	switch {
	case err == nil:
		return "done"
	case errors.Is(err, jobs.ErrLost):
		return "lost"
	case jobs.IsPermanent(err):
		return "failed"
	case ctx.Err() != nil:
		return "handed_back"
	}
	return "retried"
}
