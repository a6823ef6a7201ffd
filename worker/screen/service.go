package screen

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"polyid-trainer/data/library"
	"polyid-trainer/jobs"
	"polyid-trainer/jobs/lease"
	"polyid-trainer/jobs/screenings"
	"polyid-trainer/storage"
)

// ending is how long a worker that is told to stop may take to say so.
const ending = 15 * time.Second

// Service works on screenings. Its fields are set before it is used; it is safe for
// concurrent use.
type Service struct {
	Store  *screenings.Store
	Queue  jobs.Queue
	Bucket storage.Bucket
	Models *Models
	// Kernel names what this worker computes with, as Predictor of its models do.
	Kernel string
	Worker string // "host:pid", as records show it
	Cores  int    // that a shard is computed on
	// CostPerHour is USD of this process.
	CostPerHour float64
	Lease       lease.Terms
	Log         *slog.Logger
	// Stored, if not nil, hears of every shard that was stored.
	Stored func(screening string, shard int)
}

// Handle works on a task of kind Screen or Assemble. There is nothing to do for a
// screening that has ended, or whose work others have. When ctx ends what is done is
// kept, and the rest left to others. A failure that is recorded is no error: the
// record says when to try again.
func (s *Service) Handle(ctx context.Context, t jobs.Task) error {
	if t.Kind == jobs.Assemble {
		return s.assemble(ctx, t.Job)
	}
	return s.screen(ctx, t.Job)
}

// screen claims a block and works on it.
func (s *Service) screen(ctx context.Context, id string) error {
	holder := lease.NewHolder(s.Lease, s.Log)
	block, err := s.Store.Claim(ctx, id, holder, s.Worker, s.Kernel)
	if err != nil || block == nil {
		return err
	}
	if block.More { // for the next worker
		if err := s.Queue.Enqueue(ctx, screenings.Task(block.Screening, block.Claims())); err != nil {
			s.Log.Warn("the next block waits for the reconciler", "screening", id, "error", err)
		}
	}
	w := &work{Service: s, Block: block, log: s.Log.With("screening", id, "claim", block.Claims())}
	outcome, err := holder.Run(ctx, w.renew, w.run)
	if outcome == lease.Lost {
		return jobs.ErrLost
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), ending)
	defer cancel()
	if outcome == lease.Failed {
		w.log.Warn("a block of shards failed", "error", err)
		return s.fail(ctx, w, err)
	}
	if ended := block.Leave(ctx); ended != nil {
		return errors.Join(err, ended)
	}
	return errors.Join(s.next(ctx, id), stopped(outcome, err))
}

// stopped is the error by which a task that was cut short is released.
func stopped(outcome lease.Outcome, err error) error {
	if outcome == lease.Interrupted {
		return err
	}
	return nil
}

// fail records a failure: of the block, or where no other attempt can do better, of
// the screening.
func (s *Service) fail(ctx context.Context, w *work, cause error) error {
	code := jobs.ErrorCode(cause)
	if code == jobs.Invalid || code == jobs.NotFound || errors.Is(cause, library.ErrDamaged) {
		failure := jobs.Failure{Code: string(code), Detail: cause.Error()}
		if code == "" {
			failure.Code = string(jobs.Damaged)
		}
		if _, err := s.Store.Update(ctx, w.ID, func(x *screenings.Screening) error { return x.Fail(time.Now(), failure) }); err != nil {
			return errors.Join(cause, err)
		}
		return w.Leave(ctx)
	}
	if err := w.Fail(ctx, cause); err != nil {
		return errors.Join(cause, err)
	}
	return nil
}

// next enqueues what a screening calls for after a block has ended.
func (s *Service) next(ctx context.Context, id string) error {
	x, l, err := s.Store.State(ctx, id)
	switch {
	case jobs.ErrorCode(err) == jobs.NotFound:
		return nil
	case err != nil:
		return err
	case !x.Status.Active():
		return nil
	case x.Complete:
		return s.Queue.Enqueue(ctx, screenings.AssembleTask(x))
	case l.Waiting():
		return s.Queue.Enqueue(ctx, screenings.Task(x, l.Claims))
	}
	return nil
}

// work is a block in hand.
type work struct {
	*Service
	*screenings.Block
	done atomic.Int64 // rows of the shard at hand
	log  *slog.Logger
}

func (w *work) renew(ctx context.Context) error { return w.Renew(ctx, w.done.Load()) }
