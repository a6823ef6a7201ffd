package predict

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

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
	return p.handle(ctx, t, p.queued)
}

// HandleNow is Handle for a prediction that somebody waits for: it takes its turns
// with those that are answered at once.
func (p *Predictor) HandleNow(ctx context.Context, t jobs.Task) error {
	return p.handle(ctx, t, p.all)
}

func (p *Predictor) handle(ctx context.Context, t jobs.Task, turns turns) error {
	began, token := p.Now(), rand.Text()
	job, err := p.Store.Update(ctx, t.Job, func(j *predictions.Prediction) error { return j.Take(p.Now(), p.Worker, token) })
	switch jobs.ErrorCode(err) {
	case jobs.Conflict, jobs.NotFound:
		return nil
	}
	if err != nil {
		return err
	}
	w := &work{Predictor: p, Prediction: job, turns: turns, token: token, log: p.Log.With("prediction", job.ID, "attempt", job.Claim.Attempt)}
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

// work is one attempt at a prediction.
type work struct {
	*Predictor
	*predictions.Prediction
	turns turns
	token string
	log   *slog.Logger

	mu     sync.Mutex
	counts predictions.Counts // so far
}

// add counts a result.
func (w *work) add(r Result) {
	w.mu.Lock()
	defer w.mu.Unlock()
	count(&w.counts, r)
}

// soFar are the counts of the results that are there.
func (w *work) soFar() predictions.Counts {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.counts
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
	code := jobs.ErrorCode(err)
	failure := jobs.Failure{Code: string(code), Detail: err.Error()}
	if code == "" {
		failure = jobs.Failure{Code: "internal", Detail: "the prediction failed for a reason of the service's own; its log says more"}
	}
	forGood := code == jobs.Invalid || code == jobs.TooLarge || code == jobs.NotFound || code == jobs.Forbidden
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

// predict makes the results and names them in the record.
func (w *work) predict(ctx context.Context) error {
	ref := jobs.Revision{Repo: w.Model.Repo, Revision: w.Model.Revision}
	model, done, err := w.Models.Use(ctx, ref)
	if err != nil {
		return err
	}
	defer done()
	in, err := w.read(ctx, model)
	if err != nil {
		return err
	}
	out, err := newSpool(w.TempDir, in.header(), model.Config.Targets)
	if err != nil {
		return err
	}
	defer out.close()
	var results []Result // only where they are to be averaged
	var measured []revision.Prediction
	err = run(ctx, model, w.turns, in.n, in.polymer(model), func(i int, r Result) error {
		w.add(r)
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
		return err
	}
	if err := out.finish(aggregate(in.aggregate, model, results), revision.Compare(model.Config.Targets, measured)); err != nil {
		return err
	}
	var putting errgroup.Group
	for f, s := range map[predictions.Format]*scroll{predictions.JSON: &out.json, predictions.CSV: &out.csv} {
		putting.Go(func() error {
			content, size, err := s.content()
			if err != nil {
				return fmt.Errorf("results: %w", err)
			}
			return w.Store.PutResult(ctx, w.ID, w.Claim.Attempt, f, content, size)
		})
	}
	if err := putting.Wait(); err != nil {
		return err
	}
	used := named(ref, model, w.Models.Default)
	return w.update(ctx, func(j *predictions.Prediction) error {
		return j.Succeed(w.Now(), w.token, used, w.soFar())
	})
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

// read reads the request.
func (w *work) read(ctx context.Context, m *Model) (*batch, error) {
	body, err := w.Store.Request(ctx, w.ID)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	if w.Request == predictions.CSV {
		t, err := readTable(ctx, m, body)
		if err != nil {
			return nil, err
		}
		return &batch{inputs: t, n: len(t.sheet.Rows), table: t}, nil
	}
	q, err := ReadRequest(body, math.MaxInt) // it was found small enough when it came
	if err != nil {
		return nil, err
	}
	return &batch{inputs: q, n: len(q.Inputs), aggregate: q.Aggregate}, nil
}
