package httpapi

import (
	"context"
	"fmt"
	"log/slog"
	"strings"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"

	"polyid-trainer/jobs"
)

type logContext struct{}

// logOf is the logger of a request.
func logOf(ctx context.Context) *slog.Logger {
	if l, ok := ctx.Value(logContext{}).(*slog.Logger); ok {
		return l
	}
	return slog.New(slog.DiscardHandler)
}

// observe gives every request an id and a logger, logs it once answered, and
// makes an internal error of a panic.
func (s *Server) observe() []echo.MiddlewareFunc {
	id := middleware.RequestIDWithConfig(middleware.RequestIDConfig{
		Generator: func() string { return jobs.NewID("req_") },
		RequestIDHandler: func(c echo.Context, id string) {
			if !printable(id) { // another's word in our log
				id = jobs.NewID("req_")
				c.Response().Header().Set(echo.HeaderXRequestID, id)
			}
			r := c.Request()
			c.SetRequest(r.WithContext(context.WithValue(r.Context(), logContext{}, s.Log.With("request", id))))
		},
	})
	access := middleware.RequestLoggerWithConfig(middleware.RequestLoggerConfig{
		LogStatus: true, LogLatency: true, LogMethod: true, LogURIPath: true, LogResponseSize: true, LogRemoteIP: true,
		LogValuesFunc: func(c echo.Context, v middleware.RequestLoggerValues) error {
			level := slog.LevelInfo
			if s.public[c.Path()] {
				level = slog.LevelDebug // probes
			}
			name, _ := c.Get(principalKey).(string)
			ctx := c.Request().Context()
			s.note(c, v)
			logOf(ctx).Log(ctx, level, "request", "method", v.Method, "path", v.URIPath, "status", v.Status,
				"ms", float64(v.Latency.Microseconds())/1000, "bytes", v.ResponseSize, "token", name, "ip", v.RemoteIP)
			return nil
		},
	})
	answered := func(next echo.HandlerFunc) echo.HandlerFunc { // errors too, before the access log looks
		return func(c echo.Context) error {
			if err := next(c); err != nil {
				c.Error(err)
			}
			return nil
		}
	}
	panics := middleware.RecoverWithConfig(middleware.RecoverConfig{
		DisableErrorHandler: true, DisableStackAll: true,
		LogErrorFunc: func(c echo.Context, err error, stack []byte) error {
			return fmt.Errorf("panic: %w\n%s", err, stack)
		},
	})
	return []echo.MiddlewareFunc{id, access, answered, panics}
}

// printable reports whether an id is fit for a log line.
func printable(id string) bool {
	return len(id) <= 64 && !strings.ContainsFunc(id, func(r rune) bool { return r <= ' ' || r > '~' })
}

// secure sets headers that are good for everything; pages set a policy of their
// own.
func secure(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		h := c.Response().Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		h.Set("Cache-Control", "no-store")
		return next(c)
	}
}
