package predict

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"sync"
	"time"

	"polyid-trainer/data"
	"polyid-trainer/jobs"
	"polyid-trainer/jobs/lease"
	"polyid-trainer/jobs/predictions"
	"polyid-trainer/nn/ensemble"
	"polyid-trainer/nn/revision"
)

// ending is how long a worker that is told to stop may take to say so.
const ending = 15 * time.Second

// Handle works off a queued prediction: it claims the record, predicts, and
// leaves the results beside it, as JSON and as CSV. There is nothing to do for a
// prediction that another worker has, or that has ended. When ctx ends it is
// released, unless its results are complete. A failure that is recorded is no
// error: the record says when to try again.
func (p *Predictor) Handle(ctx context.Context, t jobs.Task) error {
	began := p.Now()
	w := &work{Predictor: p, holder: lease.NewHolder(lease.Terms{Now: p.Now, After: p.After}, p.Log)}
	record, err := p.Store.Update(ctx, t.Job, func(j *predictions.Prediction) error { return j.Begin(p.Now(), w.holder, p.Worker) })
	switch code := jobs.ErrorCode(err); {
	case lease.IsHeld(err), code == jobs.Conflict, code == jobs.NotFound:
		return nil
	case err != nil:
		return err
	}
	w.Prediction, w.log = record, p.Log.With("prediction", record.ID, "attempt", record.Claim.Attempt)
	outcome, err := w.holder.Run(ctx, w.renew, w.predict)
	switch outcome {
	case lease.Done:
		p.observe(w.soFar(), began)
		return nil
	case lease.Lost:
		return jobs.ErrLost
	}
	return w.recordOutcome(ctx, outcome, err)
}

// HandleNow predicts, for somebody who waits, what is stored nowhere yet: asked,
// by its request. At its end, and not before, it is stored: with its results, or
// with why there can be none. After an error asked is as it was, for the queue:
// ctx ended first, another try may mend it, or it is there already, which is
// storage.ErrConflict.
func (p *Predictor) HandleNow(ctx context.Context, asked *predictions.Prediction, request io.Reader) error {
	began, ended := p.Now(), *asked
	var counts tally
	out, used, err := p.results(ctx, asked, request, p.all, counts.add)
	// Work that is done is kept, though the time for it may be over.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), ending)
	defer cancel()
	var results map[predictions.Format]predictions.Body
	if err == nil {
		defer out.close()
		ended.EndSucceeded(p.Now(), used, counts.soFar())
		if results, err = out.bodies(); err != nil {
			return err
		}
	} else {
		failure, hopeless := describe(err)
		if !hopeless {
			return err
		}
		ended.EndFailed(p.Now(), failure)
	}
	if err := p.Store.Add(ctx, &ended, results); err != nil {
		return err
	}
	*asked = ended
	p.observe(ended.Counts, began)
	return nil
}

// work is one attempt at a prediction.
type work struct {
	*Predictor
	*predictions.Prediction // as it was claimed
	tally
	holder *lease.Holder
	log    *slog.Logger
}

// tally counts results while others look at it. The zero tally is ready.
type tally struct {
	mu     sync.Mutex
	counts predictions.Counts
}

func (t *tally) add(r Result) {
	t.mu.Lock()
	defer t.mu.Unlock()
	count(&t.counts, r)
}

// soFar are the counts of the results that are there.
func (t *tally) soFar() predictions.Counts {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.counts
}

func (w *work) update(ctx context.Context, change func(*predictions.Prediction) error) error {
	_, err := w.Store.Update(ctx, w.ID, change)
	return err
}

// renew renews the lease, and says in the record how far the work is.
func (w *work) renew(ctx context.Context) error {
	err := w.update(ctx, func(j *predictions.Prediction) error {
		if err := w.holder.Renew(&j.Claim, w.Now()); err != nil {
			return err
		}
		so := w.soFar()
		j.Counts.OK, j.Counts.Failed = so.OK, so.Failed
		return nil
	})
	if jobs.ErrorCode(err) == jobs.NotFound {
		return fmt.Errorf("%w: the prediction was deleted", jobs.ErrLost)
	}
	return err
}

