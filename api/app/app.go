package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/redis/go-redis/v9"
	"golang.org/x/sync/errgroup"

	"polyid-trainer/api/httpapi"
	"polyid-trainer/jobs/audit"
	"polyid-trainer/jobs/redisjobs"
	"polyid-trainer/jobs/tokens"
	"polyid-trainer/storage"
	"polyid-trainer/storage/backend"
	"polyid-trainer/storage/file"
	"polyid-trainer/storage/hub"
	"polyid-trainer/storage/record"
	"polyid-trainer/worker/memory"
)

// scratchDir, in DATA_DIR, holds what a crash may leave behind.
const scratchDir = "tmp"

// App is the process, put together. Make one with New, then Run it.
type App struct {
	config   Config
	log      *slog.Logger
	listener net.Listener
	bucket   storage.Bucket        // as it is
	patient  *record.Register      // tries again, and knows which records are damaged
	redis    redis.UniversalClient // nil with RoleInference
	embedded *redisjobs.Embedded   // nil with a Redis of others
	hub      *hub.Client
	secret   string // signs webhooks
	sessions *httpapi.Sessions
	tokens   *tokens.Keyring
	audit    *audit.Log
	repos    *repositories
	memory   int64 // bytes that the process may use

	around   []echo.MiddlewareFunc
	handler  http.Handler
	services []service
	opened   []func() error // what Close closes, last first
}

// New opens what c names and binds the address; nothing is served yet. The
// caller runs the App or closes it.
func New(ctx context.Context, c Config, log *slog.Logger) (_ *App, err error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	c = c.WithDefaults()
	a := &App{config: c, log: log}
	if a.memory, err = memory.Parse(c.MemoryLimit); err != nil {
		return nil, fmt.Errorf("MEMORY_LIMIT: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.Close())
		}
	}()
	unlock, err := LockDir(c.DataDir)
	if err != nil {
		return nil, err
	}
	a.closing(unlock)
	// The address first: that it is taken is the likeliest of all failures.
	if a.listener, err = net.Listen("tcp", c.address()); err != nil {
		return nil, fmt.Errorf("PORT, HOST: %w: is another server running there? Choose another with PORT", err)
	}
	a.closing(func() error { return ignoreClosed(a.listener.Close()) })
	if a.bucket, err = OpenStorage(ctx, c); err != nil {
		return nil, err
	}
	if err := a.tryStorage(ctx); err != nil {
		return nil, err
	}
	a.patient = &record.Register{Bucket: &storage.Retry{Bucket: a.bucket}, Log: log}
	a.sessions = httpapi.NewSessions(a.patient, time.Now)
	if err := a.makeScratch(); err != nil {
		return nil, err
	}
	a.tokens = tokens.New(a.patient, c.APITokens, time.Now, log)
	a.audit = audit.New(a.patient, time.Now, log)
	embedded, err := a.openHub()
	if err != nil {
		return nil, err
	}
	r, err := a.newRole(ctx)
	if err != nil {
		return nil, err
	}
	r.serve("audit", a.audit.Run)
	if !a.tokens.None() {
		if err := a.tokens.Refresh(ctx); err != nil {
			log.Warn("the issued tokens cannot be read yet", "error", err)
		}
		r.serve("tokens", a.tokens.Run)
	}
	r.join(embedded).depend("storage", a.storageReady())
	r.inspect("records", a.patient.Check)
	a.handler, a.services = a.newHandler(r), r.services
	return a, nil
}

// makeScratch empties the directory for what is being received or computed.
func (a *App) makeScratch() error {
	dir := filepath.Join(a.config.DataDir, scratchDir)
	if err := errors.Join(os.RemoveAll(dir), os.MkdirAll(dir, 0o700)); err != nil {
		return fmt.Errorf("DATA_DIR: %w", err)
	}
	return nil
}

func (a *App) closing(f func() error) { a.opened = append(a.opened, f) }

// OpenStorage opens the object storage that c names.
func OpenStorage(ctx context.Context, c Config) (b storage.Bucket, err error) {
	if c.StorageURL == "" {
		b, err = file.Open(filepath.Join(c.DataDir, "objects"))
	} else {
		b, err = backend.Open(ctx, c.StorageURL)
	}
	if err != nil {
		return nil, fmt.Errorf("STORAGE_URL: %w", err)
	}
	return b, nil
}

