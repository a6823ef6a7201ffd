package train

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"polyid-trainer/nn"
)

// Data is what one fold learns from.
type Data struct {
	Train, Validate Set
	// Scale is the width of one scaled unit in each target's own units.
	Scale []float64
	// Fold keys the order, with Config.Seed.
	Fold int
}

// Options are what a training may do besides training. The zero value is none
// of it.
type Options struct {
	Recorder     Recorder
	Checkpointer Checkpointer
	// Resume goes on from a snapshot: the engine's state is set from it, and it
	// is the caller's again when Fit returns.
	Resume *Snapshot
	// Until ends the training after so many finished epochs, as if it had been
	// stopped there: schedules and validations are those of all of Config.Epochs.
	// 0 trains to the end.
	Until int
	Now   func() time.Time // nil is time.Now
}

// Result is where a training stands when Fit returns.
type Result struct {
	Progress Progress
	Best     *nn.Params // weights of Progress.Best; nil before the first validation
	Average  *nn.Params // of the weights; nil unless Config.AverageWeights
	// EarlyStopped says that early stopping ended it before its last epoch.
	EarlyStopped bool
}

// Snapshot takes what is needed to go on from r, with the engine that Fit used,
// before that has done anything else.
func (r *Result) Snapshot(e nn.Engine) (*Snapshot, error) {
	snap := &Snapshot{Progress: r.Progress.clone(), Best: r.Best, Average: r.Average}
	if err := e.State(&snap.State); err != nil {
		return nil, fmt.Errorf("reading the engine's state: %w", err)
	}
	return snap, nil
}

// WarmStart gives e the weights of another training: with moments of zero and
// no steps behind it, as a fresh one.
func WarmStart(e nn.Engine, weights *nn.Params) error {
	if err := e.SetState(&nn.State{Weights: weights}); err != nil {
		return fmt.Errorf("starting from another model's weights: %w", err)
	}
	return nil
}

// Fit trains e on d for c.Epochs epochs, or until early stopping or o.Until.
//
// ctx is looked at between steps and every few validation rows. When it ends, Fit
// returns the Result so far, from which Result.Snapshot gives a state to resume
// from to the bit, together with an error that wraps ctx's cause. Likewise, an
// error of the engine or the checkpointer comes with the Result so far.
//
// A loss that is no number, infinite, or above 10,000 times the largest
// |target| (at least 1, scaled) ends the training with a *DivergedError.
//
// Beyond the engine's, Fit holds one copy of the weights, two more if they are
// averaged, and three more while a checkpoint is saved.
func Fit(ctx context.Context, e nn.Engine, d Data, c Config, o Options) (*Result, error) {
	f, err := newFit(e, d, c, o)
	if err != nil {
		return nil, err
	}
	err = f.run(ctx)
	return &f.Result, err
}

// fit is a training under way.
type fit struct {
	Result
	engine nn.Engine
	train  Set
	val    *evaluator
	scale  []float64
	config Config
	seed   uint64
	steps  int      // of an epoch
	until  int      // epochs to finish now
	limit  float64  // above which a loss has exploded
	mean   *average // of the weights; nil unless they are averaged

	recorder   Recorder
	checkpoint Checkpointer
	now        func() time.Time

	order  []int     // of the epoch's examples
	batch  nn.Batch  // of the step; reused, so that a step allocates nothing
	bounds bounds    // scratch of annotate
	began  time.Time // of the epoch in progress, less what a resumed one had spent
}

