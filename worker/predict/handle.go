package predict

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"sync"
	"time"

	"polyid-trainer/data"
	"polyid-trainer/jobs"
	"polyid-trainer/jobs/predictions"
	"polyid-trainer/nn/revision"
)

// ending is how long a worker that is told to stop may take to say so.
const ending = 15 * time.Second

// Handle works off a queued prediction: it claims the record, predicts, and
// leaves the results beside it, as JSON and as CSV. A prediction that is another
// worker's or at an end is done. When ctx ends it is handed back, unless its
// results are complete.
func (p *Predictor) Handle(ctx context.Context, t jobs.Task) error {
	began, token := p.Now(), rand.Text()
	job, err := p.Store.Update(ctx, t.Job, func(j *predictions.Prediction) error { return j.Take(p.Now(), p.Worker, token) })
	switch jobs.ErrorCode(err) {
	case jobs.Conflict, jobs.NotFound:
		return nil
	}
	if err != nil {
		return err
	}
	w := &work{Predictor: p, Prediction: job, token: token, log: p.Log.With("prediction", job.ID, "attempt", job.Claim.Attempt)}
	held, cancel := context.WithCancelCause(ctx)
	renewed := make(chan struct{})
	go func() {
		defer close(renewed)
		w.renew(held, cancel)
	}()
	err = w.predict(held)
	cancel(nil)
	<-renewed
	if err == nil {
		p.observe(w.soFar(), began)
		return nil
	}
	return w.end(ctx, held, err)
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
		failure, forGood := describe(err)
		if !forGood {
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
	*predictions.Prediction
	tally
	token string
	log   *slog.Logger
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

// renew keeps the claim until ctx ends, saying in the record how far the work
// is, and ends ctx when it is lost.
func (w *work) renew(ctx context.Context, lost context.CancelCauseFunc) {
	until := w.Claim.Until
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.After(jobs.RenewEvery):
		}
		err := w.update(ctx, func(j *predictions.Prediction) error {
			if err := j.Claim.Renew(w.Now(), w.token); err != nil {
				return err
			}
			until = j.Claim.Until
			so := w.soFar()
			j.Counts.OK, j.Counts.Failed = so.OK, so.Failed
			return nil
		})
		if errors.Is(err, jobs.ErrLost) || err != nil && !w.Now().Before(until) {
			lost(fmt.Errorf("prediction %s: %w", w.ID, jobs.ErrLost))
			return
		}
	}
}

// end says in the record how an attempt failed.
func (w *work) end(ctx, held context.Context, err error) error {
	if errors.Is(context.Cause(held), jobs.ErrLost) || errors.Is(err, jobs.ErrLost) {
		return jobs.ErrLost
	}
	asked := ctx.Err() != nil
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), ending)
	defer cancel()
	if asked {
		return errors.Join(err, w.update(ctx, func(j *predictions.Prediction) error { return j.HandBack(w.token) }))
	}
	failure, forGood := describe(err)
	var last bool
	failed := w.update(ctx, func(j *predictions.Prediction) error {
		err := j.Fail(w.Now(), w.token, failure, forGood)
		last = j.Status == predictions.Failed
		return err
	})
	if failed == nil && last {
		w.log.Error("prediction failed", "error", err)
		return nil
	}
	return errors.Join(err, failed)
}

// describe says of an error what a record does, and whether another try is in
// vain.
func describe(err error) (f jobs.Failure, forGood bool) {
	code := jobs.ErrorCode(err)
	if code == "" {
		return jobs.Failure{Code: "internal", Detail: "the prediction failed for a reason of the service's own; its log says more"}, false
	}
	forGood = code == jobs.Invalid || code == jobs.TooLarge || code == jobs.NotFound || code == jobs.Forbidden
	return jobs.Failure{Code: string(code), Detail: err.Error()}, forGood
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
		return j.Succeed(w.Now(), w.token, used, w.soFar())
	})
}

// results predicts all that a request asks for, telling each of every result. The
// caller closes them.
func (p *Predictor) results(ctx context.Context, asked *predictions.Prediction, request io.Reader, t turns, each func(Result)) (_ *spool, used predictions.Model, err error) {
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
	out, err := newSpool(p.TempDir, in.header(), model.Config.Targets)
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
	err = run(ctx, model, t, in.n, in.polymer(model), func(i int, r Result) error {
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
	err = out.finish(aggregate(in.aggregate, model, results), revision.Compare(model.Config.Targets, measured))
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