// recordOutcome leaves the record as an attempt that ended so calls for.
func (w *work) recordOutcome(ctx context.Context, outcome lease.Outcome, err error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), ending)
	defer cancel()
	if outcome != lease.Failed {
		return errors.Join(err, w.update(ctx, func(j *predictions.Prediction) error { return j.Leave(w.holder.Token) }))
	}
	failure, hopeless := describe(err)
	var last predictions.Prediction
	recorded := w.update(ctx, func(j *predictions.Prediction) error {
		err := j.FailAttempt(w.Now(), w.holder.Token, err, failure, hopeless)
		last = *j
		return err
	})
	switch {
	case recorded != nil:
		return errors.Join(err, recorded)
	case last.Status == predictions.Failed:
		w.log.Error("the prediction failed", "failures", last.Claim.Failures, "error", err)
	default:
		w.log.Warn("the prediction failed, to be tried again", "failures", last.Claim.Failures, "error", err)
	}
	return nil
}

// describe says of an error what a record does, and whether no other attempt can
// do better.
func describe(err error) (f jobs.Failure, hopeless bool) {
	code := jobs.ErrorCode(err)
	if code == "" {
		return jobs.Failure{}, false // given up, it says how often it was tried and what went wrong
	}
	hopeless = code == jobs.Invalid || code == jobs.TooLarge || code == jobs.NotFound || code == jobs.Forbidden
	return jobs.Failure{Code: string(code), Detail: err.Error()}, hopeless
}

// predict makes the results and names them in the record.
func (w *work) predict(ctx context.Context) error {
	request, err := w.Store.Request(ctx, w.ID)
	if err != nil {
		return err
	}
	defer request.Close()
	out, used, err := w.results(ctx, w.Prediction, request, w.queued, w.add)
	if err != nil {
		return err
	}
	defer out.close()
	results, err := out.bodies()
	if err != nil {
		return err
	}
	if err := w.Store.PutResults(ctx, w.ID, w.Claim.Attempt, results); err != nil {
		return err
	}
	return w.update(ctx, func(j *predictions.Prediction) error {
		return j.Succeed(w.Now(), w.holder.Token, used, w.soFar())
	})
}

// results predicts all that a request asks for, telling each of every result. The
// caller closes them.
func (p *Predictor) results(ctx context.Context, asked *predictions.Prediction, request io.Reader, t slots, each func(Result)) (_ *resultBuffer, used predictions.Model, err error) {
	ref := jobs.Revision{Repo: asked.Model.Repo, Revision: asked.Model.Revision}
	model, done, err := p.Models.Use(ctx, ref)
	if err != nil {
		return nil, used, err
	}
	defer done()
	in, err := read(ctx, model, asked.Request, request)
	if err != nil {
		return nil, used, err
	}
	out, err := newResultBuffer(p.TempDir, in.header(), model)
	if err != nil {
		return nil, used, err
	}
	defer func() {
		if err != nil {
			out.close()
		}
	}()
	var results []Result // only where they are to be averaged
	var measured []revision.Prediction
	err = run(ctx, model, t, in.n, ensemble.Together, in.polymer(model), func(i int, r Result) error {
		each(r)
		if in.aggregate != nil {
			results = append(results, r)
		}
		if in.table != nil {
			if m, ok := in.table.scored(model, i, r); ok {
				measured = append(measured, m)
			}
		}
		return out.write(in.cells(i), r)
	})
	if err != nil {
		return nil, used, err
	}
	err = out.finish(aggregate(in.aggregate, model, results), revision.Compare(model.Config.Targets, measured, model.level()))
	return out, named(ref, model, p.Models.Default), err
}

// batch is the inputs of a queued prediction.
type batch struct {
	inputs
	n         int
	aggregate *data.Aggregation
	table     *table // nil if the request is JSON
}

// inputs are a request's: a table's or a JSON request's.
type inputs interface {
	header() []string
	cells(i int) []string
	polymer(m *Model) func(i int) polymer
}

// read reads a request in format f for m.
func read(ctx context.Context, m *Model, f predictions.Format, request io.Reader) (*batch, error) {
	if f == predictions.CSV {
		t, err := readTable(ctx, m, request)
		if err != nil {
			return nil, err
		}
		return &batch{inputs: t, n: len(t.sheet.Rows), table: t}, nil
	}
	q, err := ReadRequest(request, math.MaxInt) // it was found small enough when it came
	if err != nil {
		return nil, err
	}
	return &batch{inputs: q, n: len(q.Inputs), aggregate: q.Aggregate}, nil
}
