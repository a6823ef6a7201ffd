// Package publish puts finished trainings on the Hub: each as one commit that
// holds the whole revision, and a tag where one was asked for.
//
// A publication may be cut short anywhere and is delivered more than once. Its
// commit names the training job and the version it was made for, so that a later
// attempt finds a commit already made and goes on from there; nothing is
// committed twice. Publications of one repository take turns, across processes,
// by a lease in object storage: of two that want one tag, the second finds it
// taken before it has changed anything. Whoever else writes to the repository is
// noticed by the commit's parent.
package publish

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"polyid-trainer/jobs"
	"polyid-trainer/storage"
	"polyid-trainer/storage/hub"
)

// MaxTries is how often a publication is tried while the Hub is away before its
// job fails: with the waits between, about an hour. The training is kept, and
// may be published again.
const MaxTries = 16

// ending is how long a publisher that is told to stop may take to say so.
const ending = 15 * time.Second

// Publisher publishes the revisions that finalized jobs have left in object
// storage. Its fields are set before use and not changed.
type Publisher struct {
	Store  jobs.Store
	Queue  jobs.Queue // for the webhooks that a publication owes
	Bucket storage.Bucket
	Hub    *hub.Client
	Repo   string                 // where jobs publish that do not say
	Allow  func(repo string) bool // where jobs may publish; nil is Repo alone
	Public bool                   // new repositories are public unless a job says otherwise
	Server string                 // address of this service, for the card; "" is a local one
	Worker string                 // "host:pid", as records show it
	Log    *slog.Logger
	// Published hears of every publication, so that models are loaded at once;
	// nil for nobody.
	Published func(repo string)

	Now   func() time.Time                     // nil is time.Now
	After func(time.Duration) <-chan time.Time // nil is time.After
}

func (p *Publisher) now() time.Time {
	if p.Now == nil {
		return time.Now()
	}
	return p.Now()
}

func (p *Publisher) after(d time.Duration) <-chan time.Time {
	if p.After == nil {
		return time.After(d)
	}
	return p.After(d)
}

// errMoved means that the job is no longer being published.
var errMoved = errors.New("the job has moved on")

// Handle publishes a job that is in state publishing. One that is not, and one
// that another worker is publishing, is done. Where the Hub is away the record
// says when to try again, and the reconciler does; what no retry can mend fails
// the job, which keeps its training.
func (p *Publisher) Handle(ctx context.Context, t jobs.Task) error {
	a := &attempt{Publisher: p, token: rand.Text()}
	j, err := p.Store.UpdateJob(ctx, t.Job, func(j *jobs.Job) error {
		if j.State != jobs.Publishing {
			return errMoved
		}
		return j.Stage.Take(p.now(), p.Worker, a.token)
	})
	switch {
	case errors.Is(err, errMoved), jobs.ErrorCode(err) == jobs.Conflict, jobs.ErrorCode(err) == jobs.NotFound:
		return nil
	case err != nil:
		return err
	}
	a.job, a.log = j, p.Log.With("job", j.ID, "attempt", j.Stage.Attempt)
	a.owns(j)
	held, cancel := context.WithCancelCause(ctx)
	var renewing sync.WaitGroup
	renewing.Go(func() { a.renew(held, cancel) })
	done, err := a.publish(held)
	cause := context.Cause(held)
	cancel(nil)
	renewing.Wait()
	return a.settle(ctx, cause, done, err)
}

// attempt is one claim on the publication of a job, or an import.
type attempt struct {
	*Publisher
	job   *jobs.Job // as it was claimed; nil of an import
	owner string    // how the messages of its commits go on after the summary
	nth   int       // of its owner's publications, from 1
	token string
	log   *slog.Logger
}

// update changes the record under the claim, while the job is being published.
func (a *attempt) update(ctx context.Context, change func(*jobs.Job) error) (*jobs.Job, error) {
	return a.Store.UpdateJob(ctx, a.job.ID, func(j *jobs.Job) error {
		if j.State != jobs.Publishing {
			return errMoved
		}
		if err := j.Stage.Check(a.token); err != nil {
			return err
		}
		return change(j)
	})
}

// renew keeps the claim until ctx ends, and ends ctx when it is lost or the job
// is no longer being published.
func (a *attempt) renew(ctx context.Context, stop context.CancelCauseFunc) {
	until := a.job.Stage.Until
	for {
		select {
		case <-ctx.Done():
			return
		case <-a.after(jobs.RenewEvery):
		}
		j, err := a.update(ctx, func(j *jobs.Job) error { return j.Stage.Renew(a.now(), a.token) })
		switch {
		case err == nil:
			until = j.Stage.Until
		case errors.Is(err, errMoved), errors.Is(err, jobs.ErrLost):
			stop(err)
			return
		case !a.now().Before(until):
			stop(fmt.Errorf("%w: the claim could not be renewed (%w)", jobs.ErrLost, err))
			return
		}
	}
}

// settle leaves the record as the outcome of an attempt calls for.
func (a *attempt) settle(ctx context.Context, cause error, done *jobs.Publication, err error) error {
	switch {
	case errors.Is(cause, jobs.ErrLost), errors.Is(err, jobs.ErrLost):
		return jobs.ErrLost
	case errors.Is(cause, errMoved), errors.Is(err, errMoved):
		a.log.Info("the job has moved on before it was published")
		return nil
	}
	told := ctx.Err() != nil
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), ending)
	defer cancel()
	f, forGood := failure(err)
	j, kept := a.update(ctx, func(j *jobs.Job) error {
		switch {
		case err == nil:
			if err := j.Stage.Release(a.token); err != nil {
				return err
			}
			return j.PublishedAs(a.now(), *done)
		case told: // to stop: another goes on from here
			return j.Stage.Release(a.token)
		case forGood || j.Tries+1 >= MaxTries:
			if err := j.Stage.Release(a.token); err != nil {
				return err
			}
			return j.Fail(a.now(), f)
		}
		// The claim is kept, and so nobody tries, until it is time.
		j.Tries++
		j.Stage.Until = a.now().Add(wait(j.Tries))
		return nil
	})
	if kept != nil {
		return errors.Join(err, fmt.Errorf("recording the outcome of a publication: %w", kept))
	}
	switch {
	case err == nil:
		a.log.Info("published", "repo", done.Repo, "branch", done.Branch, "commit", done.Commit, "tag", done.Tag)
		if a.Published != nil {
			a.Published(done.Repo)
		}
	case told:
		return err
	default:
		a.log.Warn("publishing failed", "error", err, "state", j.State, "tries", j.Tries)
	}
	a.next(ctx, j)
	return nil
}

// next enqueues what the job needs now: its webhooks. What it cannot enqueue the
// reconciler will.
func (a *attempt) next(ctx context.Context, j *jobs.Job) {
	for _, t := range jobs.Needed(a.now(), j, nil) {
		if err := a.Queue.Enqueue(ctx, t); err != nil {
			a.log.Warn("enqueuing, the reconciler will", "task", t.ID(), "error", err)
		}
	}
}

// wait is the time between the n-th failed try, from 1, and the next: 5 s,
// doubled each time up to 5 min.
func wait(n int) time.Duration {
	const first, longest = 5 * time.Second, 5 * time.Minute
	d := first << min(n-1, 10)
	return min(d, longest)
}
