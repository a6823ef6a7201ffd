package redisjobs

import (
	"fmt"
	"log/slog"
)

// logger hands asynq's messages on to slog.
type logger struct{ log *slog.Logger }

func (l logger) Debug(args ...any) { l.log.Debug(fmt.Sprint(args...), "from", "asynq") }
func (l logger) Info(args ...any)  { l.log.Info(fmt.Sprint(args...), "from", "asynq") }
func (l logger) Warn(args ...any)  { l.log.Warn(fmt.Sprint(args...), "from", "asynq") }
func (l logger) Error(args ...any) { l.log.Error(fmt.Sprint(args...), "from", "asynq") }

// Fatal does not end the process: whoever started the server decides that.
func (l logger) Fatal(args ...any) { l.Error(args...) }
