package redisjobs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"polyid-trainer/jobs"
)

// Pool is a number of tasks worked on at a time, of certain kinds. What takes
// long has a pool of its own, or it starves what is short.
type Pool struct {
	Kinds       []jobs.Kind
	Concurrency int
}

// Server works off the queues of its pools' kinds.
type Server struct {
	Redis redis.UniversalClient
	Pools []Pool
	// Handler works on a task. Its context ends when the process is told to
	// stop, when the task has taken longer than its kind may, and when Redis
	// has not heard of it for so long that another worker may have it.
	//
	//	nil, jobs.ErrLost    the task is done
	//	jobs.IsPermanent     it is archived
	//	after the context    it is released, and no retry spent
	//	any other            it is tried again, ever later
	Handler func(ctx context.Context, t jobs.Task) error
	Grace   time.Duration // given to handlers once told to stop; 0 is 30 s
	Worker  string        // this process, as it is shown
	Log     *slog.Logger

	handlers sync.WaitGroup
}

// errReleased marks the outcome of a handler that was told to stop.
var errReleased = errors.New("released")

// Serve works until ctx ends, and then until all handlers have returned or
// Grace is over, which is an error. It may be called once.
func (s *Server) Serve(ctx context.Context) error {
	grace := s.Grace
	if grace == 0 {
		grace = 30 * time.Second
	}
	servers := make([]*asynq.Server, len(s.Pools))
	for i, p := range s.Pools {
		config, err := s.config(p, grace)
		if err != nil {
			return err
		}
		servers[i] = asynq.NewServerFromRedisClient(s.Redis, config)
	}
	for i, server := range servers {
		if err := server.Start(s.handler(ctx)); err != nil {
			shutdown(servers[:i])
			return fmt.Errorf("serve tasks: %w", err)
		}
	}
	<-ctx.Done()
	stopped := make(chan struct{})
	go func() {
		shutdown(servers)
		close(stopped)
	}()
	if err := Ready(context.WithoutCancel(ctx), s.Redis); err != nil {
		// asynq would wait for it with every connection it has. What it cannot be
		// told now its leases tell when they lapse.
		s.Log.Warn("stopping without Redis", "error", err, "cause", errors.Unwrap(err))
		return s.drain(grace)
	}
	<-stopped
	return s.drain(grace)
}

// shutdown stops all servers at once: each waits for its handlers.
func shutdown(servers []*asynq.Server) {
	var stopping sync.WaitGroup
	for _, server := range servers {
		stopping.Go(server.Shutdown)
	}
	stopping.Wait()
}

// drain waits for the handlers that asynq has given up on, which still run.
func (s *Server) drain(grace time.Duration) error {
	done := make(chan struct{})
	go func() { s.handlers.Wait(); close(done) }()
	select {
	case <-done:
		return nil
	default:
	}
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-done:
		return nil
	case <-timer.C:
		return fmt.Errorf("serve tasks: some still run %s after they were told to stop", grace)
	}
}

func (s *Server) config(p Pool, grace time.Duration) (asynq.Config, error) {
	queues := make(map[string]int, len(p.Kinds))
	for _, k := range p.Kinds {
		if _, ok := kinds[k]; !ok {
			return asynq.Config{}, fmt.Errorf("serve tasks: %q is no kind of task", k)
		}
		queues[queueOf(k)] = 1
	}
	if len(queues) == 0 || p.Concurrency < 1 {
		return asynq.Config{}, fmt.Errorf("serve tasks: a pool for %v with concurrency %d serves nothing", p.Kinds, p.Concurrency)
	}
	return asynq.Config{
		Queues:      queues,
		Concurrency: p.Concurrency,
		// asynq files a task's outcome as soon as its context ends, without
		// waiting for the handler. So the process' context reaches the handler
		// beside asynq's, not through it.
		BaseContext:              context.Background,
		IsFailure:                isFailure,
		RetryDelayFunc:           retryDelay,
		ShutdownTimeout:          grace,
		TaskCheckInterval:        250 * time.Millisecond, // half of it on average, at every stage of a job
		DelayedTaskCheckInterval: time.Second,
		Logger:                   logger{s.Log},
		LogLevel:                 asynq.WarnLevel,
	}, nil
}

// handler runs s.Handler with a context that also ends with process, and
// translates what it returns.
func (s *Server) handler(process context.Context) asynq.Handler {
	return asynq.HandlerFunc(func(ctx context.Context, a *asynq.Task) error {
		s.handlers.Add(1)
		defer s.handlers.Done()
		t, err := decode(a)
		if err != nil {
			return fmt.Errorf("%w: %w", asynq.SkipRetry, err)
		}
		ctx, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		defer context.AfterFunc(process, func() { cancel(errReleased) })()
		switch {
		case ctx.Err() != nil || process.Err() != nil:
			return s.outcome(ctx, t, errReleased)
		case dealt(t.Kind):
			return s.serveNext(ctx, t.Kind)
		}
		return s.outcome(ctx, t, s.Handler(ctx, t))
	})
}

// outcome is the error that makes asynq do what Handler states.
func (s *Server) outcome(ctx context.Context, t jobs.Task, err error) error {
	log := s.Log.With("task", t.ID(), "job", t.Job, "attempt", t.Attempt)
	if t.Kind == jobs.TrainFold {
		log = log.With("fold", t.Fold)
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, jobs.ErrLost):
		log.Info("the task's work is another worker's by now")
		return nil
	case jobs.IsPermanent(err):
		log.Error("task failed for good", "error", err)
		return fmt.Errorf("%w: %w", asynq.SkipRetry, err)
	case ctx.Err() != nil && !errors.Is(context.Cause(ctx), context.DeadlineExceeded):
		return fmt.Errorf("%w: %v", errReleased, err)
	}
	log.Warn("task failed, to be tried again", "error", err)
	// Without %w: a cancellation inside the handler is a failure like any other.
	return fmt.Errorf("%s: %v", t.Kind, err)
}

// isFailure reports whether an outcome spends a retry: not one that was released,
// cancelled on the dashboard, or lost with its worker.
func isFailure(err error) bool {
	return !errors.Is(err, errReleased) && !errors.Is(err, asynq.ErrLeaseExpired) && !errors.Is(err, context.Canceled)
}

// retryDelay is how long a task waits after its n-th failure, from 0.
func retryDelay(n int, err error, a *asynq.Task) time.Duration {
	if !isFailure(err) {
		return 0
	}
	return kinds[jobs.Kind(a.Type())].wait(n)
}