func newFit(e nn.Engine, d Data, c Config, o Options) (*fit, error) {
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("training configuration: %w", err)
	}
	train, a := measured(d.Train, true)
	validate, b := measured(d.Validate, false)
	if train.Len() == 0 {
		return nil, errors.New("no training row has a finite target")
	}
	if validate.Len() == 0 {
		return nil, errors.New("no validation row has a finite target")
	}
	if err := checkTargets(len(d.Scale), train, validate); err != nil {
		return nil, err
	}
	f := &fit{
		engine: e, train: train, val: newEvaluator(e, validate, len(d.Scale)), scale: d.Scale,
		config: c, seed: FoldSeed(c.Seed, d.Fold), until: c.Epochs,
		steps:    (train.Len() + c.BatchSize - 1) / c.BatchSize,
		limit:    explosion * max(1, a, b),
		recorder: o.Recorder, checkpoint: o.Checkpointer, now: o.Now,
		order: make([]int, train.Len()), batch: nn.Batch{Examples: make([]nn.Example, 0, min(c.BatchSize, train.Len()))},
	}
	if f.recorder == nil {
		f.recorder = discard{}
	}
	if f.now == nil {
		f.now = time.Now
	}
	if o.Until > 0 {
		f.until = min(o.Until, c.Epochs)
	}
	was := ""
	if o.Resume != nil {
		if err := f.resume(o.Resume); err != nil {
			return nil, fmt.Errorf("resuming: %w", err)
		}
		if n := len(f.Progress.Paths); n > 0 && f.Progress.Paths[n-1] != e.Path() {
			was = f.Progress.Paths[n-1]
		}
	}
	if c.AverageWeights != nil {
		var resumed *nn.Params
		if o.Resume != nil {
			resumed = o.Resume.Average
		}
		var err error
		if f.mean, err = newAverage(e, c, resumed); err != nil {
			return nil, err
		}
		f.Average = f.mean.mean
	}
	if n := len(f.Progress.Paths); n == 0 || f.Progress.Paths[n-1] != e.Path() {
		f.Progress.Paths = append(f.Progress.Paths, e.Path())
	}
	device := ""
	if p, ok := e.(nn.Placed); ok {
		device = p.Device()
	}
	f.recorder.Start(Start{
		Epoch: len(f.Progress.History), Step: f.Progress.Step, Path: e.Path(), Device: device, WasPath: was,
		LeftOut: d.Train.Len() - train.Len() + d.Validate.Len() - validate.Len(),
	})
	return f, nil
}

// checkTargets refuses examples that have not as many targets as the scale.
func checkTargets(targets int, sets ...Set) error {
	for _, set := range sets {
		for i := range set.Len() {
			if row, target := set.Label(i); len(target) != targets {
				return fmt.Errorf("row %d has %d targets, the scale %d", row, len(target), targets)
			}
		}
	}
	return nil
}

// resume takes over a snapshot.
func (f *fit) resume(s *Snapshot) error {
	if err := s.Progress.check(f.steps, f.train.Len(), f.config.Epochs); err != nil {
		return fmt.Errorf("the snapshot does not fit this training: %w", err)
	}
	if _, ok := s.Progress.Best(); (s.Best != nil) != ok {
		return errors.New("the snapshot has best weights and no validated epoch, or the other way round")
	}
	if (s.Average != nil) != (f.config.AverageWeights != nil) {
		return errors.New("the snapshot has averaged weights and this training averages none, or the other way round")
	}
	if err := f.engine.SetState(&s.State); err != nil {
		return fmt.Errorf("setting the engine's state: %w", err)
	}
	f.Progress = s.Progress.clone()
	if s.Best != nil {
		f.Best = s.Best.Clone()
	}
	return nil
}

func (f *fit) run(ctx context.Context) error {
	for len(f.Progress.History) < f.until {
		if es := f.config.EarlyStopping; es != nil && f.Progress.Step == 0 && es.stops(f.Progress.History) {
			f.EarlyStopped = true
			return nil
		}
		if err := f.epoch(ctx); err != nil {
			return err
		}
		if err := f.save(ctx); err != nil {
			return err
		}
	}
	return nil
}

// epoch takes the steps that are left of the epoch in progress and validates.
func (f *fit) epoch(ctx context.Context) error {
	p := &f.Progress
	shuffle(f.order, f.seed, len(p.History))
	f.began = f.now().Add(-time.Duration(p.Seconds * float64(time.Second)))
	rate := f.rate()
	for p.Step < f.steps {
		if err := context.Cause(ctx); err != nil {
			return f.stopped(err)
		}
		rate = f.rate()
		if err := f.step(rate); err != nil {
			return err
		}
		if p.Step < f.steps { // the last one is saved with its validation
			if err := f.save(ctx); err != nil {
				return err
			}
		}
	}
	return f.end(ctx, rate)
}

// rate is the learning rate of the next step; after an epoch's last one, its.
func (f *fit) rate() float64 {
	step := min(f.Progress.Step, f.steps-1)
	return f.config.Schedule.Rate(f.config.LearningRate, len(f.Progress.History), step, f.steps, f.config.Epochs, f.Progress.History)
}

