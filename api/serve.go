package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"text/tabwriter"

	"github.com/alecthomas/kong"

	"polyid-trainer/api/app"
	"polyid-trainer/jobs/redisjobs"
)

// ServeCmd serves until it is told to stop.
type ServeCmd struct {
	Config app.Config `embed:""`
	Log    logFlags   `embed:""`
}

// Validate reads the secrets and refuses a configuration that cannot be.
func (c *ServeCmd) Validate() error { return configure(&c.Config) }

// Run serves until ctx ends.
func (c *ServeCmd) Run(ctx context.Context, std *streams) error {
	a, err := app.New(ctx, c.Config, c.Log.logger(std.err))
	if err != nil {
		return err
	}
	fmt.Fprintf(std.out, "PolyID trainer at %s\n", a.URL())
	facts(std.out, a)
	defer context.AfterFunc(ctx, func() {
		fmt.Fprintln(std.out, "stopping: folds under way are saved and go on at the next start; once more stops at once")
	})()
	return a.Run(ctx)
}

// facts writes what a serves and uses.
func facts(w io.Writer, a *app.App) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, f := range a.Facts() {
		fmt.Fprintf(t, "  %s\t%s\n", f.Name, f.Value)
	}
	t.Flush()
}

// configure completes a configuration from flags and environment.
func configure(c *app.Config) (err error) {
	if c.Secrets, err = app.ReadSecrets(os.Getenv); err != nil {
		return err
	}
	return c.Check()
}

// logFlags say how to log.
type logFlags struct {
	LogFormat string     `setting:"LOG_FORMAT" enum:"text,json" default:"text" help:"Logs on stderr as ${enum}."`
	LogLevel  slog.Level `setting:"LOG_LEVEL" default:"INFO" placeholder:"LEVEL" help:"Least level to log: DEBUG, INFO, WARN, ERROR (${default})."`
}

// logger logs to w, also what the Redis client says by itself.
func (f *logFlags) logger(w io.Writer) *slog.Logger {
	options := &slog.HandlerOptions{Level: f.LogLevel}
	var handler slog.Handler = slog.NewTextHandler(w, options)
	if f.LogFormat == "json" {
		handler = slog.NewJSONHandler(w, options)
	}
	log := slog.New(handler)
	redisjobs.LogClient(log)
	return log
}

// environment sets flags by the variables that their setting tags name. An empty
// variable is as good as none.
func environment(getenv func(string) string) kong.Resolver {
	return kong.ResolverFunc(func(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
		if name := flag.Tag.Get("setting"); name != "" {
			if value := getenv(name); value != "" {
				return value, nil
			}
		}
		return nil, nil
	})
}