func (a *App) openRedis(ctx context.Context) (err error) {
	address := a.config.RedisURL
	if address == "" {
		a.embedded, err = redisjobs.StartEmbedded(ctx, filepath.Join(a.config.DataDir, "redis"), a.log)
		if err != nil {
			return err
		}
		a.closing(a.embedded.Close)
		address = a.embedded.URL()
	}
	if a.redis, err = redisjobs.Connect(address); err != nil {
		return fmt.Errorf("REDIS_URL: %w", err)
	}
	a.closing(a.redis.Close)
	if err := redisjobs.Inspect(ctx, a.redis); err != nil {
		a.log.Error("Redis will not do as it is; the service starts and waits", "error", err, "cause", errors.Unwrap(err))
	}
	return nil
}

// mayPublish reports whether jobs may publish to a repository.
func (a *App) mayPublish(repo string) bool {
	for _, glob := range a.config.HubAllow {
		if ok, _ := path.Match(glob, repo); ok { // Check has seen the patterns
			return true
		}
	}
	return false
}

// mayUse reports whether predictions may load models from a repository: those
// that jobs publish to, and the one that is served.
func (a *App) mayUse(repo string) bool { return repo == a.config.HubRepo || a.mayPublish(repo) }

// newHandler serves a role over HTTP.
func (a *App) newHandler(r *role) http.Handler {
	return httpapi.New(httpapi.Config{Tokens: a.tokens, Audit: a.audit, Limits: a.config.Limits.http(), Ready: r.ready, Damage: r.damage, Sessions: a.sessions, Around: a.around, Version: Version(), Log: a.log}, r.areas...)
}

// URL is the address that this machine reaches the server at.
func (a *App) URL() string { return "http://" + a.hostPort() }

// hostPort names this machine where the server listens on all its addresses.
func (a *App) hostPort() string {
	host, port, err := net.SplitHostPort(a.listener.Addr().String())
	if err != nil {
		return a.listener.Addr().String()
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}

const (
	streamsEnd = time.Second      // after the server is told to stop, event streams end
	serverEnd  = 10 * time.Second // and whoever still asks is cut off
	readHeader = 10 * time.Second // of a request, before it counts as an attack
	idleEnd    = 2 * time.Minute  // of a connection
)

// Run serves until ctx ends or a service fails. Then folds are saved and handed
// back, requests are answered, and everything is closed. It may be called once.
func (a *App) Run(ctx context.Context) (err error) {
	defer func() { err = errors.Join(err, a.Close()) }()
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return a.serveHTTP(ctx) })
	for _, s := range a.services {
		g.Go(func() error {
			if err := s.run(ctx); err != nil {
				return fmt.Errorf("%s: %w", s.name, err)
			}
			return nil
		})
	}
	return g.Wait()
}

// serveHTTP answers requests until ctx ends.
func (a *App) serveHTTP(ctx context.Context) error {
	requests, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	server := &http.Server{
		Handler: withDeadlines(a.handler), ReadHeaderTimeout: readHeader, IdleTimeout: idleEnd,
		BaseContext: func(net.Listener) context.Context { return requests },
		ErrorLog:    slog.NewLogLogger(a.log.Handler(), slog.LevelDebug), // what clients do to their connections
	}
	stopped := make(chan error, 1)
	go func() {
		<-ctx.Done()
		defer time.AfterFunc(streamsEnd, cut).Stop()
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), serverEnd)
		defer cancel()
		err := server.Shutdown(end)
		if err != nil {
			err = server.Close()
		}
		stopped <- err
	}()
	if err := server.Serve(a.listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve HTTP: %w", err)
	}
	return <-stopped
}

// Close releases what New has opened. Closing again does nothing.
func (a *App) Close() error {
	var errs []error
	for len(a.opened) > 0 {
		last := len(a.opened) - 1
		errs = append(errs, a.opened[last]())
		a.opened = a.opened[:last]
	}
	return errors.Join(errs...)
}

func ignoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// worker is this process as records name it.
func worker() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return fmt.Sprintf("%s:%d", host, os.Getpid())
}
