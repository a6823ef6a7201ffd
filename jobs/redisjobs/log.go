package redisjobs

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/redis/go-redis/v9"
	"golang.org/x/time/rate"
)

// LogClient hands what the Redis client says by itself to log: dials that failed,
// dozens a second while Redis is away, of which a few show that it is.
func LogClient(log *slog.Logger) {
	redis.SetLogger(&clientLog{log, rate.NewLimiter(rate.Every(10*time.Second), 1)})
}

type clientLog struct {
	log   *slog.Logger
	often *rate.Limiter
}

// Printf implements go-redis' logger.
func (l *clientLog) Printf(_ context.Context, format string, args ...any) {
	if l.often.Allow() {
		l.log.Warn(fmt.Sprintf(format, args...), "from", "redis")
	}
}

// logger hands asynq's messages on to slog.
type logger struct{ log *slog.Logger }

func (l logger) Debug(args ...any) { l.log.Debug(fmt.Sprint(args...), "from", "asynq") }
func (l logger) Info(args ...any)  { l.log.Info(fmt.Sprint(args...), "from", "asynq") }
func (l logger) Warn(args ...any)  { l.log.Warn(fmt.Sprint(args...), "from", "asynq") }
func (l logger) Error(args ...any) { l.log.Error(fmt.Sprint(args...), "from", "asynq") }

// Fatal does not end the process: whoever started the server decides that.
func (l logger) Fatal(args ...any) { l.Error(args...) }
