// Package publish puts finished trainings on the Hub: each as one commit that
// holds the whole revision, and a tag where one was asked for.
//
// A publication may be cut short anywhere and is delivered more than once. Its
// commit names the training job and the version it was made for, so that a later
// attempt finds a commit already made and goes on from there; nothing is
// committed twice. Publications of one repository wait for each other, across
// processes, by a lease in object storage: of two that want one tag, the second finds it
// taken before it has changed anything. Whoever else writes to the repository is
// noticed by the commit's parent.
package publish

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"polyid-trainer/jobs"
	"polyid-trainer/jobs/lease"
	"polyid-trainer/storage"
	"polyid-trainer/storage/hub"
)

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
	// May reports why who asks in ctx may not publish to a repository, and Claim makes
	// it in the name of a job's owner, or reports why the owner may not publish there.
	// Errors are jobs.Forbidden. nil lets everyone.
	May    func(ctx context.Context, repo string) error
	Claim  func(ctx context.Context, owner, repo string, private bool) error
	Public bool   // new repositories are public unless a job says otherwise
	Server string // address of this service, for the card; "" is a local one
	Worker string // "host:pid", as records show it
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
var errMoved = fmt.Errorf("the job is no longer being published: %w", lease.ErrStop)

// Handle publishes a job that is in state publishing. There is nothing to do for
// one that is not, and for one that another process is publishing. What went
// wrong is in the record, which says when to try again; the reconciler does. A job
// that no other attempt can publish has failed, and its training is saved.
func (p *Publisher) Handle(ctx context.Context, t jobs.Task) error {
	a := &attempt{Publisher: p, holder: p.newHolder()}
	j, err := p.Store.UpdateJob(ctx, t.Job, func(j *jobs.Job) error {
		if j.State != jobs.Publishing {
			return errMoved
		}
		return a.holder.Claim(&j.Stage, p.now(), p.Worker)
	})
	switch {
	case errors.Is(err, errMoved), lease.IsHeld(err), jobs.ErrorCode(err) == jobs.NotFound:
		return nil
	case err != nil:
		return err
	}
	a.job, a.log = j, p.Log.With("job", j.ID, "attempt", j.Stage.Attempt)
	a.owns(j)
	var done *jobs.Publication
	outcome, err := a.holder.Run(ctx, a.renew, func(ctx context.Context) (err error) {
		done, err = a.publish(ctx)
		return err
	})
	return a.recordOutcome(ctx, outcome, done, err)
}

// newHolder is a new claim, on a job or on a repository.
func (p *Publisher) newHolder() *lease.Holder {
	return lease.NewHolder(lease.Terms{Now: p.Now, After: p.After}, p.Log)
}

// attempt is one claim on the publication of a job, or an import.
type attempt struct {
	*Publisher
	job   *jobs.Job // as it was claimed; nil of an import
	owner string    // how the messages of its commits go on after the summary
	nth   int       // of its owner's publications, from 1

	holder *lease.Holder // of the job's stage; nil of an import
	log    *slog.Logger
}

// update changes the record under the claim, while the job is being published.
func (a *attempt) update(ctx context.Context, change func(*jobs.Job) error) (*jobs.Job, error) {
	return a.Store.UpdateJob(ctx, a.job.ID, func(j *jobs.Job) error {
		if j.State != jobs.Publishing {
			return errMoved
		}
		if err := j.Stage.Check(a.holder.Token); err != nil {
			return err
		}
		return change(j)
	})
}

// renew renews the lease on the job.
func (a *attempt) renew(ctx context.Context) error {
	_, err := a.update(ctx, func(j *jobs.Job) error { return a.holder.Renew(&j.Stage, a.now()) })
	if jobs.ErrorCode(err) == jobs.NotFound {
		return fmt.Errorf("%w: the job was deleted", jobs.ErrLost)
	}
	return err
}

// recordOutcome leaves the record as an attempt that ended so calls for.
func (a *attempt) recordOutcome(ctx context.Context, outcome lease.Outcome, done *jobs.Publication, err error) error {
	switch outcome {
	case lease.Lost:
		return jobs.ErrLost
	case lease.Stopped:
		a.log.Info("the job has moved on before it was published")
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), ending)
	defer cancel()
	f, hopeless := failure(err)
	j, recorded := a.update(ctx, func(j *jobs.Job) error {
		switch outcome {
		case lease.Done:
			if err := j.Stage.Succeed(a.holder.Token); err != nil {
				return err
			}
			return j.PublishedAs(a.now(), *done)
		case lease.Interrupted: // another process goes on from here
			return j.Stage.Release(a.holder.Token)
		}
		return j.FailStage(a.now(), jobs.Publish, a.holder.Token, err, f, hopeless)
	})
	if recorded != nil {
		return errors.Join(err, fmt.Errorf("recording the outcome of a publication: %w", recorded))
	}
	switch outcome {
	case lease.Done:
		a.log.Info("published", "repo", done.Repo, "branch", done.Branch, "commit", done.Commit, "tag", done.Tag)
		if a.Published != nil {
			a.Published(done.Repo)
		}
	case lease.Interrupted:
		return err
	default:
		a.log.Warn("publishing failed", "error", err, "state", j.State, "failures", j.Stage.Failures)
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