func (f *fit) step(rate float64) error {
	p := &f.Progress
	epoch := len(p.History) + 1
	b := &f.batch
	at := p.Step * f.config.BatchSize
	order := f.order[at:min(at+f.config.BatchSize, len(f.order))]
	b.Epoch, b.Examples = epoch, b.Examples[:len(order)]
	for k, i := range order {
		f.train.Example(i, &b.Examples[k])
	}
	some, err := f.annotate(order)
	if err != nil {
		return fmt.Errorf("epoch %d, step %d, rows %v: %w", epoch, p.Step+1, rows(b), err)
	}
	loss := 0.0
	if some { // otherwise every bound is kept: there is nothing to mend
		loss, err = f.engine.Step(b, f.config.Adam(rate))
	}
	switch {
	case err != nil:
		return fmt.Errorf("epoch %d, step %d, rows %v: %w", epoch, p.Step+1, rows(b), err)
	case lost(loss, f.limit):
		return &DivergedError{Epoch: epoch, Rows: rows(b), Loss: loss, Limit: f.limit}
	}
	p.Step++
	if f.mean != nil {
		if err := f.mean.stepped(len(p.History)*f.steps + p.Step); err != nil {
			return err
		}
	}
	p.Rows += len(b.Examples)
	p.LossSum += loss * float64(len(b.Examples))
	f.recorder.Step(Step{Epoch: epoch, Step: p.Step, Steps: f.steps, Loss: loss,
		MeanLoss: p.LossSum / float64(p.Rows), LearningRate: rate})
	return nil
}

func rows(b *nn.Batch) []int {
	out := make([]int, len(b.Examples))
	for i, x := range b.Examples {
		out[i] = x.Row
	}
	return out
}

// end ends the epoch in progress: it measures it, if it is one's turn, keeps its
// weights if they are the best so far, and records it. rate was its last step's.
func (f *fit) end(ctx context.Context, rate float64) error {
	p := &f.Progress
	n := len(p.History) + 1
	s := scores{loss: math.NaN(), mae: missing(len(f.scale))}
	if f.config.validates(n) {
		var err error
		if s, err = f.validate(ctx, n); err != nil {
			return err
		}
	}
	h := Epoch{
		Epoch: n, Loss: Measure(p.LossSum / float64(p.Rows)), ValLoss: Measure(s.loss),
		ValMAE: inUnits(s.mae, f.scale), ValMAEScaled: s.mae,
		LearningRate: rate, Seconds: f.now().Sub(f.began).Seconds(),
	}
	p.History = append(p.History, h)
	p.Step, p.Rows, p.LossSum, p.Seconds = 0, 0, 0, 0
	f.recorder.Epoch(h)
	return nil
}

// validate scores epoch n, with the averaged weights if there are any, and copies
// the weights to Best if no earlier epoch's were as good.
func (f *fit) validate(ctx context.Context, n int) (s scores, err error) {
	run := func() error { return f.val.run(ctx) }
	if f.mean != nil {
		err = f.mean.during(run)
	} else {
		err = run()
	}
	if err != nil {
		if context.Cause(ctx) != nil {
			return s, f.stopped(err)
		}
		return s, fmt.Errorf("epoch %d: %w", n, err)
	}
	s, at, loss := f.val.score(f.limit)
	if at >= 0 {
		return s, &DivergedError{Epoch: n, Validating: true, Rows: []int{f.val.rowOf(at)}, Loss: loss, Limit: f.limit}
	}
	if best, ok := f.Progress.Best(); !ok || Measure(s.loss) < best.ValLoss {
		err = f.improve()
	}
	return s, err
}

// improve copies the weights that were validated to Best.
func (f *fit) improve() error {
	if f.mean != nil {
		if f.Best == nil {
			f.Best = f.Average.Clone()
			return nil
		}
		return f.Best.CopyFrom(f.Average)
	}
	s := nn.State{Weights: f.Best}
	if err := f.engine.State(&s); err != nil {
		return fmt.Errorf("copying the best weights: %w", err)
	}
	f.Best = s.Weights
	return nil
}

// save saves a checkpoint if one is due.
func (f *fit) save(ctx context.Context) error {
	if f.checkpoint == nil || !f.checkpoint.Due() {
		return nil
	}
	f.clock()
	s, err := f.Snapshot(f.engine)
	if err != nil {
		return err
	}
	if err := f.checkpoint.Save(ctx, s); err != nil {
		return fmt.Errorf("saving a checkpoint: %w", err)
	}
	return nil
}

// clock brings Progress.Seconds up to now.
func (f *fit) clock() {
	if f.Progress.Step > 0 {
		f.Progress.Seconds = f.now().Sub(f.began).Seconds()
	}
}

// stopped is the error of a training whose context ended.
func (f *fit) stopped(cause error) error {
	f.clock()
	return fmt.Errorf("stopped in epoch %d after %d of %d steps: %w", len(f.Progress.History)+1, f.Progress.Step, f.steps, cause)
}
